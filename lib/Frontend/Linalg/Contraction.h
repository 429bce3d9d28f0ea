// A linalg op seen as y[..., n] = init + sum_k x[..., k] w[n, k] with a
// parameter w.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinOps.h"

namespace nibble {

// The function arguments that are parameters: those with nn.parameter, and
// those of private functions to which every call passes one.
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
  // The dimensions of x that are [tokens..., K], the tokens in the order of the
  // result.
  llvm::SmallVector<int64_t> xOrder;
  // For each dimension of the result its place in [tokens..., N].
  llvm::SmallVector<int64_t> resultOrder;
};

// Why an op is no such contraction.
struct Mismatch {
  std::string reason;
  // A product with a weight all the same: one side comes from a parameter or a
  // constant matrix. It is worth a word to the user.
  bool hasWeight = false;
};

// `op` as a contraction with a parameter on one side; else why it is none. The
// products may be in an elementwise op before it. A value is a parameter when
// it is one of `parameters`, or such a one widened, transposed, broadcast, or
// with extents of one added.
mlir::FailureOr<Contraction>
matchContraction(mlir::linalg::LinalgOp op,
                 const ParameterArguments &parameters, Mismatch &mismatch);

} // namespace nibble
