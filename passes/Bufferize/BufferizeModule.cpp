#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/Bufferize/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"

namespace nibble {
#define GEN_PASS_DEF_BUFFERIZEMODULEPASS
#include "passes/Bufferize/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class BufferizeModule final : public nibble::impl::BufferizeModulePassBase<BufferizeModule> {
public:
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<bufferization::BufferizationDialect, memref::MemRefDialect, nibble::kernel::KernelDialect>();
  }

  void runOnOperation() override {
    recordPackedArguments();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        prepareEntry(function);
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.bufferAlignment = 64;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(), options, state)))
      return signalPassFailure();
    // State comes back in the buffer it came in with: such a result says nothing and is dropped. Upstream spares public functions, whose
    // callers it cannot see; ours are called through the program's table, which is read after this.
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        entries.push_back(function);
    for (func::FuncOp entry : entries)
      entry.setPrivate();
    // Once for each level of calls: a caller that stands before its callee learns only in the next round that it returns an argument.
    LogicalResult dropped = success();
    for (int64_t before = -1, after = countResults(); succeeded(dropped) && before != after; after = countResults()) {
      before = after;
      dropped = bufferization::dropEquivalentBufferResults(getOperation());
    }
    for (func::FuncOp entry : entries)
      entry.setPublic();
    if (failed(dropped))
      return signalPassFailure();
    for (func::FuncOp entry : entries)
      if (failed(verifyState(entry)))
        return signalPassFailure();
  }

private:
  // The state that a result is the new value of; null when it is an output.
  static StringAttr stateOfResult(func::FuncOp function, unsigned result) {
    if (auto state = function.getResultAttrOfType<StringAttr>(result, nibble::nn::kStateAttr))
      return state;
    return function.getResultAttrOfType<StringAttr>(result, nibble::nn::kOutputAttr);
  }

  // Calls write into state and nothing else that was given to them. State that the function only writes (the weights of an optimizer
  // update) is the destination of the result of its name.
  static void prepareEntry(func::FuncOp function) {
    OpBuilder b(function.getContext());
    llvm::StringMap<BlockArgument> destinations;
    for (BlockArgument argument : function.getArguments()) {
      auto state = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nibble::nn::kStateAttr);
      if (isa<bufferization::TensorLikeType>(argument.getType()))
        function.setArgAttr(argument.getArgNumber(), bufferization::BufferizationDialect::kWritableAttrName,
                            b.getBoolAttr(state != nullptr));
      if (state && argument.use_empty())
        destinations[state.getValue()] = argument;
    }
    auto end = dyn_cast<func::ReturnOp>(function.getBody().front().getTerminator());
    if (!end)
      return;
    b.setInsertionPoint(end);
    for (OpOperand &operand : end->getOpOperands()) {
      StringAttr name = stateOfResult(function, operand.getOperandNumber());
      auto destination = name ? destinations.find(name.getValue()) : destinations.end();
      if (destination != destinations.end() && destination->second.getType() == operand.get().getType())
        operand.set(nibble::kernel::WriteStateOp::create(b, end.getLoc(), operand.get().getType(), operand.get(), destination->second));
    }
  }

  int64_t countResults() {
    int64_t count = 0;
    for (auto function : getOperation().getOps<func::FuncOp>())
      count += function.getNumResults();
    return count;
  }

  // Every result that carries a state's name has become that state.
  static LogicalResult verifyState(func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      StringAttr name = stateOfResult(function, i);
      for (unsigned j = 0; name && j < function.getNumArguments(); ++j)
        if (function.getArgAttrOfType<StringAttr>(j, nibble::nn::kStateAttr) == name)
          return function.emitError() << "state '" << name.getValue() << "' could not be updated in place";
    }
    return success();
  }

  // A packed argument becomes bytes: what they mean stays readable on the argument, for the program's table.
  void recordPackedArguments() {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (unsigned i = 0; i < function.getNumArguments(); ++i)
        if (auto packed = dyn_cast<nibble::qat::PackedType>(function.getArgument(i).getType()))
          function.setArgAttr(i, nibble::nn::kPackedAttr, TypeAttr::get(packed));
  }
};

} // namespace
