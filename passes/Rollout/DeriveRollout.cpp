// nibble-derive-rollout: derives the rollout functions from the training
// forward.
#include "dialects/NN/NN.h"
#include "passes/Rollout/PagedAttention.h"
#include "passes/Rollout/Passes.h"
#include "passes/Weights/Weights.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-derive-rollout"

ALWAYS_ENABLED_STATISTIC(NumAttentions,
                         "attentions that read pages of a cache");

namespace nibble {
#define GEN_PASS_DEF_DERIVEROLLOUTPASS
#include "passes/Rollout/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

class DeriveRolloutPass final
    : public nibble::impl::DeriveRolloutPassBase<DeriveRolloutPass> {
public:
  using DeriveRolloutPassBase::DeriveRolloutPassBase;

  void runOnOperation() override {
    if (failed(derive()))
      signalPassFailure();
  }

private:
  LogicalResult derive();
  func::FuncOp cloneForward(func::FuncOp training, SymbolTable &symbols,
                            PagedAttention &paged);
  LogicalResult takeRows(func::FuncOp forward, Operation *last, Value rows);
  // Adds a public function at the end of the module and moves the insertion
  // point into its body.
  func::FuncOp addFunction(OpBuilder &b, Location loc, StringRef name,
                           ArrayRef<std::pair<StringRef, Type>> inputs,
                           ArrayRef<std::pair<StringRef, Type>> outputs);
  void addSampleLogProbability(func::FuncOp forward);
  void addSample(func::FuncOp forward);
};

} // namespace

static DictionaryAttr named(MLIRContext *context, StringRef attribute,
                            const Twine &name) {
  Builder b(context);
  return b.getDictionaryAttr(b.getNamedAttr(attribute, b.getStringAttr(name)));
}

// Replaces the call by the callee's ops. The body must have one block.
static void inlineCall(func::CallOp call, func::FuncOp callee) {
  OpBuilder b(call);
  IRMapping mapping;
  mapping.map(callee.getArguments(), call.getOperands());
  for (Operation &op : callee.front().without_terminator())
    b.clone(op, mapping);
  for (auto [result, value] : llvm::zip(
           call.getResults(), callee.front().getTerminator()->getOperands()))
    result.replaceAllUsesWith(mapping.lookup(value));
  call.erase();
}

// Copies the training forward. Functions that only pass values on to attending
// functions are inlined, so that the rows can be taken right after the last
// layer.
func::FuncOp DeriveRolloutPass::cloneForward(func::FuncOp training,
                                             SymbolTable &symbols,
                                             PagedAttention &paged) {
  func::FuncOp forward = training.clone();
  forward.setName(resultName);
  symbols.insert(forward);
  while (true) {
    func::CallOp found;
    func::FuncOp target;
    forward.walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!callee || !paged.attends(callee) ||
          !callee.getBody().hasOneBlock() ||
          !callee.getOps<nn::AttentionOp>().empty())
        return WalkResult::advance();
      found = call;
      target = callee;
      return WalkResult::interrupt();
    });
    if (!found)
      return forward;
    inlineCall(found, target);
  }
}

