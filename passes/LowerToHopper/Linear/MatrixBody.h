// The body of one matrix kernel, as its parts see it: a producer that fills the
// ring, consumers that multiply, and what becomes of their sums.
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
inline constexpr int64_t kWarpsOfUse = 8;      // that read a stage

// Writes the body.
class Matrix {
public:
  Matrix(Emitter &b, const MatrixSpec &spec, const MatrixArguments &args)
      : b(b), spec(spec), args(args),
        ringType(RingType::get(b.getContext(), spec.stages(), spec.stageBytes(),
                               kWarpsOfUse * spec.sharers)) {}
  void write();

private:
  // Rows of the result that a block makes: with two weights half of those that
  // it multiplies.
  int64_t rowsOfY() const { return spec.swiglu ? kWarpgroupRows : kBlockRows; }
  // Blocks that run side by side are a rectangle of the result, so that they
  // share what they read: some blocks of columns, one row of blocks (of a
  // cluster) after the other. Packed weights are a quarter of bf16 ones, so
  // that fewer columns make a rectangle of which less is read.
  void takeTurns();
  // Nobody reaches into another block before its barriers are there, or after
  // it has ended.
  void meetSharers();

  // The producer.
  void copyBox(mlir::Value map, mlir::Value inner, mlir::Value outer,
               mlir::Value slot, int64_t offset, mlir::Value use);
  void produce();
  // A's box of a stage, or one of each weight.
  void copyRows(mlir::Value slot, mlir::Value k, mlir::Value row,
                mlir::Value use);
  // B's boxes of a stage; with sharers, this block's part of them, to all.
  void copyColumns(mlir::Value slot, mlir::Value step, mlir::Value use);
  // Slabs in a row of them.
  mlir::Value slabsOfRow() {
    return b.ceilDivI(args.k, numerics::kSlabColumns);
  }
  // Number of the slab of a step, in the first or second row of slabs of the
  // block, an i64. The last block of an odd number of slabs has no second one:
  // it takes the first again.
  mlir::Value slabOf(mlir::Value step, mlir::Value half);
  // The scales of a slab stand behind all codes.
  mlir::Value scalesOf(mlir::Value weight, mlir::Value slab);
  // Two slabs, or their halves, and their scales.
  void copySlabs(mlir::Value slot, mlir::Value step, mlir::Value use);
  // First step of a split: in units of 128 columns, so that every kind of
  // operand is cut at the same places.
  mlir::Value splitBegin(mlir::Value split);
  ClusterExchange exchange();

  // The consumers.
  // Descriptor of B's tile in a slot; step s of 16 is at bStep(s) bytes.
  mlir::Value bDescriptor(mlir::Value slot);
  int64_t bStep(int64_t s) const;
  mlir::Value advance(mlir::Value descriptor, int64_t bytes) {
    return b.addI(descriptor, b.i64(bytes / 16));
  }
  mlir::Value multiply(mlir::Value a, mlir::Value bTile, mlir::Value sums);
  void commit() { mlir::NVVM::WgmmaGroupSyncAlignedOp::create(b); }
  mlir::Value fence(mlir::Value sums) {
    return WgmmaFenceOp::create(b, sums.getType(), sums).getResult(0);
  }
  mlir::Value wait(int64_t pending, mlir::Value sums);
  // By every warp for itself: a warp that is ahead says nothing of what another
  // has read. Neither does the arrival of one lane say what the others have
  // read by ordinary loads (PTX ISA, "Memory Consistency Model"), so they must
  // have met (syncWarp) since. That stands before the matrix instructions: here
  // it would make ptxas run those one by one.
  void release(mlir::Value use);
  // The stage before this one of the stream has been read.
  void releaseBefore(mlir::Value use);
  mlir::Value stageOfTiles(mlir::Value use, mlir::Value slot, mlir::Value sums);
  // By each warp for itself. Nearly all scales are small; a warp that has
  // another one takes longer for the stage.
  mlir::Value stageOfWarps(WarpProduct &product, mlir::Value use,
                           mlir::Value slot, mlir::Value sums);
  // Takes a copy of `slab`: what it keeps belongs to one branch.
  mlir::Value productOfWarp(WarpProduct &product, mlir::Value slot,
                            SlabFragments slab, bool small, mlir::Value sums);
  // Two buffers of fragments: while the instructions of one run, the codes of
  // the other become bf16.
  mlir::Value stageOfSlabs(mlir::Value use, mlir::Value slot, bool small,
                           mlir::Value sums);
  mlir::Value areScalesSmall(mlir::Value consumer);
  void consume();
  // One split after the other. What of the sums so far does not fit into
  // registers waits in shared memory, where each thread has its own place.
  mlir::Value sumOfSplits(mlir::Value consumer);
  // The products of the stream's uses [first, end) of the ring, added to what
  // `sums` holds. A loop for small scales and one for others: a branch inside
  // of it would make ptxas run the matrix instructions one by one.
  mlir::Value sumOf(mlir::Value first, mlir::Value end, mlir::Value sums);
  mlir::Value sumOf(mlir::Value first, mlir::Value end, bool small,
                    mlir::Value sums);
  // The column of the thread's pair in each 8 columns.
  mlir::Value pairColumn() { return b.mulI(b.remI(b.thread(), 4), 2); }
  // Visits the thread's pairs of c inside the matrix: index of the first of the
  // two sums, and its address.
  void
  forPairs(llvm::function_ref<void(int64_t, mlir::Value, mlir::Value)> body);
  mlir::Value loadSums();
  void storeSums(mlir::Value sums);
  // Through shared memory, where the ring was, so that rows of y are written 16
  // bytes at a time.
  void storeTokens(mlir::Value sums, mlir::Value consumer);
  // Each block of the cluster adds its part of the rows, in the order of the
  // splits: all send it their sums, [split, row, token].
  void storeReduced(mlir::Value sums, mlir::Value split, mlir::Value consumer);
  // Which block of the cluster finishes this row of the warpgroup, and where it
  // takes its sums: those of up behind those of gate. A block finishes 8 rows
  // or more, so that 8 neighbours go to one.
  std::pair<mlir::Value, mlir::Value> ownerOf(mlir::Value row, int64_t part);
  void storeChunk(mlir::Value staged, mlir::Value token, mlir::Value m,
                  int64_t width);
  // swiglu of the rounded sums, with the bits of the ops one after another.
  mlir::Value paired(mlir::Value gate, mlir::Value up);
  // Bias and residual, and to memory.
  void finishChunk(mlir::Value value, mlir::Value token, mlir::Value m,
                   int64_t width);
  Emitter &b;
  const MatrixSpec &spec;
  const MatrixArguments &args;
  RingType ringType;
  mlir::Value ring, steps;
  mlir::Value group,
      stream; // of a consumer: which 64 rows, which of the block's splits
  mlir::Value smallScales; // of a consumer, i1: those of the block's rows all
                           // are; null where that is not asked
  mlir::Value columnBlock;
  mlir::Value rowBlock, rank; // rank: of the block in its cluster
};

} // namespace nibble::hopper
