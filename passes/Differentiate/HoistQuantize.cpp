// nibble-hoist-quantize: quantizes weights once per step, in the update.
//
// A training step reads its weights and never writes them. They are the same in
// every microbatch between two updates, and so are their fake-quantized values.
// The update quantizes, and the step reads the packed weight.
#include "passes/Differentiate/Passes.h"
#include "passes/Weights/Weights.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-hoist-quantize"

ALWAYS_ENABLED_STATISTIC(NumHoisted,
                         "fake_quant ops that the update does instead");
ALWAYS_ENABLED_STATISTIC(NumKept, "fake_quant ops that stay inside the step");

namespace nibble {
#define GEN_PASS_DEF_HOISTQUANTIZEPASS
#include "passes/Differentiate/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

class HoistQuantizePass final
    : public nibble::impl::HoistQuantizePassBase<HoistQuantizePass> {
public:
  using HoistQuantizePassBase::HoistQuantizePassBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> entries;
    SmallVector<StringRef> names;
    StringRef(functionNames).split(names, ',');
    for (StringRef name : names) {
      auto entry = symbols.lookup<func::FuncOp>(name);
      if (entry && !entry.isDeclaration())
        entries.push_back(entry);
      else if (entries.empty()) {
        getOperation().emitError()
            << "nibble-hoist-quantize: there is no function @" << name
            << "; name one with function=";
        return signalPassFailure();
      }
    }
    for (func::FuncOp entry : entries)
      if (failed(checkWeightsStay(entry, symbols)))
        return signalPassFailure();
    auto accept = [&](qat::FakeQuantOp op) { return refusal(op).empty(); };
    for (func::FuncOp function : reachableFunctions(entries, symbols))
      function.walk([&](qat::FakeQuantOp op) {
        StringRef reason = refusal(op);
        if (reason.empty()) {
          ++NumHoisted;
          return;
        }
        ++NumKept;
        op.emitRemark() << "nibble-hoist-quantize: stays inside the step: "
                        << reason;
      });
    if (failed(packWeights(entries, symbols, "nibble-hoist-quantize", accept)))
      return signalPassFailure();
    for (func::FuncOp entry : entries)
      if (failed(checkUpdate(entry, symbols)))
        return signalPassFailure();
  }

private:
  static StringRef refusal(qat::FakeQuantOp op);
  static LogicalResult checkWeightsStay(func::FuncOp step,
                                        SymbolTable &symbols);
  LogicalResult checkUpdate(func::FuncOp step, SymbolTable &symbols);
};

} // namespace

// Why this fake-quant cannot be replaced by a packed weight; empty when it can.
StringRef HoistQuantizePass::refusal(qat::FakeQuantOp op) {
  if (!op.getScheme().isExact())
    return "with this convention the weight trained on is not the packed "
           "weight, bit for bit";
  if (!isa<BlockArgument>(op.getWeight()))
    return "the weight is computed here, not an argument";
  return {};
}

// Checks that weights do not change between their uses. Arguments are values,
// so only an optimizer update inside the step could change them.
LogicalResult HoistQuantizePass::checkWeightsStay(func::FuncOp step,
                                                  SymbolTable &symbols) {
  for (func::FuncOp function : reachableFunctions(step, symbols)) {
    WalkResult found = function.walk([&](nn::AdamWOp op) {
      op.emitError() << "nibble-hoist-quantize: @" << step.getSymName()
                     << " updates a weight, so what it quantizes is not the "
                        "same from one use to the next";
      return WalkResult::interrupt();
    });
    if (found.wasInterrupted())
      return failure();
  }
  return success();
}

// Checks that the update, if the module has one, writes every packed weight
// that the step reads.
LogicalResult HoistQuantizePass::checkUpdate(func::FuncOp step,
                                             SymbolTable &symbols) {
  auto update = symbols.lookup<func::FuncOp>(updateName);
  if (!update)
    return success();
  llvm::StringMap<Type> written;
  for (unsigned i = 0; i < update.getNumResults(); ++i)
    if (auto name = update.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr))
      written[name.getValue()] = update.getResultTypes()[i];
  for (unsigned i = 0; i < step.getNumArguments(); ++i) {
    Type type = step.getArgumentTypes()[i];
    auto name = step.getArgAttrOfType<StringAttr>(i, nn::kParameterAttr);
    if (!isa<qat::PackedType>(type) || !name)
      continue;
    Type quantized = written.lookup(("packed:" + name.getValue()).str());
    if (!quantized && !written.contains(("weight:" + name.getValue()).str()))
      continue; // not trained: packed once, at loading
    if (quantized != type)
      return update.emitError()
             << "nibble-hoist-quantize: @" << updateName
             << " does not write 'packed:" << name.getValue() << "' as " << type
             << ", which @" << step.getSymName()
             << " reads; make it with nibble-build-update before hoisting";
  }
  return success();
}
