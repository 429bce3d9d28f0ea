// Reading a weight [N, K], whatever it is stored as: bf16, float32, or codes
// and scales.
//
// All readers hand out sixteen consecutive elements of one row as float32
// lanes, the values of N5, so that the loops above them are the same for each
// kind of weight.
#pragma once

#include "dialects/QAT/QAT.h"
#include "passes/LowerToHost/Emit/Kernels.h"

namespace nibble::host {

// Elements of one block of the host layout: eight steps of sixteen lanes.
inline constexpr int64_t kBlockSteps = 8;
inline constexpr int64_t kBlock = kBlockSteps * kLanes;

inline int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Vectors of any width; integers are signless.
mlir::Value splatInteger(Emitter &b, int64_t value, int64_t width = kLanes,
                         unsigned bits = 32);
// bf16(x) as a float32 whose lower half is zero, round to nearest even, by
// integer arithmetic. For finite numbers, infinities and NaN whose lower half
// is zero.
mlir::Value roundLanesToBf16(Emitter &b, mlir::Value lanes);
// A buffer of the running iteration, 64-byte aligned, on its stack.
mlir::Value localBuffer(Emitter &b, llvm::ArrayRef<int64_t> shape,
                        mlir::Type elementType);
// `width` bytes from `offset` of a memref<?xi8> as a vector of `type`.
mlir::Value loadBytes(Emitter &b, mlir::Value bytes, mlir::Value offset,
                      mlir::VectorType type);

// Codes and scales of a packed weight in its bytes (!qat.packed;
// lib/Numerics/pack.h says the same in plain C++).
struct PackedCodes {
  qat::PackedType type;
  mlir::Value bytes; // memref<?xi8>

  int64_t n() const { return type.getN(); }
  int64_t k() const { return type.getK(); }
  // Lanes of a row's last step.
  int64_t lastLanes() const { return k() % kLanes ? k() % kLanes : kLanes; }
  // Scales of one row; element (row, 128 block + 16 step) is scaled by
  // scaleIndex.
  int64_t groups() const { return type.getScheme().groupsPerRow(k()); }
  mlir::Value scaleIndex(Emitter &b, mlir::Value row, mlir::Value block,
                         int64_t step) const;
  // Steps of a block that share a scale.
  int64_t stepsPerGroup() const;
  // Whether a step of a block is the first under its scale.
  bool beginsGroup(int64_t step) const {
    return type.getScheme().getKind() != qat::Kind::kFp8 &&
           step % stepsPerGroup() == 0;
  }
  // The scale, float32.
  mlir::Value scale(Emitter &b, mlir::Value index) const;
  // Codes of steps [first, first + count) of block `block` of `row`, each
  // vector<16xi32>; of int4 u = q + 8 in the low four bits with anything above
  // them; of int8 q; of fp8 the E4M3 byte. `lanes` are the valid lanes of the
  // last step.
  llvm::SmallVector<mlir::Value> codes(Emitter &b, mlir::Value row,
                                       mlir::Value block, int64_t first,
                                       int64_t count, int64_t lanes) const;
};

class WeightReader {
public:
  // Fails, with an error on the op, for weights whose extents are not known.
  static llvm::FailureOr<WeightReader> create(Kernel &kernel,
                                              mlir::Value weight);

  int64_t n() const { return rows; }
  int64_t k() const { return columns; }
  int64_t steps() const { return ceilDiv(columns, kLanes); }
  int64_t lastLanes() const {
    return columns % kLanes ? columns % kLanes : kLanes;
  }

  // Reads steps [first, first + count) of block `block` (an index) of `row` (an
  // index): consume(step, vector<16xf32>) in ascending order. `isEnd`: the last
  // of them is the last of the row; its lanes beyond K are +0.
  void
  read(Emitter &b, mlir::Value row, mlir::Value block, int64_t first,
       int64_t count, bool isEnd,
       llvm::function_ref<void(int64_t step, mlir::Value lanes)> consume) const;

  // Steps [0, count) of block `block` of several rows side by side:
  // consume(step, a vector<16xf32> for each row). Of codes only where
  // hasOrdinaryScales.
  void readTogether(
      Emitter &b, llvm::ArrayRef<mlir::Value> rows, mlir::Value block,
      int64_t count, bool isEnd,
      llvm::function_ref<void(int64_t step, llvm::ArrayRef<mlir::Value> lanes)>
          consume) const;
  // Asks memory for the codes of block `block` of `row` (the last row when
  // there is no such row): rows that are worked on next arrive while the
  // present ones are. What a core finds by itself ends at each row.
  void prefetch(Emitter &b, mlir::Value row, mlir::Value block) const;
  // i1: every scale of rows [first, end) lets the values be computed by
  // multiplications (see ordinaryTable). Null when there is nothing to ask.
  mlir::Value hasOrdinaryScales(Emitter &b, mlir::Value first,
                                mlir::Value end) const;

private:
  // Sixteen lanes of codes, under the table (int4) or the scale (int8, fp8) of
  // their group.
  mlir::Value decode(Emitter &b, mlir::Value codes, mlir::Value group) const;
  mlir::Value maskTail(Emitter &b, mlir::Value lanes, int64_t last) const;

  mlir::Value memory;
  qat::PackedType packed; // null for a plain weight
  int64_t rows = 0, columns = 0;
};

} // namespace nibble::host
