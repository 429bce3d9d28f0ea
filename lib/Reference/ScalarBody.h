// A region that computes scalars from scalars: the body of linalg.generic,
// tensor.generate, tensor.pad.
#pragma once

#include "lib/Reference/Scalars.h"

namespace nibble::reference {

// The block compiled once to a list of steps over numbered slots, then run for
// every element.
class ScalarBody {
public:
  // `call` is the op that holds the block; values captured from outside are
  // looked up in its environment. Failure, after an error at the op in
  // question, when the body holds anything but arith, math, linalg.index and
  // tensor.extract. `rounded`: each step's result is rounded to its type;
  // otherwise only a narrowing arith.truncf rounds (a reduction's running sum
  // stays float64), and nothing where the options say exact.
  static llvm::FailureOr<ScalarBody> compile(mlir::Block &block, Call &call,
                                             bool rounded);

  // What the terminator yields for these block arguments. `indices` answer
  // linalg.index.
  llvm::FailureOr<llvm::ArrayRef<Scalar>> run(llvm::ArrayRef<Scalar> arguments,
                                              llvm::ArrayRef<int64_t> indices);

private:
  struct Step {
    mlir::Operation *op;
    ScalarFunction function = nullptr; // null: linalg.index (`table` null) or
                                       // tensor.extract from `table`
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
