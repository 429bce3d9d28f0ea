// The common part of the attention kernels: the shape of the op, the tiles of a
// ragged batch, and the matrix instructions.
//
// A tile of rows is what one warpgroup multiplies: 64 rows, each a query head
// of a token. The heads of a group are neighbours, so that they share the keys.
// Row r of a warpgroup is head r % group of token r / group. When the group
// does not divide 64 the last rows are idle. A tile of keys is `kv_block` = 64
// positions, aligned to absolute position (N14). In shared memory a tile
// consists of boxes of 64 columns (128 bytes) and 64 rows, with the 128-byte
// swizzle.
#pragma once

#include "passes/Kernels/AttentionHeads.h"
#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

constexpr int64_t kTileRows = 64;
constexpr int64_t kBoxColumns = 64; // of bf16: 128 bytes
constexpr int64_t kTileBoxBytes = kTileRows * kBoxColumns * 2;
constexpr int64_t kWarpgroup = 128; // threads

struct AttentionShape : kernels::AttentionHeads {
  // Reports an error at the op when an H200's kernels do not support queries
  // `q` with such heads.
  static mlir::FailureOr<AttentionShape>
  of(Kernel &k, mlir::Value q, const kernels::AttentionHeads &heads);
  std::string key() const;
  int64_t boxes() const { return (size + kBoxColumns - 1) / kBoxColumns; }
  int64_t tileBytes() const { return boxes() * kTileBoxBytes; }
  int64_t tokensPerTile() const { return kTileRows / group; }
  // Columns of a head whose gradient a block computes. Registers hold the sums
  // of at most 128.
  int64_t partColumns() const {
    return size <= 128 ? size : size % 128 == 0 ? 128 : kBoxColumns;
  }
  int64_t parts() const { return (size + partColumns() - 1) / partColumns(); }
};

// A tensor map for boxes of 64 columns and `boxRows` rows of a bf16 matrix with
// any number of dimensions. Its rows have `columns` elements.
mlir::Value mapOfRows(Kernel &k, mlir::Value buffer, mlir::Value rows,
                      int64_t columns, int64_t boxRows);
// An upper bound of the blocks for a ragged batch whose sequences are divided
// into tiles of `tokens` tokens.
mlir::Value tilesOfBatch(Kernel &k, mlir::Value tokens, mlir::Value sequences,
                         int64_t tokensPerTile);

// Tile `number` of a ragged batch, counted sequence by sequence. All values are
// i32.
struct BatchTile {
  mlir::Value found; // i1: whether the batch has that many tiles
  mlir::Value sequence;
  mlir::Value begin, end; // tokens of the sequence
  mlir::Value tile;       // in the sequence
};
// `count` is the number of sequences. Whole warps must call it.
BatchTile findTile(Emitter &b, mlir::Value sequences, mlir::Value count,
                   mlir::Value number, int64_t tokensPerTile);

// 2^x with a relative error of 2^-22; 0 for -infinity.
mlir::Value exp2(Emitter &b, mlir::Value x);
mlir::Value lessSigned(Emitter &b, mlir::Value x, mlir::Value y);
// Zeroes the tile's rows from `from` to `to` (i32, of 64). `threads` threads
// take part, and this is number `thread`.
void zeroRows(Emitter &b, mlir::Value tile, int64_t boxes, mlir::Value from,
              mlir::Value to, mlir::Value thread, int64_t threads);
// Masks the thread's 64 columns of sums for two rows 8 apart: columns outside
// of [lowest, next) become -infinity. The bounds are signed, one pair per row,
// and count from the thread's first column.
mlir::Value maskColumns(Emitter &b, mlir::Value sums, mlir::Value (&lowest)[2],
                        mlir::Value (&next)[2]);
// Fills a tile from rows of `size` bf16 elements anywhere in memory, 16 bytes
// at a time, by the 128 threads of a warpgroup. `rowAt` returns a row's address
// and whether it exists. Rows that do not exist become zeros.
void fillTile(
    Emitter &b, mlir::Value tile, int64_t size, mlir::Value thread,
    llvm::function_ref<std::pair<mlir::Value, mlir::Value>(mlir::Value row)>
        rowAt);

// Matrix instructions on tiles in shared memory, by one warpgroup.
class TileMath {
public:
  using Value = mlir::Value;
  explicit TileMath(Emitter &b) : b_(b) {}

  // kAlong: the rows of the tile are m or n and its columns are k. kAcross: its
  // columns are m or n and its rows are k.
  enum Direction { kAlong, kAcross };
  struct Operand {
    Value descriptor;
    Direction direction;
  };
  Operand operand(Value tile, Direction direction);
  // sums += A B over `steps` steps of 16. A is one fragment per step, or a
  // tile.
  Value multiply(llvm::ArrayRef<Value> a, Operand tile, Value sums,
                 int64_t steps);
  Value multiply(Operand a, Operand tile, Value sums, int64_t steps);
  void commit();
  llvm::SmallVector<Value> fence(mlir::ValueRange sums);
  Value wait(int64_t pending, Value sums) {
    return wait(pending, mlir::ValueRange(sums))[0];
  }
  llvm::SmallVector<Value> wait(int64_t pending, mlir::ValueRange sums);
  // The 64 columns of sums of this thread's two rows as fragments of A, rounded
  // to bf16: 4 steps of k.
  llvm::SmallVector<Value> fragments(llvm::ArrayRef<Value> sums);

private:
  Value advance(Operand operand, int64_t step);
  Emitter &b_;
};

// The kernel report: a block's rows of scores and the ring's stages.
mlir::DictionaryAttr reportOf(Kernel &k, int64_t rows, int64_t size,
                              int64_t stages);

} // namespace nibble::hopper
