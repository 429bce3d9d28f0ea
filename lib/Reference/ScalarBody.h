// A region that computes scalars from scalars: the body of linalg.generic,
// tensor.generate, tensor.pad.
#pragma once

#include "lib/Reference/Scalars.h"

namespace nibble::reference {

// A block that is compiled once to a list of steps over numbered slots, then
// run for every element.
class ScalarBody {
public:
  // `call` is the op that holds the block; values captured from outside are
  // looked up in its environment. With `rounded`, each step's result is rounded
  // to its type. Otherwise only a narrowing arith.truncf rounds, so that a
  // reduction's running sum stays float64. Nothing is rounded when the options
  // ask for exact values. Fails, after an error at the op, when the body holds
  // anything but arith, math, linalg.index and tensor.extract.
  static llvm::FailureOr<ScalarBody> compile(mlir::Block &block, Call &call,
                                             bool rounded);

  // The operands of the terminator for these block arguments. `indices` are the
  // results of linalg.index.
  llvm::FailureOr<llvm::ArrayRef<Scalar>> run(llvm::ArrayRef<Scalar> arguments,
                                              llvm::ArrayRef<int64_t> indices);

private:
  struct Step {
    mlir::Operation *op;
    // Null for linalg.index, whose `table` is null, and for tensor.extract from
    // `table`.
    ScalarFunction function = nullptr;
    Handle table;
    int64_t dimension = 0;
    llvm::SmallVector<unsigned, 3> in;
    unsigned out;
    mlir::Type type;
    bool rounded;
  };
  llvm::LogicalResult extract(const Step &step, Scalar &out) const;

  std::vector<Scalar> slots_;
  std::vector<Step> steps_;
  llvm::SmallVector<unsigned> yields_;
  llvm::SmallVector<Scalar> results_;
  llvm::SmallVector<Scalar> operands_;
};

} // namespace nibble::reference
