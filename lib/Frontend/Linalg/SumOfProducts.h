// Sums of products, as one linalg op or with the products in an op of their
// own.
#pragma once

#include "lib/Frontend/Linalg/WeightSource.h"

namespace nibble {

// init + the sum of the products of two tensors, and nothing else.
struct SumOfProducts {
  std::array<TensorRead, 2> sides; // by the loops of the op that adds up
  mlir::AffineMap resultMap;
  mlir::Value init;
  bool isApart = false;  // the products are elementwise and in an op before
  bool isShared = false; // others read those products too
};
std::optional<SumOfProducts> matchSumOfProducts(mlir::linalg::LinalgOp op);

// One factor of the products that an op adds up: the tensors that it is
// computed from, each read by the loops of that op. A tensor that is itself a
// product stands as its factors, but for one that is made of parameters alone.
struct Factor {
  llvm::SmallVector<TensorRead, 1> reads;
};
// Empty for what adds no products up. Conversions, reshapes and whatever else
// is done to operands and to products are passed over.
llvm::SmallVector<Factor> factorsOf(mlir::linalg::LinalgOp sum,
                                    const ParameterArguments &parameters);

} // namespace nibble
