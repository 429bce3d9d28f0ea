// nibble-bufferize-module: runs one-shot bufferization and keeps state in its
// own buffers.
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "passes/Bufferize/Passes.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-bufferize-module"

ALWAYS_ENABLED_STATISTIC(NumDropped,
                         "results that callers find in buffers of arguments");
ALWAYS_ENABLED_STATISTIC(NumCopied,
                         "new values that are copied to their state's buffer");

namespace nibble {
#define GEN_PASS_DEF_BUFFERIZEMODULEPASS
#include "passes/Bufferize/Passes.h.inc"
} // namespace nibble

using namespace mlir;

namespace {

class BufferizeModule final
    : public nibble::impl::BufferizeModulePassBase<BufferizeModule> {
public:
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<bufferization::BufferizationDialect, memref::MemRefDialect,
                    nibble::kernel::KernelDialect>();
  }

  void runOnOperation() override {
    recordPackedArguments();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal()) {
        if (!function.getBody().hasOneBlock()) {
          function.emitError()
              << "has several blocks; run lift-cf-to-scf first, which makes "
                 "scf.if and scf.while of them";
          return signalPassFailure();
        }
        prepareEntry(function);
      }
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.bufferAlignment = 64;
    options.allowReturnAllocsFromLoops = true;
    options.setFunctionBoundaryTypeConversion(
        bufferization::LayoutMapOption::IdentityLayoutMap);
    if (failed(checkOps(options)))
      return signalPassFailure();
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(getOperation(), options,
                                                        state)))
      return signalPassFailure();
    // State is updated in the buffer of its argument, so a result that returns
    // this buffer carries no information and is dropped. Upstream does not
    // change public functions, because their callers are unknown. Callers of
    // our public functions read the program's table, which is made afterwards.
    // Public functions that are also called inside the module are handled
    // first, so that their callers see the buffers behind the calls.
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        entries.push_back(function);
    for (func::FuncOp entry : entries)
      if (!SymbolTable::symbolKnownUseEmpty(entry, getOperation()))
        entry.setPrivate();
    LogicalResult dropped = dropArguments();
    for (func::FuncOp entry : entries) {
      settleResults(entry);
      entry.setPrivate();
    }
    if (succeeded(dropped))
      dropped = dropArguments();
    for (func::FuncOp entry : entries)
      entry.setPublic();
    if (failed(dropped))
      return signalPassFailure();
    for (func::FuncOp entry : entries)
      if (failed(verifyState(entry)))
        return signalPassFailure();
  }