// Every op after the last one that looks at other tokens works on each row
// alone (N10, N13), so it needs only the requested rows.
LogicalResult DeriveRolloutPass::takeRows(func::FuncOp forward, Operation *last,
                                          Value rows) {
  SmallVector<Operation *> behind;
  for (Operation *op = last->getNextNode();
       op && !op->hasTrait<OpTrait::IsTerminator>(); op = op->getNextNode())
    behind.push_back(op);
  DenseSet<Operation *> late(behind.begin(), behind.end());
  OpBuilder b(forward.getContext());
  b.setInsertionPointAfter(last);
  DenseMap<Value, Value> taken;
  for (Operation *op : behind) {
    if (!isa_and_nonnull<nn::NNDialect, qat::QATDialect>(op->getDialect()) &&
        op->getName().getDialectNamespace() != "arith" &&
        op->getName().getDialectNamespace() != "math" && !isa<func::CallOp>(op))
      return op->emitError("nibble-derive-rollout: cannot tell whether '")
             << op->getName()
             << "' works on each row alone, so the sampled rows cannot be "
                "taken before it";
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      Operation *source = operand.get().getDefiningOp();
      // Values of the batch that were made earlier; a weight has static
      // extents.
      if (!type || !type.hasRank() || type.getRank() == 0 ||
          !type.isDynamicDim(0) || (source && late.contains(source)))
        continue;
      if (type.getRank() != 2 || !isa<FloatType>(type.getElementType()))
        return op->emitError("nibble-derive-rollout: operand ")
               << operand.getOperandNumber() << " is " << type
               << ", whose rows cannot be taken";
      Value &subset = taken[operand.get()];
      if (!subset)
        subset =
            nn::TakeRowsOp::create(b, op->getLoc(), type, operand.get(), rows);
      operand.set(subset);
    }
  }
  return success();
}

