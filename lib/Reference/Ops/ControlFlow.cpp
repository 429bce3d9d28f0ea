// func.call and the structured loops and branches of scf.
#include "lib/Reference/Interpreter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

static LogicalResult setResults(Call &call,
                                const FailureOr<SmallVector<Handle>> &values) {
  if (failed(values))
    return failure();
  for (auto [result, value] : llvm::zip_equal(call.op->getResults(), *values))
    call.set(result, value);
  return success();
}

static SmallVector<Handle> handlesOf(Call &call, ValueRange operands) {
  SmallVector<Handle> handles;
  for (mlir::Value operand : operands)
    handles.push_back(call.handle(operand));
  return handles;
}

static LogicalResult callFunction(func::CallOp op, Call &call) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      op, op.getCalleeAttr());
  if (!callee)
    return call.error() << "no function '" << op.getCallee() << "'";
  return setResults(call, call.interpreter.callFunction(
                              callee, handlesOf(call, op.getOperands())));
}

static LogicalResult runIf(scf::IfOp op, Call &call) {
  bool taken = call[op.getCondition()].integers[0] != 0;
  Region &region = taken ? op.getThenRegion() : op.getElseRegion();
  if (region.empty())
    return success();
  return setResults(
      call, call.interpreter.runBlock(region.front(), {}, call.environment));
}

// An iteration gets the values that the previous one yielded.
static LogicalResult runFor(scf::ForOp op, Call &call) {
  int64_t lower = call[op.getLowerBound()].integers[0];
  int64_t upper = call[op.getUpperBound()].integers[0];
  int64_t step = call[op.getStep()].integers[0];
  if (step <= 0)
    return call.error() << "a step of " << step;
  FailureOr<SmallVector<Handle>> carried = handlesOf(call, op.getInitArgs());
  for (int64_t i = lower; i<upper; i = i> upper - step ? upper : i + step) {
    if (failed(call.interpreter.count(op)))
      return failure();
    auto induction = std::make_shared<ReferenceValue>(
        ReferenceValue::zero(op.getInductionVar().getType()));
    induction->integers[0] = i;
    SmallVector<Handle> arguments{std::move(induction)};
    llvm::append_range(arguments, *carried);
    carried =
        call.interpreter.runBlock(*op.getBody(), arguments, call.environment);
    if (failed(carried))
      return failure();
  }
  return setResults(call, carried);
}

void reference::addControlFlowKernels(KernelTable &table) {
  table.add<&callFunction>();
  table.add<&runIf>();
  table.add<&runFor>();
}
