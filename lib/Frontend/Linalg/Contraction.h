// Matches a linalg op with y[..., n] = init + sum_k x[..., k] w[n, k] for a
// parameter w.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"

namespace nibble {

// The function arguments that are parameters: those with nn.parameter, and
// arguments of private functions to which every call passes a parameter.
class ParameterArguments {
public:
  explicit ParameterArguments(mlir::ModuleOp module);
  bool contains(mlir::BlockArgument argument) const {
    return arguments_.contains(argument);
  }

private:
  llvm::DenseSet<mlir::BlockArgument> arguments_;
};

struct Contraction {
  mlir::Value x;
  mlir::BlockArgument parameter; // [N, K], or [K, N] when `turned`
  bool turned = false;
  mlir::Value init; // null when it is zero
  // The dimensions of x in the order [tokens..., K]. The tokens are in the
  // order of the result.
  llvm::SmallVector<int64_t> xOrder;
  // The position of each dimension of the result in [tokens..., N].
  llvm::SmallVector<int64_t> resultOrder;
};

// Why an op is not such a contraction.
struct Mismatch {
  std::string reason;
  // Whether it is still a product with a weight, because one side comes from a
  // parameter or a constant matrix. The user is warned then.
  bool hasWeight = false;
};

// Matches `op` as a contraction with a parameter on one side, or says why it is
// not one. The products may be in an elementwise op before it. A value counts
// as a parameter when it is one of `parameters`, or one that is widened,
// transposed, broadcast, or extended by unit dimensions.
mlir::FailureOr<Contraction>
matchContraction(mlir::linalg::LinalgOp op,
                 const ParameterArguments &parameters, Mismatch &mismatch);

} // namespace nibble