private:
  // For an op that it does not know, upstream says only that it was not
  // bufferized.
  LogicalResult checkOps(const bufferization::BufferizationOptions &options) {
    WalkResult walked = getOperation().walk([&](Operation *op) {
      auto isTensor = [](Type type) {
        return isa<bufferization::TensorLikeType>(type);
      };
      if (llvm::none_of(op->getOperandTypes(), isTensor) &&
          llvm::none_of(op->getResultTypes(), isTensor))
        return WalkResult::advance();
      if (isa<bufferization::BufferizableOpInterface>(op) &&
          options.dynCastBufferizableOp(op))
        return WalkResult::advance();
      op->emitError()
          << "'" << op->getName()
          << "' has no form over buffers, so no program can be made of it";
      return WalkResult::interrupt();
    });
    return failure(walked.wasInterrupted());
  }

  // The name of the state whose new value is this result; null when it is an
  // output.
  static StringAttr stateOfResult(func::FuncOp function, unsigned result) {
    if (auto state = function.getResultAttrOfType<StringAttr>(
            result, nibble::nn::kStateAttr))
      return state;
    return function.getResultAttrOfType<StringAttr>(result,
                                                    nibble::nn::kOutputAttr);
  }

  // Calls write into state and into no other argument. A state that the
  // function only writes, such as the weights of an optimizer update, is the
  // destination of the result with its name.
  static void prepareEntry(func::FuncOp function) {
    OpBuilder b(function.getContext());
    llvm::StringMap<BlockArgument> destinations;
    for (BlockArgument argument : function.getArguments()) {
      auto state = function.getArgAttrOfType<StringAttr>(
          argument.getArgNumber(), nibble::nn::kStateAttr);
      if (isa<bufferization::TensorLikeType>(argument.getType()))
        function.setArgAttr(
            argument.getArgNumber(),
            bufferization::BufferizationDialect::kWritableAttrName,
            b.getBoolAttr(state != nullptr));
      if (state && argument.use_empty())
        destinations[state.getValue()] = argument;
    }
    auto end =
        dyn_cast<func::ReturnOp>(function.getBody().front().getTerminator());
    if (!end)
      return;
    b.setInsertionPoint(end);
    for (OpOperand &operand : end->getOpOperands()) {
      StringAttr name = stateOfResult(function, operand.getOperandNumber());
      auto destination =
          name ? destinations.find(name.getValue()) : destinations.end();
      if (destination != destinations.end() &&
          destination->second.getType() == operand.get().getType())
        operand.set(nibble::kernel::WriteStateOp::create(
            b, end.getLoc(), operand.get().getType(), operand.get(),
            destination->second));
    }
  }

  // Drops results that are buffers of arguments. Each level of calls takes one
  // round: a caller that stands before its callee learns only in the next round
  // that the callee returns an argument.
  LogicalResult dropArguments() {
    int64_t results = countResults();
    for (int64_t before = -1, after = results; before != after;
         after = countResults()) {
      before = after;
      if (failed(bufferization::dropEquivalentBufferResults(getOperation())))
        return failure();
    }
    NumDropped += results - countResults();
    return success();
  }

  // The argument of the function that a buffer is a view of; null when it is a
  // view of anything else.
  static BlockArgument argumentBehind(Value buffer) {
    while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
      buffer = view.getViewSource();
    return dyn_cast<BlockArgument>(buffer);
  }

  static bool isState(func::FuncOp function, Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && function.getArgAttr(argument.getArgNumber(),
                                           nibble::nn::kStateAttr) != nullptr;
  }

  // Copies a buffer at the end of the function.
  static Value saved(OpBuilder &b, Location loc, Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> extents;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        extents.push_back(memref::DimOp::create(b, loc, buffer, dim));
    Value copy =
        memref::AllocOp::create(b, loc, type, extents, b.getI64IntegerAttr(64));
    memref::CopyOp::create(b, loc, buffer, copy);
    return copy;
  }

  // Makes the caller find every result in its buffers when the function ends. A
  // state's new value lies in another buffer when the old value was still read
  // after the new one was made; it is copied to the state's own buffer. A
  // returned value that lies in an argument's buffer is saved before that.
  static void settleResults(func::FuncOp function) {
    auto end =
        dyn_cast<func::ReturnOp>(function.getBody().back().getTerminator());
    if (!end || !llvm::hasSingleElement(function.getBody()))
      return;
    OpBuilder b(end);
    SmallVector<std::pair<Value, BlockArgument>> copies;
    for (OpOperand &operand : end->getOpOperands()) {
      BlockArgument state =
          argumentOfState(function, operand.getOperandNumber());
      Value value = operand.get();
      if (state == value || !isa<MemRefType>(value.getType()) ||
          (state && state.getType() != value.getType()))
        continue;
      // The output is the state itself, which the caller finds in the state's
      // buffer, so it is dropped below.
      if (!state && isState(function, value))
        continue;
      if (argumentBehind(value))
        value = saved(b, end.getLoc(), value);
      if (state)
        copies.emplace_back(value, state);
      operand.set(state ? Value(state) : value);
    }
    for (auto [value, state] : copies)
      memref::CopyOp::create(b, end.getLoc(), value, state);
    NumCopied += copies.size();
  }

  // The state argument whose new value is this result; null when the result is
  // an output or the state is not an argument.
  static BlockArgument argumentOfState(func::FuncOp function, unsigned result) {
    StringAttr name = stateOfResult(function, result);
    for (BlockArgument argument : function.getArguments())
      if (name && function.getArgAttrOfType<StringAttr>(
                      argument.getArgNumber(), nibble::nn::kStateAttr) == name)
        return argument;
    return {};
  }

  int64_t countResults() {
    int64_t count = 0;
    for (auto function : getOperation().getOps<func::FuncOp>())
      count += function.getNumResults();
    return count;
  }

  // Every result that carries a state's name must have become that state.
  static LogicalResult verifyState(func::FuncOp function) {
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (BlockArgument state = argumentOfState(function, i))
        return function.emitError()
               << "state '" << stateOfResult(function, i).getValue()
               << "' could not be updated in place: its new value is of type "
               << function.getResultTypes()[i] << ", its buffer of "
               << state.getType();
    return success();
  }

  // A packed argument becomes bytes. Its type is recorded on the argument, for
  // the program's table. A declaration has types, but no block with arguments.
  void recordPackedArguments() {
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
        if (auto packed = dyn_cast<nibble::qat::PackedType>(type))
          function.setArgAttr(i, nibble::nn::kPackedAttr,
                              TypeAttr::get(packed));
  }
};

} // namespace
