// nibble-attach-objective: computes the loss of an objective from logits.
#include "passes/Differentiate/FunctionGradients.h"
#include "passes/Differentiate/Passes.h"

#include "dialects/NN/NN.h"
#include "lib/Objectives/Objectives.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"

#include "llvm/ADT/Statistic.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

#define DEBUG_TYPE "nibble-attach-objective"

ALWAYS_ENABLED_STATISTIC(
    NumInputs,
    "inputs of loss and log_probability beside those of the forward");

namespace nibble {
#define GEN_PASS_DEF_ATTACHOBJECTIVEPASS
#include "passes/Differentiate/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

class AttachObjectivePass
    : public nibble::impl::AttachObjectivePassBase<AttachObjectivePass> {
public:
  using AttachObjectivePassBase::AttachObjectivePassBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
  InFlightDiagnostic error() {
    return getOperation().emitError() << "nibble-attach-objective: ";
  }
  OwningOpRef<ModuleOp> load();
  LogicalResult applyOptions(func::FuncOp objective);
  LogicalResult check(func::FuncOp objective);
  func::FuncOp begin(func::FuncOp forward, StringRef name);
  FailureOr<nn::LogProbabilityOp> logProbability(func::FuncOp function,
                                                 func::FuncOp forward,
                                                 OpBuilder &builder);
  void finish(func::FuncOp function, ArrayRef<Value> results,
              ArrayRef<std::string> names, OpBuilder &builder);
  LogicalResult buildLogProbability(func::FuncOp forward);
  LogicalResult buildLoss(func::FuncOp forward, func::FuncOp objective);
  FailureOr<Value> inputNamed(func::FuncOp loss, StringRef name, Type type);
  FailureOr<SmallVector<Value>> applyObjective(func::FuncOp objective,
                                               ArrayRef<Value> inputs,
                                               Value like, OpBuilder &builder);

  // Whether the objective works on scalars and is applied to each token
  // separately.
  bool perToken_ = true;
};

} // namespace

// Loads the file of a built-in name or of a path.
OwningOpRef<ModuleOp> AttachObjectivePass::load() {
  std::unique_ptr<llvm::MemoryBuffer> file;
  if (const Objective *builtin = builtinObjective(objective.getValue())) {
    file = llvm::MemoryBuffer::getMemBuffer(StringRef(builtin->text),
                                            objective + ".mlir");
  } else {
    auto opened = llvm::MemoryBuffer::getFile(objective, /*IsText=*/true);
    if (!opened) {
      error() << "objective '" << objective << "' is neither built in ("
              << objectiveNames(", ", ", ") << ") nor a file that can be read: "
              << opened.getError().message();
      return {};
    }
    file = std::move(*opened);
  }
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(file), {});
  // The handler prints the line of the user's file that does not parse.
  SourceMgrDiagnosticHandler handler(*sources, &getContext());
  return parseSourceFile<ModuleOp>(sources, ParserConfig(&getContext()));
}

LogicalResult AttachObjectivePass::applyOptions(func::FuncOp function) {
  llvm::StringMap<arith::ConstantOp> constants;
  function.walk([&](arith::ConstantOp constant) {
    if (auto name = constant->getAttrOfType<StringAttr>(kOptionAttr))
      constants[name.getValue()] = constant;
  });
  SmallVector<StringRef> given;
  StringRef(settings).split(given, ',', -1, /*KeepEmpty=*/false);
  for (StringRef setting : given) {
    auto [name, value] = setting.split('=');
    auto found = constants.find(name);
    if (found == constants.end()) {
      SmallVector<StringRef> known(constants.keys());
      llvm::sort(known);
      return error() << "objective '" << objective << "' has no option '"
                     << name << "'; it has "
                     << (known.empty() ? "none" : llvm::join(known, ", "));
    }
    double number;
    auto type = dyn_cast<FloatType>(found->second.getType());
    if (!type || value.getAsDouble(number))
      return error() << "option '" << name << "' of objective '" << objective
                     << "' needs a number, not '" << value << "'";
    found->second.setValueAttr(FloatAttr::get(type, number));
  }
  // The attributes that declare the option are not part of the program.
  for (auto &constant : constants)
    constant.second->setDiscardableAttrs(ArrayRef<NamedAttribute>());
  return success();
}

