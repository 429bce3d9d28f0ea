// An SSA value while the reference runs: a scalar, a tensor or a packed weight,
// held as float64 or int64.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

#include <string>
#include <vector>

namespace nibble {

struct ReferenceValue {
  // The type in the IR. Extents that it leaves dynamic are known in `shape`.
  mlir::Type type;
  // Extents of a tensor; empty for a scalar; [N, K] for a packed weight.
  llvm::SmallVector<int64_t> shape;
  // Elements of a float type, row-major. A packed weight holds the scales that
  // decode it here, [N, K/G], or one for each block.
  std::vector<double> reals;
  // Elements of an integer or index type, row-major, sign-extended (i1: 0 or
  // 1). A packed weight holds its codes [N, K] here; codes that are no integers
  // are their bits.
  std::vector<int64_t> integers;

  // Element type of a tensor, the type itself of a scalar.
  mlir::Type elementType() const { return mlir::getElementTypeOrSelf(type); }
  bool isReal() const { return llvm::isa<mlir::FloatType>(elementType()); }
  // Elements of a tensor or scalar; N*K of a packed weight.
  int64_t count() const;
  // Product of the extents from dimension `first` on.
  int64_t countFrom(size_t first) const;
  int64_t extent(size_t dimension) const { return shape[dimension]; }

  // Element [i, j] of a float matrix.
  double operator()(int64_t i, int64_t j) const {
    return reals[i * shape[1] + j];
  }
  double &operator()(int64_t i, int64_t j) { return reals[i * shape[1] + j]; }

  // A float tensor; `elements` are rounded to `element` (f32, bf16, f64).
  static ReferenceValue tensor(llvm::ArrayRef<int64_t> shape,
                               mlir::Type element,
                               llvm::ArrayRef<double> elements);
  // An integer tensor.
  static ReferenceValue integerTensor(llvm::ArrayRef<int64_t> shape,
                                      mlir::Type element,
                                      llvm::ArrayRef<int64_t> elements);
  // All zero; a packed weight has codes and scales 0. `shape` is used only for
  // dynamic extents of the type.
  static ReferenceValue zero(mlir::Type type,
                             llvm::ArrayRef<int64_t> shape = {});
};

// `value` rounded to a float type: to nearest, ties to even, for f32, bf16 and
// f16; unchanged for f64. A bf16 is rounded through float32, because kernels
// accumulate in float32.
double roundTo(double value, mlir::Type element);

// `value` truncated to the width of an integer type and sign-extended. i1
// becomes 0 or 1; index is unchanged.
int64_t wrapTo(int64_t value, mlir::Type element);

// |actual - expected| / |expected| in Euclidean norms over all elements (0 when
// both are 0). Infinity when shapes differ or any element is NaN or infinite.
double relativeError(llvm::ArrayRef<double> actual,
                     llvm::ArrayRef<double> expected);
double relativeError(const ReferenceValue &actual,
                     const ReferenceValue &expected);

// "tensor<2x2xf32> [1, 2, 3, 4]" with at most `limit` elements, for messages of
// tests.
std::string toString(const ReferenceValue &value, int64_t limit = 16);

} // namespace nibble
