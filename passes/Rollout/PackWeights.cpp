// nibble-pack-weights: replaces fake_quant of arguments by packed arguments.
#include "passes/Rollout/Passes.h"
#include "passes/Weights/Weights.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-pack-weights"

ALWAYS_ENABLED_STATISTIC(NumPacked,
                         "arguments of the function that are packed weights");

namespace nibble {
#define GEN_PASS_DEF_PACKWEIGHTSPASS
#include "passes/Rollout/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class PackWeightsPass final
    : public nibble::impl::PackWeightsPassBase<PackWeightsPass> {
public:
  using PackWeightsPassBase::PackWeightsPassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    auto entry = symbols.lookup<func::FuncOp>(functionName);
    if (!entry || entry.isDeclaration()) {
      getOperation().emitError()
          << "nibble-pack-weights: there is no function '" << functionName
          << "'";
      return signalPassFailure();
    }
    if (failed(nibble::packWeights(entry, symbols)))
      return signalPassFailure();
    NumPacked += llvm::count_if(entry.getArgumentTypes(),
                                llvm::IsaPred<nibble::qat::PackedType>);
  }
};

} // namespace
