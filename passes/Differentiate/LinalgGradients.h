// How a structured linalg op is differentiated: by its body and its indexing maps.
#pragma once

#include "passes/Differentiate/Gradients.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nibble {

// y[out(i)] = body(x1[in1(i)], x2[in2(i)], ...), summed or maximized over the reduction dimensions. The gradient of x1
// is a linalg.generic over the same iterations whose output map is in1: dimensions in1 does not name become reductions,
// and its body is the op's body followed by that body's own reverse sweep.
//
// Every indexing map names distinct dimensions, or constants where an extent of 1 is broadcast. The body is a function
// of its inputs, of constants and of values from outside that need no gradient.
class StructuredGradient {
public:
  StructuredGradient(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, Gradients &gradients)
      : op(op), builder(builder), gradients(gradients) {}

  llvm::LogicalResult build();

private:
  // How a result comes of the body.
  enum class Kind {
    Map,      // the yielded value, once for each element
    Sum,      // out + f
    Extremum, // the larger, or the smaller, of out and f
  };
  struct Result {
    unsigned number;
    Kind kind;
    // In the op's body: what is yielded (Map), or f.
    mlir::Value term;
    // out + f or max(out, f); null of a Map.
    mlir::Operation *combiner;
    // What arrived.
    mlir::Value gradient;
    // Of an Extremum: the result, and how many terms are equal to it; they share the gradient.
    mlir::Value winner, ties;
  };
  // An operand value read through one map, by one or more of the op's operands.
  struct Target {
    mlir::Value value;
    mlir::AffineMap map;
    llvm::SmallVector<unsigned> operands;
  };

  llvm::LogicalResult classify();
  llvm::LogicalResult classifyResult(unsigned number, mlir::Value gradient);
  void collectTargets();
  mlir::Value countTies(const Result &result);
  bool namesEveryDimension(mlir::AffineMap map);
  // Clones the body into the block of `nested`; `arguments` stand for the op's operands. Fills `clones`.
  void cloneBody(mlir::OpBuilder &nested, mlir::ValueRange arguments, mlir::IRMapping &mapping,
                 llvm::SmallVectorImpl<mlir::Operation *> &clones);
  // One generic that computes the gradients of `targets`; where `sum`, each is added to its out.
  llvm::FailureOr<mlir::linalg::GenericOp> buildGeneric(llvm::ArrayRef<Target> targets,
                                                        llvm::ArrayRef<mlir::Value> outs, bool sum);

  mlir::linalg::LinalgOp op;
  mlir::OpBuilder &builder;
  Gradients &gradients;
  llvm::SmallVector<Result> results;
  llvm::SmallVector<Target> targets;
};

} // namespace nibble
