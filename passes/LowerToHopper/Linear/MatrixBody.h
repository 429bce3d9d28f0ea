// The body of one matrix kernel: a producer that fills the ring, consumers that
// multiply, and the epilogue of their sums.
#pragma once

#include "lib/Numerics/fragment.h"
#include "passes/LowerToHopper/Linear/ClusterExchange.h"
#include "passes/LowerToHopper/Linear/MatrixKernel.h"
#include "passes/LowerToHopper/Linear/SlabFragments.h"
#include "passes/LowerToHopper/Linear/WarpProduct.h"

namespace nibble::hopper {

inline constexpr int64_t kWarpgroupRows = 64;  // of m in an instruction
inline constexpr int64_t kStep = 16;           // of k in an instruction
inline constexpr int64_t kBoxBytes = 64 * 128; // 64 rows of 64 bf16
inline constexpr int64_t kWarpsOfUse = 8;      // warps that read a stage

// Emits the body.
class Matrix {
public:
  Matrix(Emitter &b, const MatrixSpec &spec, const MatrixArguments &args)
      : b_(b), spec_(spec), args_(args),
        ringType_(RingType::get(b.getContext(), spec.stages(),
                                spec.stageBytes(),
                                kWarpsOfUse * spec.sharers)) {}
  void write();

private:
  // Rows of the result per block. With two weights they are half of the rows
  // that it multiplies.
  int64_t rowsOfY() const { return spec_.swiglu ? kWarpgroupRows : kBlockRows; }
  // Maps block numbers to tiles. Blocks that run at the same time cover a
  // rectangle of the result, so that they share inputs. Their order is some
  // column blocks of one row of blocks (of a cluster), then of the next row.
  // Packed weights are a quarter of the size of bf16 ones, so a rectangle with
  // fewer columns reads less.
  void takeTurns();
  // Synchronizes the sharers: a block accesses another one only after its
  // barriers are initialized and before it ends.
  void meetSharers();

  // The producer.
  void copyBox(mlir::Value map, mlir::Value inner, mlir::Value outer,
               mlir::Value slot, int64_t offset, mlir::Value use);
  void produce();
  // A's box of a stage, or one box of each weight.
  void copyRows(mlir::Value slot, mlir::Value k, mlir::Value row,
                mlir::Value use);
  // B's boxes of a stage. With sharers, this block's part of them goes to all.
  void copyColumns(mlir::Value slot, mlir::Value step, mlir::Value use);
  // The number of slabs along k.
  mlir::Value slabsOfRow() {
    return b_.ceilDivI(args_.k, numerics::kSlabColumns);
  }
  // The number of the slab of a step, in the first or second row of slabs of
  // the block, as an i64. The last block of an odd number of slab rows has no
  // second row and reads the first again.
  mlir::Value slabOf(mlir::Value step, mlir::Value half);
  // The scales of all slabs follow all codes.
  mlir::Value scalesOf(mlir::Value weight, mlir::Value slab);
  // Copies two slabs, or their halves, and their scales.
  void copySlabs(mlir::Value slot, mlir::Value step, mlir::Value use);
  // The first step of a split. Splits are in units of 128 columns, so that
  // every kind of operand is split at the same places.
  mlir::Value splitBegin(mlir::Value split);
  ClusterExchange exchange();

