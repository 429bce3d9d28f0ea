// Compiles a region of scalar ops into steps and runs them for each element.
#include "lib/Reference/ScalarBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

FailureOr<ScalarBody> ScalarBody::compile(Block &block, Call &call,
                                          bool rounded) {
  ScalarBody body;
  DenseMap<mlir::Value, unsigned> slotOf;
  auto define = [&](mlir::Value value) {
    unsigned slot = body.slots_.size();
    slotOf[value] = slot;
    body.slots_.emplace_back();
    return slot;
  };
  // The slot of a scalar of the body, or of one from outside, which is filled
  // now.
  auto use = [&](mlir::Value value) {
    auto found = slotOf.find(value);
    if (found != slotOf.end())
      return found->second;
    unsigned slot = define(value);
    body.slots_[slot] = elementOf(call[value], 0);
    return slot;
  };

  for (BlockArgument argument : block.getArguments())
    define(argument);
  bool exact = call.options().rounding == ReferenceOptions::Rounding::kExact;
  for (Operation &op : block.without_terminator()) {
    Step step{&op,
              nullptr,
              nullptr,
              0,
              {},
              0,
              op.getNumResults() ? op.getResult(0).getType() : Type(),
              false};
    step.rounded = !exact && (rounded || isa<arith::TruncFOp>(op));
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      Environment own;
      Call inner(call.interpreter, own, &op);
      if (failed(kernelTable().find(constant.getOperationName())(inner)))
        return failure();
      body.slots_[define(constant)] = elementOf(inner[constant], 0);
      continue;
    }
    // The size of a tensor from outside is the same in every iteration.
    if (auto dim = dyn_cast<tensor::DimOp>(op); dim && dim.getConstantIndex()) {
      const ReferenceValue &source = call[dim.getSource()];
      int64_t dimension = *dim.getConstantIndex();
      if (dimension < 0 ||
          dimension >= static_cast<int64_t>(source.shape.size()))
        return op.emitOpError()
               << "in the reference: no dimension " << dimension;
      body.slots_[define(dim)].integer = source.extent(dimension);
      continue;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      step.table = call.handle(extract.getTensor());
      for (mlir::Value index : extract.getIndices())
        step.in.push_back(use(index));
    } else if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      step.dimension = index.getDim();
    } else if (auto assertion = dyn_cast<cf::AssertOp>(op)) {
      step.in.push_back(use(assertion.getArg()));
      body.steps_.push_back(std::move(step));
      continue;
    } else {
      step.function = findScalarFunction(op.getName().getStringRef());
      if (!step.function)
        return op.emitError()
               << "the reference does not know '" << op.getName()
               << "' in the body of '" << call.op->getName() << "'";
      for (mlir::Value operand : op.getOperands())
        step.in.push_back(use(operand));
    }
    step.out = define(op.getResult(0));
    body.steps_.push_back(std::move(step));
  }
  for (mlir::Value operand : block.getTerminator()->getOperands())
    body.yields_.push_back(use(operand));
  return body;
}

LogicalResult ScalarBody::extract(const Step &step, Scalar &out) const {
  int64_t offset = 0;
  for (auto [dimension, slot] : llvm::enumerate(step.in)) {
    int64_t index = slots_[slot].integer;
    int64_t extent = step.table->extent(dimension);
    if (index < 0 || index >= extent)
      return step.op->emitOpError() << "in the reference: index " << index
                                    << " is not in 0.." << extent - 1;
    offset = offset * extent + index;
  }
  out = elementOf(*step.table, offset);
  return success();
}

FailureOr<ArrayRef<Scalar>> ScalarBody::run(ArrayRef<Scalar> arguments,
                                            ArrayRef<int64_t> indices) {
  llvm::copy(arguments, slots_.begin());
  for (const Step &step : steps_) {
    Scalar out;
    if (step.table) {
      if (failed(extract(step, out)))
        return failure();
    } else if (auto assertion = dyn_cast<cf::AssertOp>(step.op)) {
      if (!slots_[step.in.front()].integer)
        return step.op->emitOpError()
               << "in the reference: does not hold: " << assertion.getMsg();
      continue;
    } else if (!step.function) {
      out.integer = indices[step.dimension];
    } else {
      operands_.clear();
      for (unsigned slot : step.in)
        operands_.push_back(slots_[slot]);
      if (!step.function(step.op, operands_, out))
        return step.op->emitOpError()
               << "in the reference: no value (division by zero, or a number "
                  "that does not fit)";
      out = finish(out, step.type, step.rounded);
    }
    slots_[step.out] = out;
  }
  results_.clear();
  for (unsigned slot : yields_)
    results_.push_back(slots_[slot]);
  return ArrayRef<Scalar>(results_);
}
