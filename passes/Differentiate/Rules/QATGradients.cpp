// N8: the gradient of a rounded weight is passed to the weight unchanged.
#include "passes/Differentiate/GradientOpInterface.h"

#include "dialects/QAT/QAT.h"

using namespace mlir;
using namespace nibble;

namespace {

template <typename Op>
struct StraightThrough
    : GradientOpInterface::ExternalModel<StraightThrough<Op>, Op> {
  Value getIdentityOperand(Operation *op) const { return op->getOperand(0); }
  LogicalResult buildGradients(Operation *op, OpBuilder &, Gradients &) const {
    return op->emitOpError() << "passes its gradient on before a rule is asked";
  }
};

} // namespace

void nibble::registerQATGradients(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, qat::QATDialect *) {
    qat::FakeQuantOp::attachInterface<StraightThrough<qat::FakeQuantOp>>(
        *context);
    qat::StraightThroughOp::attachInterface<
        StraightThrough<qat::StraightThroughOp>>(*context);
  });
}
