// The common part of the attention kernels: the shape of their work and their
// three register tiles.
//
// A kernel works on a chunk: some consecutive tokens of one sequence times the
// query heads that read one key/value head. Token i and head g of the chunk are
// row `i * group + g` of its buffers, which are float32 and fit in the
// first-level cache. The kernel walks over blocks of keys in ascending order.
// For each block it walks over the chunk's rows in register tiles. The tile of
// a row does not affect its bits, because every lane of every row is a chain of
// its own. A block that a row does not see leaves it unchanged.
#pragma once

#include "passes/Kernels/AttentionHeads.h"
#include "passes/LowerToHost/Emit/Kernels.h"

#include <functional>
#include <tuple>

namespace nibble::host {

// Extents of an attention op and the division of its work.
struct AttentionShape : kernels::AttentionHeads {
  int64_t chunkTokens;           // tokens of a chunk
  int64_t tileTokens, tileHeads; // rows of a register tile
  // Vectors of sixteen lanes that a tile may keep in registers.
  int64_t accumulators;

  static AttentionShape of(const CpuTarget &machine,
                           const kernels::AttentionHeads &heads);

  // Vectors of a head.
  int64_t vectors() const { return (size + kLanes - 1) / kLanes; }
  int64_t paddedSize() const { return vectors() * kLanes; }
  int64_t keyVectors() const { return block / kLanes; }
  int64_t rows() const { return chunkTokens * group; }
};

// A block of keys and values of one key/value head, wherever it is stored.
// Attention over a batch and over pages differ only in these functions.
struct KeyBlock {
  // Element `element` of keys 16 * vector and following.
  std::function<mlir::Value(mlir::Value element, int64_t vector)> keys;
  // Elements 16 * vector and following of one key's value.
  std::function<mlir::Value(mlir::Value key, int64_t vector)> values;
};

// The tokens of one sequence that form a chunk, and their keys.
struct Segment {
  mlir::Value firstToken;     // index in the batch
  mlir::Value tokens;         // number of tokens
  mlir::Value firstPosition;  // of firstToken; the others follow
  mlir::Value lowestPosition; // of the sequence's first key
  mlir::Value kvHead;
  // The thread's first row in the kernel's buffers.
  mlir::Value firstRow;
};

// A range of a block's keys, [begin, end), counted from the block's first
// position. Empty when end <= begin.
struct KeyRange {
  mlir::Value begin, end;
};

// Rows that are in registers together: `tokens` x `heads` from (firstToken,
// firstHead) of the chunk.
struct Tile {
  int64_t tokens, heads;
  mlir::Value firstToken, firstHead;
  llvm::SmallVector<mlir::Value> rows; // in the chunk's buffers
  llvm::SmallVector<KeyRange> visible; // for each row
  KeyRange common; // seen by all rows; begins with the last row's range
};

class AttentionEmitter {
public:
  // Construct it at the beginning of the kernel, where it determines the number
  // of threads.
  AttentionEmitter(Emitter &b, const AttentionShape &shape);

  Emitter &b;
  const AttentionShape shape;
  mlir::Value workers; // number of threads of a parallel loop

  // Scratch memory with `shape.rows()` rows for each thread: float32 [rows,
  // columns], or [rows] when columns is 0.
  mlir::Value rowsOfThreads(int64_t columns = 0);
  // Divides `count` items among the threads; body(item, first row of the
  // thread).
  void forItems(
      mlir::Value count,
      llvm::function_ref<void(mlir::Value item, mlir::Value firstRow)> body);
  mlir::Value minSigned(mlir::Value a, mlir::Value b);

  // Divides the chunks of all sequences among the threads, heads first. `body`
  // gets the number of the sequence and one of its chunks. A chunk has tokens
  // of one sequence only. The expensive ends of sequences are distributed
  // evenly. With `keysFromBatch` the keys are those of the batch, from the
  // sequence's first token on.
  void forChunks(
      mlir::Value positions, mlir::Value sequences, bool keysFromBatch,
      llvm::function_ref<void(mlir::Value sequence, const Segment &)> body);
  // Visits the rows of a chunk: body(row, token of the chunk, query head).
  void forRows(const Segment &segment,
               llvm::function_ref<void(mlir::Value row, mlir::Value token,
                                       mlir::Value head)>
                   body);
  // Visits the blocks that some row of the chunk sees, ascending.
  void forBlocks(const Segment &segment,
                 llvm::function_ref<void(mlir::Value block)> body);
  // Visits the tiles of the chunk's rows that see the block.
  void forTiles(const Segment &segment, mlir::Value block,
                llvm::function_ref<void(const Tile &)> body);

  // The positions of the block that token `token` of the chunk sees.
  KeyRange visible(const Segment &segment, mlir::Value block,
                   mlir::Value token);

  // Reads head `head` of a token's row in `source`, widened, into row `row` of
  // `target`.
  void readHead(mlir::Value source, mlir::Value token, mlir::Value head,
                mlir::Value target, mlir::Value row);
  // Applies `map` to each vector of row `row` of `source`, rounds it, and
  // writes it to head `head` of a token's row in `target`.
  void writeHead(mlir::Value source, mlir::Value row, mlir::Value target,
                 mlir::Value token, mlir::Value head,
                 llvm::function_ref<mlir::Value(mlir::Value)> map);
  // Lanes of vector `vector` of head `head`; the last vector may be partial.
  mlir::Value headLanes(mlir::Value source, mlir::Value token, mlir::Value head,
                        int64_t vector);

  // products[row][key] = sum over elements of rows[row][element] *
  // keys(element, key), ascending, in one chain of fused multiply-adds. It
  // computes whole vectors of keys, seen or not. Vectors that no row of the
  // tile sees are left unchanged.
  void multiplyKeys(const Tile &tile, mlir::Value rows,
                    llvm::function_ref<mlir::Value(mlir::Value, int64_t)> keys,
                    mlir::Value products);
  // sums[row] = sums[row] * factors[row] (if given), then += weights[row][key]
  // * values(key) for the keys that the row sees, ascending, with one fused
  // multiply-add each. Other keys are not read.
  void addValues(const Tile &tile, mlir::Value weights,
                 llvm::function_ref<mlir::Value(mlir::Value, int64_t)> values,
                 mlir::Value factors, mlir::Value sums);
  // target[place(key)] += weights[row][key] * rows[row] for the keys that each
  // row sees, rows ascending, with one fused multiply-add each. `place` returns
  // the indices of a key's first element. Keys are float32 and padded to whole
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