LogicalResult AttachObjectivePass::check(func::FuncOp function) {
  if (function.isExternal() || !function.getBody().hasOneBlock() ||
      function.getNumResults() == 0)
    return error()
           << "@objective in '" << objective
           << "' needs a body of one block and at least a loss as its result";
  perToken_ = isa<Float32Type>(function.getResultTypes().front());
  Type element = Float32Type::get(&getContext());
  Type expected = perToken_
                      ? element
                      : RankedTensorType::get({ShapedType::kDynamic}, element);
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    if (function.getResultTypes()[i] != expected)
      return error() << "result " << i << " of @objective in '" << objective
                     << "' is " << function.getResultTypes()[i]
                     << ", not f32 (one token) or tensor<?xf32> (all tokens), "
                        "the same for all results";
    if (i > 0 && !function.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr))
      return error() << "metric " << i << " of @objective in '" << objective
                     << "' has no name: give the result nn.output";
  }
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (argumentName(function, i, nn::kInputAttr).empty())
      return error() << "argument " << i << " of @objective in '" << objective
                     << "' has no name: give it nn.input";
    if (perToken_ && function.getArgumentTypes()[i] != expected)
      return error() << "argument " << i << " of @objective in '" << objective
                     << "' is " << function.getArgumentTypes()[i]
                     << ", not f32 as the results are";
  }
  return success();
}

// The argument with this nn.input, or a new one. New inputs come last, so that
// no argument number changes.
FailureOr<Value> AttachObjectivePass::inputNamed(func::FuncOp loss,
                                                 StringRef name, Type type) {
  for (unsigned i = 0; i < loss.getNumArguments(); ++i) {
    if (argumentName(loss, i, nn::kInputAttr) != name)
      continue;
    if (loss.getArgumentTypes()[i] != type)
      return error() << "input '" << name << "' is "
                     << loss.getArgumentTypes()[i] << ", not " << type
                     << " as the loss needs";
    return Value(loss.getArgument(i));
  }
  Builder builder(&getContext());
  auto attributes = builder.getDictionaryAttr(
      builder.getNamedAttr(nn::kInputAttr, builder.getStringAttr(name)));
  unsigned position = loss.getNumArguments();
  if (failed(loss.insertArgument(position, type, attributes, loss.getLoc())))
    return failure();
  ++NumInputs;
  return Value(loss.getArgument(position));
}

// The objective's results for all tokens, each tensor<?xf32>.
FailureOr<SmallVector<Value>>
AttachObjectivePass::applyObjective(func::FuncOp function,
                                    ArrayRef<Value> inputs, Value like,
                                    OpBuilder &builder) {
  if (!perToken_)
    return cloneForward(function, inputs, builder);
  Location loc = function.getLoc();
  unsigned count = function.getNumResults();
  Type element = builder.getF32Type();
  Value tokens = tensor::DimOp::create(builder, loc, like, 0);
  SmallVector<Value> outs(count);
  for (Value &out : outs)
    out = tensor::EmptyOp::create(builder, loc, ArrayRef<OpFoldResult>{tokens},
                                  element);
  SmallVector<AffineMap> maps(inputs.size() + count,
                              builder.getMultiDimIdentityMap(1));
  LogicalResult status = success();
  auto generic = linalg::GenericOp::create(
      builder, loc, ValueRange(outs).getTypes(), inputs, outs, maps,
      utils::IteratorType::parallel,
      [&](OpBuilder &nested, Location where, ValueRange arguments) {
        FailureOr<SmallVector<Value>> results =
            cloneForward(function, arguments.take_front(inputs.size()), nested);
        status = results;
        linalg::YieldOp::create(nested, where,
                                failed(results) ? arguments.take_back(count)
                                                : ValueRange(*results));
      });
  if (failed(status))
    return failure();
  return SmallVector<Value>(generic.getResults());
}

// Creates a function after `forward` with the same arguments. finish() adds its
// results.
func::FuncOp AttachObjectivePass::begin(func::FuncOp forward, StringRef name) {
  auto made =
      func::FuncOp::create(forward.getLoc(), name, forward.getFunctionType());
  if (ArrayAttr attributes = forward.getArgAttrsAttr())
    made.setArgAttrsAttr(attributes);
  SymbolTable(getOperation()).insert(made, std::next(Block::iterator(forward)));
  made.addEntryBlock();
  return made;
}

void AttachObjectivePass::finish(func::FuncOp made, ArrayRef<Value> results,
                                 ArrayRef<std::string> names,
                                 OpBuilder &builder) {
  func::ReturnOp::create(builder, made.getLoc(), results);
  made.setFunctionType(
      builder.getFunctionType(made.getBody().front().getArgumentTypes(),
                              ValueRange(results).getTypes()));
  made.removeResAttrsAttr();
  for (auto [i, name] : llvm::enumerate(names))
    made.setResultAttr(i, nn::kOutputAttr, builder.getStringAttr(name));
}

