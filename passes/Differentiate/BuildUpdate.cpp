// nibble-build-update: builds the optimizer update of every trained parameter.
#include "passes/Differentiate/Passes.h"
#include "passes/Weights/Weights.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "llvm/ADT/Statistic.h"
#include "llvm/ADT/StringSet.h"

#define DEBUG_TYPE "nibble-build-update"

ALWAYS_ENABLED_STATISTIC(NumUpdated, "parameters that are updated");
ALWAYS_ENABLED_STATISTIC(NumPacked,
                         "parameters whose update writes their packed weight");

namespace nibble {
#define GEN_PASS_DEF_BUILDUPDATEPASS
#include "passes/Differentiate/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

// A parameter that has a gradient in the step.
struct Trained {
  StringRef name;
  RankedTensorType weight;
  // The type that it is quantized to; null when it is not quantized.
  qat::PackedType packed;
};

class BuildUpdatePass final
    : public nibble::impl::BuildUpdatePassBase<BuildUpdatePass> {
public:
  using BuildUpdatePassBase::BuildUpdatePassBase;

  void runOnOperation() override {
    if (failed(run()))
      signalPassFailure();
  }

private:
  LogicalResult run();
  FailureOr<SmallVector<Trained>> trainedParameters(func::FuncOp step,
                                                    SymbolTable &symbols);
  FailureOr<qat::SchemeAttr> schemeOf(BlockArgument argument,
                                      SymbolTable &symbols);
  func::FuncOp makeFunction(StringRef name, func::FuncOp after,
                            SymbolTable &symbols);
  Value addArgument(func::FuncOp function, Type type, StringRef attribute,
                    const Twine &name);
  void finish(func::FuncOp function, ArrayRef<Value> results,
              ArrayRef<std::string> names);
  void buildUpdate(func::FuncOp function, ArrayRef<Trained> parameters);
  void buildNorm(func::FuncOp function, ArrayRef<Trained> parameters);
};

} // namespace

// The scheme under which `argument` is quantized, here or in callees; null when
// it is not.
FailureOr<qat::SchemeAttr> BuildUpdatePass::schemeOf(BlockArgument argument,
                                                     SymbolTable &symbols) {
  qat::SchemeAttr found;
  for (OpOperand &use : argument.getUses()) {
    qat::SchemeAttr scheme;
    if (auto fakeQuant = dyn_cast<qat::FakeQuantOp>(use.getOwner())) {
      scheme = fakeQuant.getScheme();
    } else if (auto call = dyn_cast<func::CallOp>(use.getOwner())) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!callee || callee.isDeclaration())
        continue;
      FailureOr<qat::SchemeAttr> inner =
          schemeOf(callee.getArgument(use.getOperandNumber()), symbols);
      if (failed(inner))
        return failure();
      scheme = *inner;
    }
    if (scheme && found && scheme != found)
      return use.getOwner()->emitError()
             << "nibble-build-update: one weight is read under two schemes, "
             << found << " and " << scheme;
    found = scheme ? scheme : found;
  }
  return found;
}

FailureOr<SmallVector<Trained>>
BuildUpdatePass::trainedParameters(func::FuncOp step, SymbolTable &symbols) {
  llvm::StringSet<> gradients;
  for (unsigned i = 0; i < step.getNumArguments(); ++i)
    if (auto state = step.getArgAttrOfType<StringAttr>(i, nn::kStateAttr);
        state && state.getValue().starts_with("gradient:"))
      gradients.insert(
          state.getValue().drop_front(StringRef("gradient:").size()));
  SmallVector<Trained> parameters;
  for (BlockArgument argument : step.getArguments()) {
    auto name = step.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                  nn::kParameterAttr);
    if (!name || !gradients.contains(name.getValue()))
      continue;
    auto weight = dyn_cast<RankedTensorType>(argument.getType());
    if (!weight)
      return step.emitError()
             << "nibble-build-update: parameter '" << name.getValue()
             << "' of @" << functionName
             << " is packed already; build the update before hoisting";
    if (!weight.hasStaticShape())
      return step.emitError()
             << "nibble-build-update: parameter '" << name.getValue()
             << "' of @" << functionName << " has the open shape " << weight;
    FailureOr<qat::SchemeAttr> scheme = schemeOf(argument, symbols);
    if (failed(scheme))
      return failure();
    qat::PackedType packed;
    if (*scheme)
      packed = qat::PackedType::get(&getContext(), weight.getDimSize(0),
                                    weight.getDimSize(1), *scheme,
                                    qat::Layout::Host);
    parameters.push_back({name.getValue(), weight, packed});
  }
  if (parameters.empty())
    return step.emitError() << "nibble-build-update: @" << functionName
                            << " accumulates no gradient of a parameter; run "
                               "nibble-differentiate first";
  return parameters;
}

func::FuncOp BuildUpdatePass::makeFunction(StringRef name, func::FuncOp after,
                                           SymbolTable &symbols) {
  auto function = func::FuncOp::create(
      after.getLoc(), name, FunctionType::get(&getContext(), {}, {}));
  function.addEntryBlock();
  symbols.insert(function, std::next(Block::iterator(after)));
  return function;
}

