// Matches sums of products, as one linalg op or with the products in an op of
// their own.
#pragma once

#include "lib/Frontend/Linalg/WeightSource.h"

namespace nibble {

// init + the sum of the products of two tensors, and nothing else.
struct SumOfProducts {
  std::array<TensorRead, 2> sides; // by the loops of the op that sums
  mlir::AffineMap resultMap;
  mlir::Value init;
  bool isApart = false;  // an elementwise op before it computes the products
  bool isShared = false; // other ops read those products too
};
std::optional<SumOfProducts> matchSumOfProducts(mlir::linalg::LinalgOp op);

// One factor of the products that an op sums: the tensors that it is computed
// from, each read by the loops of that op. A tensor that is itself a product is
// replaced by its factors, unless it is made of parameters alone.
struct Factor {
  llvm::SmallVector<TensorRead, 1> reads;
};
// Empty for an op that does not sum products. Conversions, reshapes and other
// changes of operands and products are skipped.
llvm::SmallVector<Factor> factorsOf(mlir::linalg::LinalgOp sum,
                                    const ParameterArguments &parameters);

} // namespace nibble
