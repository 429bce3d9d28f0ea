// What the attention kernels have in common: the shape of the op, the tiles of
// a ragged batch, the matrix instructions.
//
// A tile of rows is what one warpgroup multiplies: 64 rows, each a query head
// of a token; the heads of a group lie side by side, so that they share the
// keys. Row r of a warpgroup is head r % group of token r / group; where the
// group does not divide 64 the last rows are idle. A tile of keys is `kv_block`
// = 64 positions, aligned to absolute position (N14). In shared memory a tile
// is boxes of 64 columns (128 bytes) by 64 rows, in the 128-byte swizzle.
#pragma once

#include "passes/Kernels/AttentionHeads.h"
#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

constexpr int64_t kTileRows = 64;
constexpr int64_t kBoxColumns = 64; // of bf16: 128 bytes
constexpr int64_t kBoxBytes =
    kTileRows * kBoxColumns * 2;    // of a tile, for 64 columns
constexpr int64_t kWarpgroup = 128; // threads

struct AttentionShape : kernels::AttentionHeads {
  // Error, reported at the op, when an H200's kernels do not take queries `q`
  // of such heads.
  static mlir::FailureOr<AttentionShape>
  of(Kernel &k, mlir::Value q, const kernels::AttentionHeads &heads);
  std::string key() const;
  int64_t boxes() const { return (size + kBoxColumns - 1) / kBoxColumns; }
  int64_t tileBytes() const { return boxes() * kBoxBytes; }
  int64_t tokensPerTile() const { return kTileRows / group; }
  // Columns of a head whose gradient a block makes: registers do not hold the
  // sums of more than 128.
  int64_t partColumns() const {
    return size <= 128 ? size : size % 128 == 0 ? 128 : kBoxColumns;
  }
  int64_t parts() const { return (size + partColumns() - 1) / partColumns(); }
};

// Boxes of 64 columns and `boxRows` rows of a matrix of bf16, of any number of
// dimensions: its rows are `columns` elements.
mlir::Value mapOfRows(Kernel &k, mlir::Value buffer, mlir::Value rows,
                      int64_t columns, int64_t boxRows);
// Blocks that surely suffice for a ragged batch whose sequences are cut into
// tiles of that many tokens.
mlir::Value tilesOfBatch(Kernel &k, mlir::Value tokens, mlir::Value sequences,
                         int64_t tokensPerTile);

// Tile `number` of a ragged batch, counted sequence by sequence. All i32.
struct BatchTile {
  mlir::Value found; // i1: there are that many
  mlir::Value sequence;
  mlir::Value begin, end; // tokens of the sequence
  mlir::Value tile;       // in the sequence
};
// `count`: of sequences. To be called by whole warps.
BatchTile findTile(Emitter &b, mlir::Value sequences, mlir::Value count,
                   mlir::Value number, int64_t tokensPerTile);

// Base two: 2^x, relative error 2^-22; 0 for -infinity.
mlir::Value exp2(Emitter &b, mlir::Value x);
mlir::Value lessSigned(Emitter &b, mlir::Value x, mlir::Value y);
// The tile's rows from `from` up to `to` become zeros (i32, of 64), by
// `threads` threads of which this is number `thread`.
void zeroRows(Emitter &b, mlir::Value tile, int64_t boxes, mlir::Value from,
              mlir::Value to, mlir::Value thread, int64_t threads);
// The thread's 64 columns of sums of two rows 8 apart, -infinity in those that
// are not in [lowest, next): signed, for each row, counted from the first
// column of the thread.
mlir::Value maskColumns(Emitter &b, mlir::Value sums, mlir::Value (&lowest)[2],
                        mlir::Value (&next)[2]);
// Fills a tile from rows of `size` elements of bf16 that lie anywhere, 16 bytes
// at a time, by the 128 threads of a warpgroup. `rowAt` gives the row's address
// and whether it is there; one that is not becomes zeros.
void fillTile(
    Emitter &b, mlir::Value tile, int64_t size, mlir::Value thread,
    llvm::function_ref<std::pair<mlir::Value, mlir::Value>(mlir::Value row)>
        rowAt);

// Matrix instructions on tiles of shared memory, by one warpgroup.
class TileMath {
public:
  using Value = mlir::Value;
  explicit TileMath(Emitter &b) : b(b) {}

  // A tile whose rows are m or n and whose columns are k, and one whose columns
  // are m or n and whose rows are k.
  enum Direction { kAlong, kAcross };
  struct Operand {
    Value descriptor;
    Direction direction;
  };
  Operand operand(Value tile, Direction direction);
  // sums += A B over `steps` steps of 16. A: fragments, one a step, or a tile.
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
  Emitter &b;
};

// What a launch reports: a block's rows of scores and the ring's stages.
mlir::DictionaryAttr reportOf(Kernel &k, int64_t rows, int64_t size,
                              int64_t stages);

} // namespace nibble::hopper
