// The state of one reverse sweep: which values need a gradient, and what has
// arrived so far.
//
// Types: The gradient of an activation tensor has the tensor's own type. A bf16
// activation has a bf16 gradient, which the rule that made it rounded once.
// Inside a rule arithmetic is float32 (`wide`). The gradient of a parameter, or
// of a value computed from parameters alone (a transposed weight), is float32.
// The gradient of a scalar is float32, or float64 for a float64 scalar.
#pragma once

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SetVector.h"

namespace nibble {

class FunctionGradients;

class Gradients {
public:
  // `functions` makes the backward of callees; null inside the body of a linalg
  // op, which contains no calls.
  Gradients(mlir::OpBuilder &builder, FunctionGradients *functions)
      : builder_(builder), functions_(functions) {}

  // Requests a gradient of `value` in its own type.
  void want(mlir::Value value) { needed_.insert(value); }
  // Requests a gradient of `value` that is added to `accumulator`, a float32
  // tensor of its shape.
  void wantInto(mlir::Value value, mlir::Value accumulator);
  // Requests a float32 gradient of `value`, which represents a parameter whose
  // accumulator is elsewhere.
  void wantWide(mlir::Value value);
  // Declares that the gradient of `value`, a result of an op, is 0, so that it
  // is not computed.
  void setGradientZero(mlir::Value value) { zero_.insert(value); }
  // Propagates the requests forward over `ops`, in order: a float result of an
  // op with a needed operand is needed.
  void propagate(llvm::ArrayRef<mlir::Operation *> ops);

  bool isNeeded(mlir::Value value) const { return needed_.contains(value); }
  // Whether `value` has an accumulator, itself or through an identity op.
  bool hasAccumulator(mlir::Value value) const {
    return accumulators_.contains(resolve(value));
  }
  // Whether the value's gradient is float32 whatever its type: it is a
  // parameter, or computed from parameters alone.
  bool isParameterLike(mlir::Value value) const {
    return parameterLike_.contains(value);
  }

  // The gradient that has arrived at `value`, in gradientType(value); null when
  // there is none.
  mlir::Value of(mlir::Value value) const {
    return arrived_.lookup(resolve(value));
  }
  // The current accumulator of the value; null when it has none.
  mlir::Value accumulatorOf(mlir::Value value) const {
    return accumulators_.lookup(resolve(value));
  }

  // Adds a contribution of any float element type. Ignored when the gradient is
  // not needed.
  void add(mlir::Value value, mlir::Value gradient);
  // Adds a contribution by an op that continues a sum. `build(init)` returns
  // init plus the contribution, both float32 of the value's shape. The init is
  // the accumulator, what has arrived so far, or zeros.
  void accumulate(mlir::Value value,
                  llvm::function_ref<mlir::Value(mlir::Value init)> build);
  // Replaces the accumulator of `value` by the one that a callee returned.
  void setAccumulator(mlir::Value value, mlir::Value accumulator) {
    accumulators_[resolve(value)] = accumulator;
  }

  mlir::Type gradientType(mlir::Value value) const;
  mlir::OpBuilder &getBuilder() { return builder_; }
  FunctionGradients *getFunctions() { return functions_; }

  // Sets the location of the ops made from now on.
  void setLocation(mlir::Location where) { location_ = where; }
  mlir::Location getLocation() const { return location_; }

private:
  // The value that holds this one's gradient: itself, or the operand of an
  // identity op.
  mlir::Value resolve(mlir::Value value) const;

  mlir::OpBuilder &builder_;
  FunctionGradients *functions_;
  mlir::Location location_ = builder_.getUnknownLoc();
  llvm::DenseSet<mlir::Value> needed_;
  llvm::DenseSet<mlir::Value> parameterLike_;
  llvm::DenseSet<mlir::Value> zero_;
  llvm::DenseMap<mlir::Value, mlir::Value> arrived_;
  llvm::DenseMap<mlir::Value, mlir::Value> accumulators_;
};

// Whether `op` reads only the sizes of its operand, which have no gradient.
bool readsSize(mlir::Operation *op);

// The outside values whose elements the regions of `op` read. Reading a size
// does not count.
llvm::SetVector<mlir::Value> valuesReadInside(mlir::Operation *op);

// Runs the rules of `ops` from last to first. Fails, after an error that names
// the op, when one has no rule.
llvm::LogicalResult reverseSweep(llvm::ArrayRef<mlir::Operation *> ops,
                                 Gradients &gradients);

} // namespace nibble
