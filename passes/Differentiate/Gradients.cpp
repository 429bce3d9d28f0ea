// The reverse sweep over a block, and the gradients that have arrived so far.
#include "passes/Differentiate/Gradients.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace nibble {

// Whether the gradient stays that of a parameter, in float32. This holds for
// upstream's shape and arithmetic ops. What an op of a model makes from a
// parameter, such as the rows of an embedding, is an activation.
static bool keepsParameterLike(Operation *op) {
  StringRef dialect = op->getName().getDialectNamespace();
  return dialect == "tensor" || dialect == "linalg" || dialect == "arith" ||
         dialect == "qat";
}

bool readsSize(Operation *op) { return isa<tensor::DimOp, tensor::RankOp>(op); }

SetVector<Value> valuesReadInside(Operation *op) {
  SetVector<Value> values;
  visitUsedValuesDefinedAbove(op->getRegions(), [&](OpOperand *use) {
    if (!readsSize(use->getOwner()))
      values.insert(use->get());
  });
  return values;
}

void Gradients::wantWide(Value value) {
  want(value);
  parameterLike_.insert(value);
}

void Gradients::wantInto(Value value, Value accumulator) {
  wantWide(value);
  accumulators_[value] = accumulator;
}

void Gradients::propagate(ArrayRef<Operation *> ops) {
  for (Operation *op : ops) {
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    used.set_union(valuesReadInside(op));
    bool any = false;
    bool allParameters = true;
    for (Value value : used) {
      any |= isNeeded(value);
      allParameters &= !isNeeded(value) || isParameterLike(value);
    }
    if (!any)
      continue;
    for (Value result : op->getResults()) {
      if (!isa<FloatType>(getElementTypeOrSelf(result.getType())) ||
          zero_.contains(result))
        continue;
      needed_.insert(result);
      if (allParameters && keepsParameterLike(op))
        parameterLike_.insert(result);
    }
  }
}

Value Gradients::resolve(Value value) const {
  while (auto op = value.getDefiningOp<GradientOpInterface>()) {
    Value operand = op.getIdentityOperand();
    if (!operand)
      break;
    value = operand;
  }
  return value;
}

Type Gradients::gradientType(Value value) const {
  Type element = getElementTypeOrSelf(value.getType());
  if (isParameterLike(value) || !isa<ShapedType>(value.getType()))
    element = computeType(element);
  return withElement(value.getType(), element);
}

void Gradients::add(Value value, Value gradient) {
  value = resolve(value);
  if (!isNeeded(value))
    return;
  if (Value accumulator = accumulators_.lookup(value)) {
    gradient =
        convertFloat(builder_, location_, gradient, accumulator.getType());
    accumulators_[value] =
        arith::AddFOp::create(builder_, location_, accumulator, gradient);
    return;
  }
  gradient = convertFloat(builder_, location_, gradient, gradientType(value));
  Value &slot = arrived_[value];
  slot = slot ? arith::AddFOp::create(builder_, location_, slot, gradient)
                    .getResult()
              : gradient;
}

void Gradients::accumulate(Value value, function_ref<Value(Value init)> build) {
  value = resolve(value);
  if (!isNeeded(value))
    return;
  if (Value accumulator = accumulators_.lookup(value)) {
    accumulators_[value] = build(accumulator);
    return;
  }
  Value soFar = arrived_.lookup(value);
  Type element = computeType(getElementTypeOrSelf(value.getType()));
  if (soFar && getElementTypeOrSelf(soFar.getType()) == element) {
    arrived_[value] = build(soFar);
    return;
  }
  add(value, build(constantLike(builder_, location_, value, element, 0.0)));
}

// A suggestion what to write instead of an op without a rule.
static StringRef adviceFor(Operation *op) {
  if (isa<scf::IfOp>(op))
    return "compute both sides and choose between them with arith.select";
  if (isa<scf::ForOp, scf::WhileOp, scf::ForallOp>(op))
    return "unroll the loop, or write it as linalg ops, whose bodies may read "
           "tensors by tensor.extract";
  if (isa<tensor::GenerateOp>(op))
    return "write it as a linalg.generic, with linalg.index for the indices "
           "and tensor.extract for what it reads";
  return "write it with ops that have one, or wrap it in qat.straight_through "
         "to pass its gradient on unchanged";
}

LogicalResult reverseSweep(ArrayRef<Operation *> ops, Gradients &gradients) {
  for (Operation *op : llvm::reverse(ops)) {
    auto rule = dyn_cast<GradientOpInterface>(op);
    // The gradient of an identity op's result went directly to its operand.
    if (rule && rule.getIdentityOperand())
      continue;
    if (llvm::none_of(op->getResults(),
                      [&](Value result) { return gradients.of(result); }))
      continue;
    bool needsCaptured = llvm::any_of(valuesReadInside(op), [&](Value value) {
      return gradients.isNeeded(value);
    });
    if (!needsCaptured && llvm::none_of(op->getOperands(), [&](Value operand) {
          return gradients.isNeeded(operand);
        }))
      continue;
    if (!rule)
      return op->emitOpError()
             << "is on the gradient path and has no gradient rule; "
             << adviceFor(op);
    if (isa<tensor::PadOp>(op) && needsCaptured)
      return op->emitOpError() << "has no gradient for the value that it pads "
                                  "with; fill a tensor with that value and "
                                  "put the rest into it by tensor.insert_slice";
    if (needsCaptured && !rule.servesCaptured())
      return op->emitOpError()
             << "reads inside its body a value from outside that needs a "
                "gradient; pass it as an operand";
    gradients.setLocation(op->getLoc());
    if (failed(rule.buildGradients(gradients.getBuilder(), gradients)))
      return failure();
  }
  return success();
}

} // namespace nibble