// Computes the logits of `forward` and the log-probability of the targets.
FailureOr<nn::LogProbabilityOp>
AttachObjectivePass::logProbability(func::FuncOp made, func::FuncOp forward,
                                    OpBuilder &builder) {
  Type vector =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type());
  Type indices =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  FailureOr<Value> targets = inputNamed(made, "targets", indices);
  FailureOr<Value> temperature = inputNamed(made, "temperature", vector);
  if (failed(targets) || failed(temperature))
    return failure();
  Block &block = made.getBody().front();
  builder.setInsertionPointToStart(&block);
  FailureOr<SmallVector<Value>> logits = cloneForward(
      forward, block.getArguments().take_front(forward.getNumArguments()),
      builder);
  if (failed(logits))
    return failure();
  return nn::LogProbabilityOp::create(builder, forward.getLoc(),
                                      logits->front(), *targets, *temperature);
}

// Builds the log-probabilities of given tokens without a gradient, for
// comparison with the rollout and for reference weights.
LogicalResult AttachObjectivePass::buildLogProbability(func::FuncOp forward) {
  OpBuilder builder(&getContext());
  func::FuncOp made = begin(forward, "log_probability");
  FailureOr<nn::LogProbabilityOp> logp = logProbability(made, forward, builder);
  if (failed(logp))
    return failure();
  finish(made, {logp->getLogp(), logp->getEntropy()}, {"logp", "entropy"},
         builder);
  return success();
}

LogicalResult AttachObjectivePass::buildLoss(func::FuncOp forward,
                                             func::FuncOp objectiveFunction) {
  Location loc = forward.getLoc();
  OpBuilder builder(&getContext());
  func::FuncOp loss = begin(forward, "loss");
  Type vector =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type());
  FailureOr<nn::LogProbabilityOp> made = logProbability(loss, forward, builder);
  FailureOr<Value> mask = inputNamed(loss, "mask", vector);
  FailureOr<Value> weight = inputNamed(loss, "weight", vector);
  if (failed(made) || failed(mask) || failed(weight))
    return failure();
  nn::LogProbabilityOp logp = *made;
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < objectiveFunction.getNumArguments(); ++i) {
    StringRef name = argumentName(objectiveFunction, i, nn::kInputAttr);
    Type type = perToken_ ? vector : objectiveFunction.getArgumentTypes()[i];
    FailureOr<Value> input = name == "logp" ? FailureOr<Value>(logp.getLogp())
                             : name == "entropy"
                                 ? FailureOr<Value>(logp.getEntropy())
                                 : inputNamed(loss, name, type);
    if (failed(input))
      return failure();
    inputs.push_back(*input);
  }
  FailureOr<SmallVector<Value>> terms =
      applyObjective(objectiveFunction, inputs, logp.getLogp(), builder);
  if (failed(terms))
    return failure();

  // Every term has the factor mask * weight, so that the sums over a step's
  // microbatches add up to its means. A float32 sum of partial sums depends on
  // the split. The rows are results as well: added one by one, they do not
  // depend on it.
  SmallVector<Value> results, rows;
  SmallVector<std::string> names = {"loss"};
  for (Value term : *terms) {
    Value masked = arith::MulFOp::create(builder, loc, term, *mask);
    Value weighted = arith::MulFOp::create(builder, loc, masked, *weight);
    results.push_back(nn::SumOp::create(
        builder, loc, RankedTensorType::get({}, builder.getF32Type()),
        weighted));
    rows.push_back(weighted);
  }
  results.insert(results.begin() + 1, {logp.getLogp(), logp.getEntropy()});
  names.append({"logp", "entropy"});
  for (unsigned i = 1; i < terms->size(); ++i)
    names.push_back(
        objectiveFunction.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr)
            .str());
  results.append(rows);
  for (unsigned i = 0; i < rows.size(); ++i)
    names.push_back("rows:" + (i == 0 ? "loss" : names[i + 2]));
  finish(loss, results, names, builder);
  return success();
}

LogicalResult AttachObjectivePass::run() {
  auto forward = getOperation().lookupSymbol<func::FuncOp>(function);
  if (!forward)
    return error() << "there is no function @" << function
                   << "; name one with function=";
  auto type =
      forward.getNumResults() == 0
          ? RankedTensorType()
          : dyn_cast<RankedTensorType>(forward.getResultTypes().front());
  if (!type || type.getRank() != 2 || !type.getElementType().isF32())
    return error() << "the first result of @" << function
                   << " must be the logits, tensor<?xVxf32>";
  for (StringRef name : {"loss", "log_probability"})
    if (getOperation().lookupSymbol(name))
      return error() << "@" << name << " exists already";
  OwningOpRef<ModuleOp> file = load();
  if (!file)
    return failure();
  auto objectiveFunction = file->lookupSymbol<func::FuncOp>("objective");
  if (!objectiveFunction)
    return error() << "objective '" << objective
                   << "' defines no func.func @objective";
  if (failed(check(objectiveFunction)) ||
      failed(applyOptions(objectiveFunction)))
    return failure();
  return success(succeeded(buildLogProbability(forward)) &&
                 succeeded(buildLoss(forward, objectiveFunction)));
}
