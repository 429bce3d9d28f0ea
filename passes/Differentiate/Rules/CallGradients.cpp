// The gradient of a call is a call of the callee's backward.
#include "passes/Differentiate/FunctionGradients.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"

using namespace mlir;
using namespace nibble;

namespace {

struct CallModel : GradientOpInterface::ExternalModel<CallModel, func::CallOp> {
  LogicalResult buildGradients(Operation *op, OpBuilder &builder,
                               Gradients &gradients) const {
    auto call = cast<func::CallOp>(op);
    FunctionGradients *functions = gradients.getFunctions();
    func::FuncOp callee =
        functions ? functions->lookup(call.getCallee()) : func::FuncOp();
    if (!callee)
      return op->emitOpError() << "calls @" << call.getCallee()
                               << ", which has no body to differentiate";

    SmallVector<GradientMode> modes;
    SmallVector<Value> accumulators;
    for (Value operand : call.getOperands()) {
      Value accumulator = gradients.accumulatorOf(operand);
      // A parameter that is passed twice is accumulated in place once; its
      // second gradient is added.
      bool again = llvm::is_contained(accumulators, accumulator);
      if (accumulator && !again) {
        modes.push_back(GradientMode::Accumulate);
        accumulators.push_back(accumulator);
      } else if (!gradients.isNeeded(operand)) {
        modes.push_back(GradientMode::None);
      } else {
        modes.push_back(accumulator || gradients.isParameterLike(operand)
                            ? GradientMode::Wide
                            : GradientMode::Own);
      }
    }
    SmallVector<bool> hasGradient;
    SmallVector<Value> seeds;
    for (Value result : call.getResults()) {
      Value gradient = gradients.of(result);
      hasGradient.push_back(gradient != nullptr);
      if (gradient)
        seeds.push_back(
            convertFloat(builder, op->getLoc(), gradient, result.getType()));
    }
    FailureOr<Backward> backward = functions->get(callee, modes, hasGradient);
    if (failed(backward))
      return failure();

    SmallVector<Value> operands(call.getOperands());
    if (backward->forward) {
      // The forward call also returns what the backward needs. The old call,
      // which has no uses now, is removed with the dead code.
      OpBuilder before(call);
      auto kept = func::CallOp::create(before, op->getLoc(), backward->forward,
                                       call.getOperands());
      call.replaceAllUsesWith(
          kept.getResults().take_front(call.getNumResults()));
      llvm::append_range(operands,
                         kept.getResults().drop_front(call.getNumResults()));
    }
    llvm::append_range(operands, seeds);
    llvm::append_range(operands, accumulators);
    auto reverse = func::CallOp::create(builder, op->getLoc(),
                                        backward->function, operands);
    unsigned next = 0;
    for (auto [operand, mode] : llvm::zip(call.getOperands(), modes)) {
      if (mode == GradientMode::None)
        continue;
      Value result = reverse.getResult(next++);
      if (mode == GradientMode::Accumulate)
        gradients.setAccumulator(operand, result);
      else
        gradients.add(operand, result);
    }
    return success();
  }
};

} // namespace

void nibble::registerCallGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, func::FuncDialect *) {
    func::CallOp::attachInterface<CallModel>(*context);
  });
}
