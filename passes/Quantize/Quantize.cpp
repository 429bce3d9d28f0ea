// nibble-quantize: routes the weights that a recipe names through
// qat.fake_quant.
#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"
#include "lib/Names/selection.h"
#include "lib/Numerics/scheme.h"
#include "passes/Quantize/Passes.h"
#include "passes/Quantize/Unquantized.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/Statistic.h"

#include <map>

#define DEBUG_TYPE "nibble-quantize"

ALWAYS_ENABLED_STATISTIC(NumQuantized, "weights read through fake_quant");
ALWAYS_ENABLED_STATISTIC(NumCopied,
                         "functions copied for another choice of weights");

namespace nibble {
#define GEN_PASS_DEF_QUANTIZEPASS
#include "passes/Quantize/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

// For each argument of a function, the checkpoint's name of the weight to
// quantize; null for the others.
using Choice = SmallVector<StringAttr>;

namespace {

// What to quantize and how, read from the options.
struct Recipe {
  names::Selection selection;
  qat::SchemeAttr scheme;
  StringRef functionName; // empty: every function

  Choice choiceOf(func::FuncOp function) const;
};

// Applies a recipe to a module. Each function is rewritten once for every
// choice that its callers make.
class Quantizer {
public:
  Quantizer(ModuleOp module, const Recipe &recipe)
      : module_(module), symbols_(module), recipe_(recipe) {}
  // Why the recipe cannot be limited to its function. Empty when it can, or
  // when it applies to all functions.
  std::string problemOfFunction();
  // The location of the recipe's function, or else of the first one with
  // parameters.
  Location location();
  // The parameters that the recipe is matched against, and whether linears read
  // them.
  std::vector<names::NamedWeight> parameters();
  LogicalResult run();
  // Reports each named parameter that is still read in full precision; returns
  // the number of reports.
  int64_t reportUnquantized(bool strict);

  int64_t quantized = 0; // weights
  int64_t copied = 0;    // functions

private:
  SmallVector<func::FuncOp> roots();
  bool isWeightOfLinear(BlockArgument argument);
  LogicalResult quantize(func::FuncOp function, const Choice &choice);
  FailureOr<StringAttr> calleeFor(func::CallOp call, const Choice &choice);

  ModuleOp module_;
  SymbolTable symbols_;
  const Recipe &recipe_;
  // Functions whose own parameter names are matched, instead of those of their
  // callers.
  SmallVector<func::FuncOp> judged_;
  // The copies of each function, by the arguments that they quantize.
  std::map<std::pair<Operation *, std::vector<bool>>, StringAttr> copies_;
  // Results of isWeightOfLinear.
  DenseMap<Value, bool> weights_;
  // Unchanged functions, from which further copies are made after the original
  // has been rewritten.
  DenseMap<Operation *, OwningOpRef<func::FuncOp>> originals_;
};

class QuantizePass : public nibble::impl::QuantizePassBase<QuantizePass> {
public:
  QuantizePass() = default;
  QuantizePass(const QuantizePassOptions &options)
      : QuantizePassBase(options), isFromText_(false) {}
  void runOnOperation() override;

private:
  FailureOr<qat::SchemeAttr> readScheme();
  // The patterns of a list option. Text that is empty means one empty pattern,
  // which MLIR reads as no pattern.
  std::vector<std::string> patternsOf(const ListOption<std::string> &option) {
    std::vector<std::string> patterns(option.begin(), option.end());
    if (patterns.empty() && isFromText_ && option.hasValue())
      patterns.emplace_back();
    return patterns;
  }

  bool isFromText_ = true; // whether the options come from text
};

} // namespace

Choice Recipe::choiceOf(func::FuncOp function) const {
  Choice choice(function.getNumArguments());
  if (!functionName.empty() && function.getSymName() != functionName)
    return choice;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto name =
            function.getArgAttrOfType<StringAttr>(i, nn::kParameterAttr);
        name && selection.chooses(name.getValue()))
      choice[i] = name;
  return choice;
}

