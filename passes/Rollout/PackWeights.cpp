// nibble-pack-weights: packed arguments instead of fake_quant of arguments.
#include "passes/Rollout/Passes.h"
#include "passes/Weights/Weights.h"

#define DEBUG_TYPE "nibble-pack-weights"

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
      signalPassFailure();
  }
};

} // namespace
