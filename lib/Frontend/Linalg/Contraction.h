// A linalg op seen as y[..., n] = init + sum_k x[..., k] w[n, k] with a parameter w.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nibble {

struct Contraction {
  mlir::Value x;                 // [..., K]
  mlir::BlockArgument parameter; // [N, K], or [K, N] when `turned`
  bool turned = false;
  mlir::Value init; // null when it is zero
};

// `op` as a contraction with a parameter on its right side; else the reason why not. A value is a parameter when it is
// a function argument with nn.parameter, or such a one transposed or broadcast.
mlir::FailureOr<Contraction> matchContraction(mlir::linalg::LinalgOp op, std::string &reason);

} // namespace nibble