static std::vector<bool> bits(const Choice &choice) {
  std::vector<bool> result;
  for (StringAttr name : choice)
    result.push_back(name != nullptr);
  return result;
}

// The symbol of the callee's copy that quantizes what this call's operands ask
// for. Makes the copy if needed.
FailureOr<StringAttr> Quantizer::calleeFor(func::CallOp call,
                                           const Choice &choice) {
  auto callee = symbols_.lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isDeclaration())
    return call.getCalleeAttr().getAttr();
  Choice inner(callee.getNumArguments());
  for (auto [i, operand] : llvm::enumerate(call.getOperands()))
    if (auto argument = dyn_cast<BlockArgument>(operand);
        argument &&
        argument.getOwner() == &call->getParentOfType<func::FuncOp>().front())
      inner[i] = choice[argument.getArgNumber()];

  auto key = std::make_pair(callee.getOperation(), bits(inner));
  if (auto it = copies_.find(key); it != copies_.end())
    return it->second;
  // The first choice rewrites the function itself, if it is private.
  bool taken = !callee.isPrivate() || originals_.contains(callee);
  func::FuncOp target = callee;
  if (taken) {
    target = originals_.contains(callee) ? originals_[callee]->clone()
                                         : callee.clone();
    target.setPrivate();
    symbols_.insert(target); // makes its name unique
    ++copied;
  } else {
    originals_[callee] = OwningOpRef<func::FuncOp>(callee.clone());
  }
  copies_[key] = target.getSymNameAttr();
  if (failed(quantize(target, inner)))
    return failure();
  return target.getSymNameAttr();
}

LogicalResult Quantizer::quantize(func::FuncOp function, const Choice &choice) {
  // Calls first, while their operands are still the plain arguments.
  SmallVector<func::CallOp> calls;
  function.walk([&](func::CallOp call) { calls.push_back(call); });
  for (func::CallOp call : calls) {
    FailureOr<StringAttr> callee = calleeFor(call, choice);
    if (failed(callee))
      return failure();
    call.setCallee(*callee);
  }

  Block &entry = function.front();
  llvm::MapVector<Value, Value> rounded;
  SmallVector<nn::LinearOp> linears;
  function.walk([&](nn::LinearOp linear) { linears.push_back(linear); });
  for (nn::LinearOp linear : linears) {
    auto argument = dyn_cast<BlockArgument>(linear.getWeight());
    if (!argument || argument.getOwner() != &entry ||
        !choice[argument.getArgNumber()])
      continue;
    Value &weight = rounded[argument];
    if (!weight) {
      StringAttr name = choice[argument.getArgNumber()];
      int64_t k = cast<RankedTensorType>(argument.getType()).getDimSize(1);
      if (!recipe_.scheme.numericsScheme().divides(k))
        return linear.emitError()
               << "N2: parameter '" << name.getValue() << "' has K = " << k
               << ", which does not divide by group_size = "
               << recipe_.scheme.getGroupSize()
               << "; exclude it or choose another group size";
      OpBuilder b(linear);
      if (linear->getBlock() != &entry)
        b.setInsertionPointToStart(&entry);
      weight = qat::FakeQuantOp::create(b, linear.getLoc(), argument.getType(),
                                        argument, recipe_.scheme);
      ++quantized;
    }
    linear.getWeightMutable().assign(weight);
  }
  return success();
}

// Public functions, and private ones without callers, are matched by their own
// names; all others by their callers' names. Functions that stay unchanged come
// first and keep the functions that they share with others.
SmallVector<func::FuncOp> Quantizer::roots() {
  DenseSet<Operation *> called;
  module_.walk([&](func::CallOp call) {
    if (Operation *callee = symbols_.lookup(call.getCallee()))
      called.insert(callee);
  });
  SmallVector<func::FuncOp> roots;
  for (bool chosen : {false, true})
    for (auto function : module_.getOps<func::FuncOp>())
      if (!function.isDeclaration() &&
          (function.isPublic() || !called.contains(function)) &&
          chosen == (function.getSymName() == recipe_.functionName))
        roots.push_back(function);
  return roots;
}

