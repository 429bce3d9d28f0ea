// The one shape of matrix kernel: D[m, n] = sum over k of A[m, k] B[n, k], bf16
// with float32 sums.
//
// A block makes 128 rows of m (consumer warpgroups of 64) and `tile` columns of
// n; a producer thread fills a ring of stages of k. One wgmma m64n<tile>k16
// after another (or mma.sync, which has the same bits), k ascending inside a
// split of k; the sums of the splits are added in their order, to 0. How many
// splits there are is a function of m and k (splitsOf), so the order of sums is
// one too (N10, N12), whatever the tile. With few columns splits run side by
// side: two in a block, which take turns in its ring and keep the schedulers
// busy, and the blocks of a cluster; with many columns a block makes one after
// the other, of 256 columns with a part of the sums so far in shared memory.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

inline constexpr int64_t kBlockRows = 128; // of m in a block

// Where an operand of the product comes from.
enum class Operand {
  kRows,       // [m or n, k], contiguous along k
  kTransposed, // [k, m or n], contiguous along m or n
  kPacked,     // INT4 slabs of layout hopper (A only)
};

enum class Result {
  kTokens, // y[n, m], rounded to the element type; bias and residual added as
           // separate rounded sums
  kAccumulate, // c[m, n] += D, float32: the sums start at c
};

struct MatrixSpec {
  Operand a = Operand::kRows, b = Operand::kRows;
  Result result = Result::kTokens;
  int64_t tile = 128; // columns of n in a block: 8, 16, 32, 64, 128 or 256
  int64_t scalesPerSlabRow = 1; // of kPacked
  int64_t splits = 1;           // of k; of kTokens
  int64_t givenStages = 0;      // 0: as many as fit and help
  mlir::Type element;           // of kTokens: bf16 or f32
  bool bias = false, residual = false;
  // y is swiglu(x aT, x pairedAT), [n, m]: one warpgroup has 64 rows of `a`,
  // the other the same rows of `pairedA`. Only for kTokens of bf16 without bias
  // and residual. Splits are those of `a` by itself.
  bool swiglu = false;
  // The weight is complete before the previous kernel starts, so its first
  // stages are fetched while that still runs (programmatic dependent launch).
  // Only for kPacked.
  bool early = false;
  bool wholeRows = true; // m is a multiple of 8: rows of y are 16-byte aligned
  // Splits of a tile of 64 run side by side, as with fewer columns.
  bool beside = false;
  // Blocks, a cluster, of neighbouring rows of m: each fetches its part of B
  // and sends it to all. 1, or 2 of tiles of 128 and 256.
  int64_t sharers = 1;

  // Columns of k in a stage, and in what it is all or half of (a slab).
  int64_t stageDepth() const {
    return a == Operand::kPacked && tile <= 128 ? 128 : 64;
  }
  int64_t unitDepth() const { return a == Operand::kPacked ? 128 : 64; }
  int64_t codeBytes() const;  // of kPacked: bytes of a slab's codes in a stage
  int64_t aBytes() const;     // of a stage, a multiple of 1024
  int64_t scaleBytes() const; // of kPacked: bytes of a slab's scales
  int64_t bBytes() const { return tile * stageDepth() * 2; }
  int64_t stageBytes() const { return aBytes() + bBytes(); }
  int64_t stages() const;
  // Splits side by side, and how many of them in a block.
  bool sideBySide() const { return splits > 1 && (tile <= 32 || beside); }
  int64_t streams() const { return sideBySide() ? 2 : 1; }
  int64_t cluster() const {
    return sideBySide() ? splits / streams() : sharers;
  }
  int64_t consumers() const { return 256 * streams(); } // threads
  // Two blocks of a few columns share an SM: one fetches while the other, of
  // the kernel before, computes.
  int64_t blocksPerSM() const {
    return result == Result::kTokens &&
                   (tile <= 16 || (tile <= 32 && splits == 1))
               ? 2
               : 1;
  }
  // Bytes of sums that a block receives from those of all splits.
  int64_t exchangedBytes() const {
    return sideBySide() ? streams() * 128 * tile * 4 : 0;
  }
  // Products by mma.sync of each warp: the bits of wgmma, in less time where
  // columns are few and A is in registers.
  bool byWarps() const { return a == Operand::kPacked && tile <= 16; }
  int64_t ringBytes() const { return stages() * (stageBytes() + 16); }
  // How many of a thread's tile / 2 sums wait in shared memory while a block
  // makes one split after the other, a multiple of 4; and where.
  int64_t totalsInShared() const;
  int64_t totalsAt() const { return ringBytes(); }
  // Whether a block first looks whether all its scales are small, and where its
  // warps say so. Only for kPacked by warpgroups.
  bool choosesDecode() const {
    return a == Operand::kPacked && !byWarps() && scalesPerSlabRow <= 4;
  }
  int64_t flagsAt() const;
  int64_t sharedBytes() const;
  std::string key() const;
};

// Splits of k (1, 2, 4 or 8), of 512 columns at least: those with which the
// busiest of so many SMs has the least to do when columns are few.
int64_t splitsOf(int64_t m, int64_t k, int64_t sms);

// Values of a launch: what the body gets, in this order.
struct MatrixArguments {
  // Tensor map (kRows: box [64, 128], with pairedA [64, 64]; kTransposed: box
  // [64, 64]), or the packed bytes.
  mlir::Value a, pairedA; // pairedA: of swiglu, else null
  mlir::Value b; // tensor map (kRows: box [64, tile / sharers]; kTransposed:
                 // box [64, 64])
  mlir::Value result;         // y or c
  mlir::Value bias, residual; // null when there are none
  mlir::Value m, n, k;        // extents
};

// Blocks that share B, of a product of m rows in tiles of so many columns.
int64_t sharersOf(int64_t m, int64_t tile);

// Launches the product over a grid of (m / 128, of swiglu m / 64, n / tile)
// blocks; `columnBlocks` says how many there are along n.
void launchMatrix(Kernel &kernel, const MatrixSpec &spec,
                  const MatrixArguments &arguments, mlir::Value columnBlocks);

} // namespace nibble::hopper
