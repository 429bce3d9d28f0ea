// Readers of a weight [N, K] in any storage: bf16, float32, or codes and
// scales.
//
// All readers return sixteen consecutive elements of one row as float32 lanes
// with the values of N5. So the loops that use them are the same for every kind
// of weight.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToHost/Emit/Kernels.h"

namespace nibble::host {

// Steps of one block of the host layout: eight steps of sixteen lanes.
inline constexpr int64_t kBlockSteps = 8;
inline constexpr int64_t kBlock = kBlockSteps * kLanes;

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Vectors of any width; integers are signless.
mlir::Value splatInteger(Emitter &b, int64_t value, int64_t width = kLanes,
                         unsigned bits = 32);
// bf16(x), rounded to nearest even by integer arithmetic, as a float32 whose
// lower half is zero. For finite numbers, infinities, and NaN with a zero lower
// half.
mlir::Value roundLanesToBf16(Emitter &b, mlir::Value lanes);
// A buffer of the current iteration on its stack, aligned to 64 bytes.
mlir::Value localBuffer(Emitter &b, llvm::ArrayRef<int64_t> shape,
                        mlir::Type elementType);
// Loads `width` bytes at `offset` of a memref<?xi8> as a vector of `type`.
mlir::Value loadBytes(Emitter &b, mlir::Value bytes, mlir::Value offset,
                      mlir::VectorType type);

// Codes and scales in the bytes of a packed weight (!qat.packed).
// lib/Numerics/pack.h describes the same layout in plain C++.
struct PackedCodes {
  qat::PackedType type;
  mlir::Value bytes; // memref<?xi8>

  const numerics::SchemeRow &schemeRow() const {
    return type.getScheme().row();
  }
  int64_t n() const { return type.getN(); }
  int64_t k() const { return type.getK(); }
  // Lanes of a row's last step.
  int64_t lastLanes() const { return k() % kLanes ? k() % kLanes : kLanes; }
  // Scales of one row. scaleIndex gives the scale of element (row, 128 block +
  // 16 step).
  int64_t groups() const { return type.getScheme().groupsPerRow(k()); }
  mlir::Value scaleIndex(Emitter &b, mlir::Value row, mlir::Value block,
                         int64_t step) const;
  // Steps of a block that share a scale.
  int64_t stepsPerGroup() const;
  // Whether a step of a block is the first one with its scale.
  bool beginsGroup(int64_t step) const {
    return !schemeRow().inBlocks && step % stepsPerGroup() == 0;
  }
  // The scale as float32.
  mlir::Value scale(Emitter &b, mlir::Value index) const;
  // Codes of steps [first, first + count) of block `block` of `row`, each
  // vector<16xi32>, as memory holds them. Codes of four bits are in the low
  // bits, with arbitrary bits above; integers of eight bits are sign-extended.
  // `lanes` are the valid lanes of the last step.
  llvm::SmallVector<mlir::Value> codes(Emitter &b, mlir::Value row,
                                       mlir::Value block, int64_t first,
                                       int64_t count, int64_t lanes) const;
};

class WeightReader {
public:
  // Fails, with an error on the op, for a weight with dynamic extents.
  static llvm::FailureOr<WeightReader> create(Kernel &kernel,
                                              mlir::Value weight);

  int64_t n() const { return rows_; }
  int64_t k() const { return columns_; }
  int64_t steps() const { return ceilDiv(columns_, kLanes); }
  int64_t lastLanes() const {
    return columns_ % kLanes ? columns_ % kLanes : kLanes;
  }

  // Reads steps [first, first + count) of block `block` of `row`, both indices:
  // consume(step, vector<16xf32>) in ascending order. With `isEnd` the last of
  // them is the last of the row, and its lanes beyond K are +0.
  void
  read(Emitter &b, mlir::Value row, mlir::Value block, int64_t first,
       int64_t count, bool isEnd,
       llvm::function_ref<void(int64_t step, mlir::Value lanes)> consume) const;

  // Reads steps [0, count) of block `block` of several rows together:
  // consume(step, one vector<16xf32> per row). Codes may be read only when
  // hasOrdinaryScales holds.
  void readTogether(
      Emitter &b, llvm::ArrayRef<mlir::Value> rows, mlir::Value block,
      int64_t count, bool isEnd,
      llvm::function_ref<void(int64_t step, llvm::ArrayRef<mlir::Value> lanes)>
          consume) const;
  // Prefetches the codes of block `block` of `row`, or of the last row if there
  // is no such row. Rows that come next arrive while the current ones are
  // processed; the core's own prefetcher stops at the end of each row.
  void prefetch(Emitter &b, mlir::Value row, mlir::Value block) const;
  // i1: whether all scales of rows [first, end) allow values to be computed by
  // multiplications (see ordinaryTable). Null when every scale does, or when
  // the weight has no such scales.
  mlir::Value hasOrdinaryScales(Emitter &b, mlir::Value first,
                                mlir::Value end) const;

private:
  // What decodes the codes of a group under a scalar scale: a table of the
  // sixteen values of codes of four bits, or the scale in each lane. `ordinary`
  // says that the scale is known to be so (see ordinaryTable).
  mlir::Value groupOf(Emitter &b, mlir::Value scale, bool ordinary) const;
  // Decodes sixteen lanes of codes with groupOf their scale.
  mlir::Value decode(Emitter &b, mlir::Value codes, mlir::Value group) const;
  mlir::Value maskTail(Emitter &b, mlir::Value lanes, int64_t last) const;

  mlir::Value memory_;
  qat::PackedType packed_; // null for a plain weight
  int64_t rows_ = 0, columns_ = 0;
};

} // namespace nibble::host
