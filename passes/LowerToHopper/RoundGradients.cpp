// nibble-round-gradients: rounds a linear's float32 gradient to bf16 once for
// all products that read it.
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/LowerToHopper/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-round-gradients"

ALWAYS_ENABLED_STATISTIC(NumRounded, "gradients that are rounded to bf16 once");

namespace nibble {
#define GEN_PASS_DEF_ROUNDGRADIENTSPASS
#include "passes/LowerToHopper/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class RoundGradients final
    : public nibble::impl::RoundGradientsPassBase<RoundGradients> {
public:
  void runOnOperation() override {
    llvm::MapVector<Value, SmallVector<OpOperand *>> uses;
    getOperation().walk([&](Operation *op) {
      if (!isa<nibble::nn::LinearInputGradOp, nibble::nn::LinearWeightGradOp,
               nibble::qat::LinearInputGradOp>(op))
        return;
      OpOperand &dy = op->getOpOperand(0);
      if (cast<RankedTensorType>(dy.get().getType()).getElementType().isF32())
        uses[dy.get()].push_back(&dy);
    });
    for (auto &[dy, operands] : uses) {
      OpBuilder b(&getContext());
      b.setInsertionPointAfterValue(dy);
      auto type = cast<RankedTensorType>(dy.getType()).clone(b.getBF16Type());
      Value rounded = arith::TruncFOp::create(b, dy.getLoc(), type, dy);
      ++NumRounded;
      for (OpOperand *operand : operands)
        operand->set(rounded);
    }
  }
};

} // namespace