// Whether a linear reads it, directly or through fake_quant, here or in a
// function that is called with it.
bool Quantizer::isWeightOfLinear(BlockArgument argument) {
  // Functions may recurse: the answer is false while it is being computed.
  auto [entry, isNew] = weights_.try_emplace(argument, false);
  if (!isNew)
    return entry->second;
  bool isWeight = llvm::any_of(argument.getUses(), [&](OpOperand &use) {
    if (auto linear = dyn_cast<nn::LinearOp>(use.getOwner()))
      return linear.getWeight() == argument;
    if (auto rounded = dyn_cast<qat::FakeQuantOp>(use.getOwner()))
      return llvm::any_of(rounded->getUsers(), [](Operation *user) {
        return isa<nn::LinearOp>(user);
      });
    auto call = dyn_cast<func::CallOp>(use.getOwner());
    auto callee =
        call ? symbols_.lookup<func::FuncOp>(call.getCallee()) : func::FuncOp();
    return callee && !callee.isDeclaration() &&
           isWeightOfLinear(callee.getArgument(use.getOperandNumber()));
  });
  return weights_[argument] = isWeight;
}

std::string Quantizer::problemOfFunction() {
  StringRef name = recipe_.functionName;
  if (name.empty())
    return {};
  std::vector<std::string> names;
  for (func::FuncOp root : roots()) {
    if (root.getSymName() == name)
      return {};
    names.push_back(("@" + root.getSymName()).str());
  }
  std::string problem = ("there is no function @" + name).str();
  if (auto function = symbols_.lookup<func::FuncOp>(name))
    problem = ("@" + name).str() +
              (function.isDeclaration()
                   ? " is declared and not defined"
                   : " is called by others, which it is quantized with");
  return problem +
         (names.empty() ? "" : "; there are " + names::firstOf(names));
}

Location Quantizer::location() {
  std::optional<Location> first;
  for (func::FuncOp root : roots()) {
    if (!recipe_.functionName.empty() &&
        root.getSymName() != recipe_.functionName)
      continue;
    if (llvm::any_of(root.getArguments(), [&](BlockArgument argument) {
          return root.getArgAttr(argument.getArgNumber(), nn::kParameterAttr);
        }))
      return root.getLoc();
    first = first.value_or(root.getLoc());
  }
  return first.value_or(module_.getLoc());
}

std::vector<names::NamedWeight> Quantizer::parameters() {
  llvm::MapVector<StringRef, names::NamedWeight> found;
  for (func::FuncOp root : roots()) {
    if (!recipe_.functionName.empty() &&
        root.getSymName() != recipe_.functionName)
      continue;
    for (BlockArgument argument : root.getArguments())
      if (auto name = root.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                        nn::kParameterAttr)) {
        names::NamedWeight &weight =
            found.try_emplace(name.getValue()).first->second;
        weight.name = name.str();
        weight.canPack |= isWeightOfLinear(argument);
        weight.isVector = isVector(argument);
      }
  }
  std::vector<names::NamedWeight> result;
  for (auto &[name, weight] : found)
    result.push_back(std::move(weight));
  return result;
}

LogicalResult Quantizer::run() {
  SmallVector<func::FuncOp> roots = this->roots();
  for (func::FuncOp root : roots) {
    originals_[root] = OwningOpRef<func::FuncOp>(root.clone());
    copies_[{root.getOperation(), bits(recipe_.choiceOf(root))}] =
        root.getSymNameAttr();
  }
  for (func::FuncOp root : roots)
    if (failed(quantize(root, recipe_.choiceOf(root))))
      return failure();
  judged_ = std::move(roots);
  return success();
}

