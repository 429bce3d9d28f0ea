// A block of queries and the keys that they see: its tokens, its blocks of
// keys, and the masks. The forward pass and the gradient of the queries use it.
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

class QueryBlock {
public:
  using Value = mlir::Value;
  // `warpgroups` tiles of neighbouring tokens and one key head. With
  // `fromBatch` the keys are the sequence's tokens in this batch, so the lowest
  // position is that of its first token. Otherwise positions begin at 0.
  QueryBlock(Emitter &b, const AttentionShape &shape, int64_t warpgroups,
             Value positions, bool fromBatch)
      : b_(b), shape_(shape), warpgroups_(warpgroups), positions_(positions),
        fromBatch_(fromBatch) {}

  int64_t tokens() const { return warpgroups_ * shape_.tokensPerTile(); }
  // Sets the tokens of a tile that was found, and the keys that they see. Every
  // thread calls it.
  void locate(const BatchTile &place, Value head);
  // The same from a record of eight i32, which says whether the tile was found;
  // and the record of a located block. It does not contain the number of the
  // sequence.
  void locate(mlir::ValueRange record);
  llvm::SmallVector<Value> recordOf();
  // Sets the consumer's thread number and its rows of the located tile.
  // Consumers call it first.
  void beginConsumer() { beginThread(), findRows(); }
  void beginThread();
  void findRows();

  // A warpgroup's tile consists of 16-row strips. A thread has parts of two
  // rows of a strip, 8 apart.
  struct Row {
    Value token, head, position;
    // i1; a row that does not exist repeats another one and writes nothing.
    Value there;
  };
  Row rowOf(Value inTile);
  // Addresses in [T, heads * size] and in [T, heads].
  Value rowPointer(Value pointer, const Row &row, Value column);
  Value cellPointer(Value pointer, const Row &row);
  // Copies each warpgroup's rows of `source` to a tile in shared memory at
  // `offset`. Needs a barrier before it is read.
  Value storeRows(Value source, int64_t offset);

  // Position of key 0 of block i, counted from the first block.
  Value startOf(Value i) { return b_.mulI(b_.addI(firstBlock, i), kTileRows); }
  // The scores of block i, with -infinity where a row does not see the key.
  Value masked(Value scores, Value i);
  // Zeroes keys or values of block i at positions that no row of the block
  // sees. Their memory may hold anything, and even 0 times it could be NaN.
  void blank(llvm::ArrayRef<Value> tiles, Value i);

  BatchTile tile;
  Value kvHead, firstToken, lastToken, firstPosition, lastPosition;
  Value base;               // the lowest position
  Value firstBlock, blocks; // of keys
  // The consumer's thread in its warpgroup, and the warpgroup's number.
  Value inGroup, group;
  Value pair; // the first of the thread's columns in each 8
  Row rows[2];

private:
  void derive();
  Value positionOf(Value token) {
    return b_.load(b_.at(positions_, b_.getI32Type(), token), b_.getI32Type());
  }
  // The lowest position that a token at `position` sees.
  Value lowestSeen(Value position);

  Emitter &b_;
  const AttentionShape &shape_;
  int64_t warpgroups_;
  Value positions_;
  bool fromBatch_;
};

} // namespace nibble::hopper
