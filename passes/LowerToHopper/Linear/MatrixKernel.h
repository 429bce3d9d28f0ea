// The matrix kernel: D[m, n] = sum over k of A[m, k] B[n, k], bf16 with float32
// sums.
//
// A block computes a tile of 128 rows of m, by consumer warpgroups of 64 rows,
// and `tile` columns of n. A producer thread fills a ring of stages along k.
// The consumers issue wgmma m64n<tile>k16, or mma.sync with the same bits, with
// k ascending inside a split of k. The sums of the splits are added in order,
// starting at 0. The number of splits is a function of m and k (splitsOf). So
// the order of sums depends on m and k only, whatever the tile (N10, N12).
//
// With few columns the splits run side by side. Two of them share a block,
// where they take turns in the ring and keep the schedulers busy; the others
// are in further blocks of the cluster. With many columns a block computes one
// split after the other. With 256 columns it keeps a part of the running totals
// in shared memory.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

inline constexpr int64_t kBlockRows = 128; // of m in a block

// Layout of an operand of the product.
enum class Operand {
  kRows,       // [m or n, k], contiguous along k
  kTransposed, // [k, m or n], contiguous along m or n
  kPacked,     // slabs of layout hopper (A only)
};

enum class Result {
  // y[n, m], rounded to the element type; bias and residual are added as
  // separate rounded sums.
  kTokens,
  // c[m, n] += D, float32: the sums start at c.
  kAccumulate,
};

struct MatrixSpec {
  Operand a = Operand::kRows, b = Operand::kRows;
  Result result = Result::kTokens;
  int64_t tile = 128;     // columns of n in a block: 8, 16, 32, 64, 128 or 256
  qat::SchemeAttr scheme; // for kPacked
  int64_t scalesPerSlabRow = 1; // for kPacked
  int64_t splits = 1;           // along k, for kTokens
  int64_t givenStages = 0;      // 0: as many as fit and help
  mlir::Type element;           // for kTokens: bf16 or f32
  bool bias = false, residual = false;
  // y = swiglu(x aT, x pairedAT), [n, m]: one warpgroup has 64 rows of `a`, the
  // other the same rows of `pairedA`. Only for kTokens of bf16 without bias and
  // residual. The splits are those of `a` alone.
  bool swiglu = false;
  // The weight is complete before the previous kernel starts, so its first
  // stages are fetched while that still runs (programmatic dependent launch).
  // Only for kPacked.
  bool early = false;
  bool wholeRows = true; // m is a multiple of 8: rows of y are 16-byte aligned
  // Whether splits of a tile of 64 run side by side, as with fewer columns.
  bool beside = false;
  // Blocks of a cluster with neighbouring rows of m that share B: each fetches
  // its part and sends it to all. 1, or 2 with tiles of 128 and 256.
  int64_t sharers = 1;

  // Columns of k in a stage, and in a slab, which is one stage or two.
  int64_t stageDepth() const {
    return a == Operand::kPacked && tile <= 128 ? 128 : 64;
  }
  int64_t unitDepth() const { return a == Operand::kPacked ? 128 : 64; }
  int64_t codeBytes() const;  // of a slab's codes in a stage, for kPacked
  int64_t aBytes() const;     // of a stage, a multiple of 1024
  int64_t scaleBytes() const; // of a slab's scales, for kPacked
  int64_t bBytes() const { return tile * stageDepth() * 2; }
  int64_t stageBytes() const { return aBytes() + bBytes(); }
  int64_t stages() const;
  // Whether splits run side by side, and how many of them are in a block.
  bool sideBySide() const { return splits > 1 && (tile <= 32 || beside); }
  int64_t streams() const { return sideBySide() ? 2 : 1; }
  int64_t cluster() const {
    return sideBySide() ? splits / streams() : sharers;
  }
  int64_t consumers() const { return 256 * streams(); } // threads
  // Two blocks with few columns share an SM: while a block of the previous
  // kernel computes, the next one prefetches.
  int64_t blocksPerSM() const {
    return result == Result::kTokens &&
                   (tile <= 16 || (tile <= 32 && splits == 1))
               ? 2
               : 1;
  }
  // Bytes of partial sums, of all splits, that a block receives.
  int64_t exchangedBytes() const {
    return sideBySide() ? streams() * 128 * tile * 4 : 0;
  }
  // Whether each warp multiplies by mma.sync. The bits are those of wgmma, and
  // it is faster with few columns and A in registers.
  bool byWarps() const { return a == Operand::kPacked && tile <= 16; }
  int64_t ringBytes() const { return stages() * (stageBytes() + 16); }
  // How many of a thread's tile / 2 totals are kept in shared memory while a
  // block computes one split after the other; a multiple of 4. And their
  // offset.
  int64_t totalsInShared() const;
  int64_t totalsAt() const { return ringBytes(); }
  // Whether codes under small scales are decoded in fewer instructions
  // (hopper.dequantize_small).
  bool hasSmallDecode() const {
    return a == Operand::kPacked &&
           scheme.row().codeType == numerics::CodeType::kInteger;
  }
  // Whether a block first checks that all its scales are small, and where its
  // warps write their answers. Only by warpgroups.
  bool choosesDecode() const {
    return hasSmallDecode() && !byWarps() && scalesPerSlabRow <= 4;
  }
  int64_t flagsAt() const;
  int64_t sharedBytes() const;
  std::string key() const;
};

// The number of splits of k: 1, 2, 4 or 8, each of at least 512 columns. With
// few tokens it minimizes the work of the busiest of `sms` SMs.
int64_t splitsOf(int64_t m, int64_t k, int64_t sms);

// Values of a launch, in the order of the body's arguments.
struct MatrixArguments {
  // Tensor map (kRows: box [64, 128], or [64, 64] with pairedA; kTransposed:
  // box [64, 64]), or the packed bytes. pairedA is null without swiglu.
  mlir::Value a, pairedA;
  // Tensor map (kRows: box [64, tile / sharers]; kTransposed: box [64, 64]).
  mlir::Value b;
  mlir::Value result;         // y or c
  mlir::Value bias, residual; // null when there are none
  mlir::Value m, n, k;        // extents
};

// The number of blocks that share B, for a product of m rows in tiles of `tile`
// columns.
int64_t sharersOf(int64_t m, int64_t tile);

// Launches the product over a grid of (m / 128, n / tile) blocks; swiglu has m
// / 64. `columnBlocks` is the number of blocks along n.
void launchMatrix(Kernel &kernel, const MatrixSpec &spec,
                  const MatrixArguments &arguments, mlir::Value columnBlocks);

} // namespace nibble::hopper