int64_t Quantizer::reportUnquantized(bool strict) {
  SmallVector<std::pair<StringAttr, BlockArgument>> named;
  DenseSet<StringAttr> rounded; // in some function
  for (func::FuncOp root : judged_)
    for (auto [argument, name] :
         llvm::zip(root.getArguments(), recipe_.choiceOf(root)))
      if (name) {
        named.push_back({name, argument});
        if (isQuantized(module_, argument))
          rounded.insert(name);
      }
  int64_t count = 0;
  for (auto [name, argument] : named)
    count += nibble::reportUnquantized(module_, argument, name.getValue(),
                                       rounded.contains(name), strict);
  return count;
}

FailureOr<qat::SchemeAttr> QuantizePass::readScheme() {
  Location loc = getOperation().getLoc();
  auto kind = numerics::kindNamed(scheme.getValue());
  if (!kind)
    return emitError(loc) << "nibble-quantize: scheme '" << scheme
                          << "' is not one; there are "
                          << numerics::schemeChoices(" and ");
  auto rule = numerics::conventionSpelled(convention.getValue());
  if (!rule)
    return emitError(loc) << "nibble-quantize: convention '" << convention
                          << "' is not one; there are "
                          << numerics::conventionChoices(" and ");
  numerics::Scheme asked = numerics::schemeOf(*kind, groupSize, *rule);
  auto attribute = qat::SchemeAttr::getChecked(
      [&] { return emitError(loc) << "nibble-quantize: "; }, &getContext(),
      asked.kind, asked.groupSize, asked.convention);
  if (!attribute)
    return failure();
  return attribute;
}

void QuantizePass::runOnOperation() {
  std::vector<std::string> included = patternsOf(include);
  std::vector<std::string> excluded = patternsOf(exclude);
  bool quantizes = scheme != "none";
  // A pattern that matches nothing is an error even when nothing is quantized.
  if (!quantizes && included.empty() && excluded.empty())
    return;
  FailureOr<qat::SchemeAttr> schemeAttr =
      quantizes ? readScheme() : qat::SchemeAttr();
  if (failed(schemeAttr))
    return signalPassFailure();
  ModuleOp module = getOperation();
  // Report at a location instead of an operation, which would be printed whole.
  Location loc = module.getLoc();
  auto refuse = [&](const std::string &problem) {
    emitError(loc) << "nibble-quantize: " << problem;
    signalPassFailure();
  };
  std::string problem;
  auto selection =
      names::Selection::parse(included, excluded, defaultExclude, {}, problem);
  if (!selection)
    return refuse(problem);
  Recipe recipe{std::move(*selection), *schemeAttr, functionName};
  Quantizer quantizer(module, recipe);
  if (problem = quantizer.problemOfFunction(); !problem.empty())
    return refuse(problem);
  std::vector<names::NamedWeight> parameters = quantizer.parameters();
  if (problem = recipe.selection.problemWith(parameters); !problem.empty()) {
    bool isLinear =
        llvm::any_of(parameters, [](const names::NamedWeight &weight) {
          return weight.canPack;
        });
    if (isLinear)
      return refuse(problem);
    loc = quantizer.location();
    return refuse(
        problem +
        "; nibble-recognize-linear makes linears of products in linalg");
  }
  for (const std::string &warning : recipe.selection.warningsWith(parameters)) {
    if (strict)
      return refuse(warning);
    emitWarning(loc) << "nibble-quantize: " << warning;
  }
  if (!quantizes)
    return;
  if (failed(quantizer.run()))
    return signalPassFailure();
  if (quantizer.reportUnquantized(strict) > 0 && strict)
    return signalPassFailure();
  NumQuantized += quantizer.quantized;
  NumCopied += quantizer.copied;
  if (quantizer.quantized == 0)
    refuse("the weights that include and exclude name are quantized already");
}