Value BuildUpdatePass::addArgument(func::FuncOp function, Type type,
                                   StringRef attribute, const Twine &name) {
  Builder builder(&getContext());
  auto attributes = builder.getDictionaryAttr(
      builder.getNamedAttr(attribute, builder.getStringAttr(name)));
  // Insertion as the last argument cannot fail, because no argument has to
  // move.
  LogicalResult inserted = function.insertArgument(
      function.getNumArguments(), type, attributes, function.getLoc());
  assert(succeeded(inserted) && "a new function takes any argument");
  (void)inserted;
  return function.getArguments().back();
}

void BuildUpdatePass::finish(func::FuncOp function, ArrayRef<Value> results,
                             ArrayRef<std::string> names) {
  auto builder = OpBuilder::atBlockEnd(&function.getBody().front());
  func::ReturnOp::create(builder, function.getLoc(), results);
  function.setFunctionType(builder.getFunctionType(
      function.getArgumentTypes(), ValueRange(results).getTypes()));
  for (auto [i, name] : llvm::enumerate(names))
    function.setResultAttr(i, nn::kOutputAttr, builder.getStringAttr(name));
}

void BuildUpdatePass::buildUpdate(func::FuncOp function,
                                  ArrayRef<Trained> parameters) {
  Location loc = function.getLoc();
  auto builder = OpBuilder::atBlockBegin(&function.getBody().front());
  Type f32 = builder.getF32Type();
  Value hyper = addArgument(function, RankedTensorType::get({8}, f32),
                            nn::kInputAttr, "hyper");
  SmallVector<Value> results;
  SmallVector<std::string> names;
  auto give = [&](StringRef kind, const Trained &parameter, Value value) {
    results.push_back(value);
    names.push_back((kind + parameter.name).str());
  };
  for (const Trained &parameter : parameters) {
    Type wide = RankedTensorType::get(parameter.weight.getShape(), f32);
    Value master =
        addArgument(function, wide, nn::kStateAttr, "master:" + parameter.name);
    Value moment1 = addArgument(function, wide, nn::kStateAttr,
                                "moment1:" + parameter.name);
    Value moment2 = addArgument(function, wide, nn::kStateAttr,
                                "moment2:" + parameter.name);
    Value gradient = addArgument(function, wide, nn::kStateAttr,
                                 "gradient:" + parameter.name);
    // Destinations of the new weight and its packed form, which are written and
    // never read.
    addArgument(function, parameter.weight, nn::kStateAttr,
                "weight:" + parameter.name);
    auto adamw =
        nn::AdamWOp::create(builder, loc, wide, wide, wide, parameter.weight,
                            master, moment1, moment2, gradient, hyper);
    give("master:", parameter, adamw.getNewMaster());
    give("moment1:", parameter, adamw.getNewMoment1());
    give("moment2:", parameter, adamw.getNewMoment2());
    give("weight:", parameter, adamw.getWeight());
    if (!parameter.packed)
      continue;
    addArgument(function, parameter.packed, nn::kStateAttr,
                "packed:" + parameter.name);
    give("packed:", parameter,
         qat::QuantizeOp::create(builder, loc, parameter.packed,
                                 adamw.getWeight()));
  }
  finish(function, results, names);
}

// Square root of the sum of squares over all gradients, in the order of the
// parameters.
void BuildUpdatePass::buildNorm(func::FuncOp function,
                                ArrayRef<Trained> parameters) {
  Location loc = function.getLoc();
  auto builder = OpBuilder::atBlockBegin(&function.getBody().front());
  Type f32 = builder.getF32Type();
  auto scalar = RankedTensorType::get({}, f32);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         DenseElementsAttr::get(scalar, 0.0f));
  SmallVector<Value> gradients;
  for (const Trained &parameter : parameters)
    gradients.push_back(addArgument(
        function, RankedTensorType::get(parameter.weight.getShape(), f32),
        nn::kStateAttr, "gradient:" + parameter.name));
  Value sum = nn::SquareSumOp::create(builder, loc, zero, gradients);
  finish(function, math::SqrtOp::create(builder, loc, sum).getResult(),
         {"norm"});
}

LogicalResult BuildUpdatePass::run() {
  SymbolTable symbols(getOperation());
  auto step = symbols.lookup<func::FuncOp>(functionName);
  if (!step || step.isDeclaration())
    return getOperation().emitError()
           << "nibble-build-update: there is no function @" << functionName
           << "; name one with function=";
  for (StringRef name : {"update", "gradient_norm"})
    if (symbols.lookup(name))
      return getOperation().emitError()
             << "nibble-build-update: @" << name << " exists already";
  FailureOr<SmallVector<Trained>> parameters = trainedParameters(step, symbols);
  if (failed(parameters))
    return failure();
  NumUpdated += parameters->size();
  for (const Trained &parameter : *parameters)
    NumPacked += parameter.packed ? 1 : 0;
  func::FuncOp update = makeFunction("update", step, symbols);
  buildUpdate(update, *parameters);
  buildNorm(makeFunction("gradient_norm", update, symbols), *parameters);
  return success();
}
