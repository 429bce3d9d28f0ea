// What the attention kernels share: the shape of their work and the three
// register tiles they are made of.
//
// A kernel works on a chunk: some consecutive tokens of one sequence times the
// query heads that read one key/value head. Token i and head g of the chunk are
// row `i * group + g` of its buffers, float32 and in the first-level cache.
// Blocks of keys pass by in ascending order; per block the chunk's rows are
// walked in register tiles. Which tile a row is in never changes its bits:
// every lane of every row is a chain of its own, and a block that a row does
// not see leaves it alone.
#pragma once

#include "passes/Kernels/AttentionHeads.h"
#include "passes/LowerToHost/Emit/Kernels.h"

#include <functional>
#include <tuple>

namespace nibble::host {

// Extents of an attention op and how its work is cut.
struct AttentionShape : kernels::AttentionHeads {
  int64_t chunkTokens;           // tokens of a chunk
  int64_t tileTokens, tileHeads; // rows of a register tile
  int64_t accumulators; // vectors of sixteen lanes that a tile may keep in
                        // registers

  static AttentionShape of(const CpuTarget &machine,
                           const kernels::AttentionHeads &heads);

  int64_t vectors() const {
    return (size + kLanes - 1) / kLanes;
  } // that hold a head
  int64_t paddedSize() const { return vectors() * kLanes; }
  int64_t keyVectors() const { return block / kLanes; }
  int64_t rows() const { return chunkTokens * group; }
};

// A block of keys and values of one key/value head, wherever they lie. The lane
// functions are the only thing that differs between attention over a batch and
// over pages.
struct KeyBlock {
  std::function<mlir::Value(mlir::Value element, int64_t vector)>
      keys; // element of keys 16 * vector ...
  std::function<mlir::Value(mlir::Value key, int64_t vector)>
      values; // elements 16 * vector ... of one key's value
};

// Tokens of one sequence that form a chunk, and the keys there are.
struct Segment {
  mlir::Value firstToken;     // place in the batch
  mlir::Value tokens;         // how many
  mlir::Value firstPosition;  // of firstToken; the others follow
  mlir::Value lowestPosition; // of the first key of the sequence that exists
  mlir::Value kvHead;
  mlir::Value firstRow; // of the thread that works on the chunk, in the
                        // kernel's buffers
};

// Some of a block's keys, [begin, end), counted from the block's first
// position. Empty when end <= begin.
struct KeyRange {
  mlir::Value begin, end;
};

// Rows that go through registers together: `tokens` x `heads` from (firstToken,
// firstHead) of the chunk.
struct Tile {
  int64_t tokens, heads;
  mlir::Value firstToken, firstHead;
  llvm::SmallVector<mlir::Value> rows; // of the chunk's buffers
  llvm::SmallVector<KeyRange> visible; // for each row
  KeyRange common; // seen by all rows; begins where the last row's range does
};

class AttentionEmitter {
public:
  // Where the kernel begins: asks how many threads there are, once.
  AttentionEmitter(Emitter &b, const AttentionShape &shape);

  Emitter &b;
  const AttentionShape shape;
  mlir::Value workers; // threads that a parallel loop may have

  // Scratch memory with `shape.rows()` rows for each thread: float32 [rows,
  // columns], or [rows] when columns is 0.
  mlir::Value rowsOfThreads(int64_t columns = 0);
  // Cuts `count` items over the threads; body(item, first row of the thread).
  void forItems(
      mlir::Value count,
      llvm::function_ref<void(mlir::Value item, mlir::Value firstRow)> body);
  mlir::Value minSigned(mlir::Value a, mlir::Value b);

  // Walks the chunks of all sequences over the threads, heads first; `body`
  // gets the sequence's number and a chunk of it. The chunk of a thread never
  // reaches into a neighbouring sequence, and the heavy ends of sequences are
  // dealt out evenly. `keysFromBatch`: the keys are the batch's own, from the
  // sequence's first token on.
  void forChunks(
      mlir::Value positions, mlir::Value sequences, bool keysFromBatch,
      llvm::function_ref<void(mlir::Value sequence, const Segment &)> body);
  // Rows of a chunk: body(row, token of the chunk, query head).
  void forRows(const Segment &segment,
               llvm::function_ref<void(mlir::Value row, mlir::Value token,
                                       mlir::Value head)>
                   body);
  // Blocks that a row of the chunk sees, ascending.
  void forBlocks(const Segment &segment,
                 llvm::function_ref<void(mlir::Value block)> body);
  // Tiles of the chunk's rows that see the block.
  void forTiles(const Segment &segment, mlir::Value block,
                llvm::function_ref<void(const Tile &)> body);

  // Positions of the block that token `token` of the chunk sees.
  KeyRange visible(const Segment &segment, mlir::Value block,
                   mlir::Value token);

  // Head `head` of a token's row in `source`, widened into row `row` of
  // `target`.
  void readHead(mlir::Value source, mlir::Value token, mlir::Value head,
                mlir::Value target, mlir::Value row);
  // Rounds row `row` of `source`, each vector through `map`, to head `head` of
  // a token's row in `target`.
  void writeHead(mlir::Value source, mlir::Value row, mlir::Value target,
                 mlir::Value token, mlir::Value head,
                 llvm::function_ref<mlir::Value(mlir::Value)> map);
  // Lanes of vector `vector` of head `head`, whose last vector may be cut.
  mlir::Value headLanes(mlir::Value source, mlir::Value token, mlir::Value head,
                        int64_t vector);

  // products[row][key] = sum over elements of rows[row][element] *
  // keys(element, key), ascending, one chain of fused multiply-adds. Whole
  // vectors of keys, seen or not; those that no row of the tile sees are left
  // as they are.
  void multiplyKeys(const Tile &tile, mlir::Value rows,
                    llvm::function_ref<mlir::Value(mlir::Value, int64_t)> keys,
                    mlir::Value products);
  // sums[row] = sums[row] * factors[row] (when given), then +=
  // weights[row][key] * values(key) for the keys that the row sees, ascending,
  // one fused multiply-add each. Other keys are not read.
  void addValues(const Tile &tile, mlir::Value weights,
                 llvm::function_ref<mlir::Value(mlir::Value, int64_t)> values,
                 mlir::Value factors, mlir::Value sums);
  // target[place(key)] += weights[row][key] * rows[row] for the keys that each
  // row sees, rows ascending, one fused multiply-add each. `place` gives the
  // indices of the first of a key's elements, float32 and padded to whole
  // vectors.
  void
  addToKeys(const Tile &tile, mlir::Value weights, mlir::Value rows,
            mlir::Value target,
            llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value key)>
                place);

private:
  Tile makeTile(const Segment &segment, mlir::Value block, int64_t tokens,
                mlir::Value firstToken, mlir::Value firstHead);
};

mlir::LogicalResult emitAttentionGrad(Kernel &k,
                                      nn::AttentionGradOp::Adaptor op);

} // namespace nibble::host