func::FuncOp
DeriveRolloutPass::addFunction(OpBuilder &b, Location loc, StringRef name,
                               ArrayRef<std::pair<StringRef, Type>> inputs,
                               ArrayRef<std::pair<StringRef, Type>> outputs) {
  b.setInsertionPointToEnd(getOperation().getBody());
  auto types = [](ArrayRef<std::pair<StringRef, Type>> values) {
    return llvm::map_to_vector(values,
                               [](const auto &value) { return value.second; });
  };
  auto function = func::FuncOp::create(
      b, loc, name, b.getFunctionType(types(inputs), types(outputs)));
  for (auto [i, input] : llvm::enumerate(inputs))
    function.setArgAttr(i, nn::kInputAttr, b.getStringAttr(input.first));
  for (auto [i, output] : llvm::enumerate(outputs))
    function.setResultAttr(i, nn::kOutputAttr, b.getStringAttr(output.first));
  b.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

void DeriveRolloutPass::addSampleLogProbability(func::FuncOp forward) {
  OpBuilder b(&getContext());
  Location loc = forward.getLoc();
  Type logits = forward.getResultTypes()[0];
  auto indices = RankedTensorType::get({ShapedType::kDynamic}, b.getI32Type());
  auto floats = RankedTensorType::get({ShapedType::kDynamic}, b.getF32Type());
  func::FuncOp function = addFunction(
      b, loc, "sample_log_probability",
      {{"logits", logits}, {"targets", indices}, {"temperature", floats}},
      {{"logp", floats}, {"entropy", floats}});
  auto op = nn::LogProbabilityOp::create(
      b, loc, floats, floats, floats, function.getArgument(0),
      function.getArgument(1), function.getArgument(2));
  func::ReturnOp::create(b, loc, ValueRange{op.getLogp(), op.getEntropy()});
}

void DeriveRolloutPass::addSample(func::FuncOp forward) {
  OpBuilder b(&getContext());
  Location loc = forward.getLoc();
  Type logits = forward.getResultTypes()[0];
  auto vector = [](Type element) {
    return RankedTensorType::get({ShapedType::kDynamic}, element);
  };
  Type indices = vector(b.getI32Type());
  Type floats = vector(b.getF32Type());
  Type doubles = vector(b.getF64Type());
  func::FuncOp function = addFunction(b, loc, "sample",
                                      {{"logits", logits},
                                       {"temperature", floats},
                                       {"recorded_temperature", floats},
                                       {"bits", vector(b.getI64Type())},
                                       {"filtered", indices},
                                       {"top_k", indices},
                                       {"top_p", doubles},
                                       {"min_p", doubles}},
                                      {{"tokens", indices},
                                       {"log_kept_mass", floats},
                                       {"status", indices},
                                       {"logp", floats},
                                       {"entropy", floats}});
  auto argument = [&](unsigned i) -> Value { return function.getArgument(i); };
  auto drawn = nn::SampleOp::create(
      b, loc,
      ValueRange{argument(0), argument(1), argument(3), argument(4),
                 argument(5), argument(6), argument(7)});
  auto logp =
      nn::LogProbabilityOp::create(b, loc, floats, floats, floats, argument(0),
                                   drawn.getToken(), argument(2));
  func::ReturnOp::create(b, loc,
                         ValueRange{drawn.getToken(), drawn.getLogKeptMass(),
                                    drawn.getStatus(), logp.getLogp(),
                                    logp.getEntropy()});
}

LogicalResult DeriveRolloutPass::derive() {
  ModuleOp module = getOperation();
  SymbolTable symbols(module);
  auto refuse = [&]() { return module.emitError("nibble-derive-rollout: "); };
  if (weights != "packed" && weights != "dequantized" &&
      weights != "unquantized")
    return refuse() << "weights='" << weights
                    << "' is not one of packed, dequantized, unquantized";
  auto training = symbols.lookup<func::FuncOp>(functionName);
  if (!training || training.isDeclaration())
    return refuse() << "there is no function '" << functionName << "'";
  if (symbols.lookup(resultName))
    return refuse() << "there is a function '" << resultName << "' already";
  PagedAttention paged(symbols, pageSize);
  if (!paged.attends(training))
    return refuse() << "'" << functionName
                    << "' does not attend, there is nothing to keep in a cache";
  auto logits = training.getNumResults() == 1
                    ? dyn_cast<RankedTensorType>(training.getResultTypes()[0])
                    : RankedTensorType();
  if (!logits || logits.getRank() != 2 || !logits.getElementType().isF32() ||
      logits.isDynamicDim(1))
    return refuse() << "'" << functionName
                    << "' does not return logits, tensor<?xVxf32>";

  MLIRContext *context = &getContext();
  func::FuncOp forward = cloneForward(training, symbols, paged);
  forward.setPublic();
  unsigned inputs = 0; // pages and rows follow the last of them
  for (unsigned i = 0; i < forward.getNumArguments(); ++i)
    if (forward.getArgAttr(i, nn::kInputAttr))
      inputs = i + 1;
  FailureOr<SmallVector<CacheTypes>> caches = paged.rewrite(forward, inputs);
  if (failed(caches))
    return failure();
  forward.setArgAttrs(inputs, named(context, nn::kInputAttr, "pages"));
  auto rows = RankedTensorType::get({ShapedType::kDynamic},
                                    IntegerType::get(context, 32));
  if (failed(forward.insertArgument(inputs + 1, rows,
                                    named(context, nn::kInputAttr, "rows"),
                                    forward.getLoc())))
    return failure();

  forward.setResultAttrs(0, named(context, nn::kOutputAttr, "logits"));
  unsigned firstCache = forward.getNumArguments() - 2 * caches->size();
  for (unsigned i = 0; i < 2 * caches->size(); ++i) {
    std::string name =
        (i % 2 == 0 ? "key_cache:" : "value_cache:") + std::to_string(i / 2);
    forward.setArgAttrs(firstCache + i, named(context, nn::kStateAttr, name));
    forward.setResultAttrs(1 + i, named(context, nn::kOutputAttr, name));
  }
  if (failed(takeRows(forward, paged.lastAcrossTokens(forward),
                      forward.getArgument(inputs + 1))))
    return failure();

  if (weights == "unquantized")
    dropFakeQuant(reachableFunctions(forward, symbols));
  if (weights == "packed" && failed(packWeights(forward, symbols)))
    return failure();
  module.walk([](nn::PagedAttentionOp) { ++NumAttentions; });
  if (!symbols.lookup("sample_log_probability"))
    addSampleLogProbability(forward);
  if (sample && !symbols.lookup("sample"))
    addSample(forward);
  return success();
}
