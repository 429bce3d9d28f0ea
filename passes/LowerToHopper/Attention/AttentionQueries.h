// A block of queries over the keys that they see: which tokens, which blocks of
// keys, what is masked. Forward and the gradient of the queries walk alike.
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

class QueryBlock {
public:
  using Value = mlir::Value;
  // `warpgroups` tiles of neighbouring tokens and one key head. `fromBatch`:
  // the keys are the sequence's tokens of this batch, so its first token's
  // position is the lowest there is; else positions begin at 0.
  QueryBlock(Emitter &b, const AttentionShape &shape, int64_t warpgroups,
             Value positions, bool fromBatch)
      : b(b), shape(shape), warpgroups(warpgroups), positions(positions),
        fromBatch(fromBatch) {}

  int64_t tokens() const { return warpgroups * shape.tokensPerTile(); }
  // By every thread: the tokens of a tile that is found, and what they see.
  void locate(const BatchTile &place, Value head);
  // The same from eight i32, whether the tile is found or not, and those of a
  // block that is located. The sequence's number is not among them.
  void locate(mlir::ValueRange record);
  llvm::SmallVector<Value> recordOf();
  // By the consumers, before what follows: which thread it is, and its rows of
  // the located tile.
  void beginConsumer() { beginThread(), findRows(); }
  void beginThread();
  void findRows();

  // Of 16-row strips of a warpgroup's tile, a thread has parts of two rows, 8
  // apart.
  struct Row {
    Value token, head, position;
    Value there; // i1; a row that is not there does what another one does, and
                 // writes nothing
  };
  Row rowOf(Value inTile);
  // Of [T, heads * size], and of [T, heads].
  Value rowPointer(Value pointer, const Row &row, Value column);
  Value cellPointer(Value pointer, const Row &row);
  // Shared memory at `offset`: for each warpgroup a tile of its rows of
  // `source`. Needs a barrier before it is read.
  Value storeRows(Value source, int64_t offset);

  // Position of key 0 of block i, counted from the first block.
  Value startOf(Value i) { return b.mulI(b.addI(firstBlock, i), kTileRows); }
  // The scores of block i where a row does not see the key: -infinity.
  Value masked(Value scores, Value i);
  // Keys or values of block i at positions that no row of the block sees are
  // not ours to multiply, not even by zero: they become zeros in these tiles.
  void blank(llvm::ArrayRef<Value> tiles, Value i);

  BatchTile tile;
  Value kvHead, firstToken, lastToken, firstPosition, lastPosition;
  Value base;               // the lowest position that there is
  Value firstBlock, blocks; // of keys
  Value inGroup,
      group;  // the consumer's thread in its warpgroup, and which warpgroup
  Value pair; // first of the thread's columns in each 8
  Row rows[2];

private:
  void derive();
  Value positionOf(Value token) {
    return b.load(b.at(positions, b.getI32Type(), token), b.getI32Type());
  }
  // Lowest position that a token at `position` sees.
  Value lowestSeen(Value position);

  Emitter &b;
  const AttentionShape &shape;
  int64_t warpgroups;
  Value positions;
  bool fromBatch;
};

} // namespace nibble::hopper