  // The consumers.
  // The descriptor of B's tile in a slot. Step s of 16 k is at bStep(s) bytes.
  mlir::Value bDescriptor(mlir::Value slot);
  int64_t bStep(int64_t s) const;
  mlir::Value advance(mlir::Value descriptor, int64_t bytes) {
    return b_.addI(descriptor, b_.i64(bytes / 16));
  }
  mlir::Value multiply(mlir::Value a, mlir::Value bTile, mlir::Value sums);
  void commit() { mlir::NVVM::WgmmaGroupSyncAlignedOp::create(b_); }
  mlir::Value fence(mlir::Value sums) {
    return WgmmaFenceOp::create(b_, sums.getType(), sums).getResult(0);
  }
  mlir::Value wait(int64_t pending, mlir::Value sums);
  // Releases a stage; every warp does it for itself, because a warp that is
  // ahead knows nothing about the reads of others. One lane's arrival does not
  // cover ordinary loads of the other lanes either (PTX ISA, "Memory
  // Consistency Model"). So the lanes must have synchronized (syncWarp) since.
  // That happens before the matrix instructions, because here it would make
  // ptxas serialize them.
  void release(mlir::Value use);
  // Releases the stage before this one of the stream.
  void releaseBefore(mlir::Value use);
  mlir::Value stageOfTiles(mlir::Value use, mlir::Value slot, mlir::Value sums);
  // Each warp chooses the decode itself. Nearly all scales are small; a warp
  // with other scales takes longer for the stage.
  mlir::Value stageOfWarps(WarpProduct &product, mlir::Value use,
                           mlir::Value slot, mlir::Value sums);
  // Takes a copy of `slab`, because the values that it caches belong to one
  // branch.
  mlir::Value productOfWarp(WarpProduct &product, mlir::Value slot,
                            SlabFragments slab, bool small, mlir::Value sums);
  // Uses two buffers of fragments: while the instructions of one run, the codes
  // of the other are decoded to bf16.
  mlir::Value stageOfSlabs(mlir::Value use, mlir::Value slot, bool small,
                           mlir::Value sums);
  mlir::Value areScalesSmall(mlir::Value consumer);
  void consume();
  // Sums one split after the other. Totals that do not fit into registers are
  // kept in shared memory, where each thread has its own place.
  mlir::Value sumOfSplits(mlir::Value consumer);
  // Adds the products of the uses [first, end) of the stream to `sums`. There
  // is one loop for small scales and one for others, because a branch inside of
  // a loop would make ptxas serialize the matrix instructions.
  mlir::Value sumOf(mlir::Value first, mlir::Value end, mlir::Value sums);
  mlir::Value sumOf(mlir::Value first, mlir::Value end, bool small,
                    mlir::Value sums);
  // The column of the thread's pair in each 8 columns.
  mlir::Value pairColumn() { return b_.mulI(b_.remI(b_.thread(), 4), 2); }
  // Visits the thread's pairs of c inside of the matrix, with the index of the
  // first of the two sums and its address.
  void
  forPairs(llvm::function_ref<void(int64_t, mlir::Value, mlir::Value)> body);
  mlir::Value loadSums();
  void storeSums(mlir::Value sums);
  // Stages rows of y in shared memory, in place of the ring, so that they are
  // written 16 bytes at a time.
  void storeTokens(mlir::Value sums, mlir::Value consumer);
  // Each block of the cluster reduces its part of the rows, in the order of the
  // splits. All blocks send it their sums, [split, row, token].
  void storeReduced(mlir::Value sums, mlir::Value split, mlir::Value consumer);
  // The block of the cluster that finishes this row of the warpgroup, and where
  // it receives the sums; those of `up` follow those of `gate`. A block
  // finishes at least 8 rows, so that 8 neighbours go to one block.
  std::pair<mlir::Value, mlir::Value> ownerOf(mlir::Value row, int64_t part);
  void storeChunk(mlir::Value staged, mlir::Value token, mlir::Value m,
                  int64_t width);
  // swiglu of the rounded sums, with the bits of the separate ops.
  mlir::Value paired(mlir::Value gate, mlir::Value up);
  // Adds bias and residual, and stores.
  void finishChunk(mlir::Value value, mlir::Value token, mlir::Value m,
                   int64_t width);
  Emitter &b_;
  const MatrixSpec &spec_;
  const MatrixArguments &args_;
  RingType ringType_;
  mlir::Value ring_, steps_;
  // The consumer's 64 rows, and its split in the block.
  mlir::Value group_, stream_;
  // For consumers, i1: whether all scales of the block's rows are small; null
  // when the kernel does not check.
  mlir::Value smallScales_;
  mlir::Value columnBlock_;
  mlir::Value rowBlock_, rank_; // rank: the block's number in its cluster
};

} // namespace nibble::hopper
