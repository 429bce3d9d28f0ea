// nibble-differentiate: builds the step function of a forward function by one
// reverse sweep.
//
// The step is the forward function followed by its reverse sweep. The rules are
// in *Gradients.cpp. Calls of private functions become calls of their backward
// functions (FunctionGradients.h).
#include "passes/Differentiate/FunctionGradients.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"
#include "passes/Differentiate/Rules/Expression.h"
#include "passes/Differentiate/ShiftInvariance.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/Statistic.h"

#define DEBUG_TYPE "nibble-differentiate"

ALWAYS_ENABLED_STATISTIC(NumArguments,
                         "arguments that the function is differentiated by");

namespace nibble {
#define GEN_PASS_DEF_DIFFERENTIATEPASS
#include "passes/Differentiate/Passes.h.inc"
} // namespace nibble

using namespace mlir;
using namespace nibble;

namespace {

class DifferentiatePass
    : public nibble::impl::DifferentiatePassBase<DifferentiatePass> {
public:
  using DifferentiatePassBase::DifferentiatePassBase;

  void runOnOperation() override {
    auto forward = getOperation().lookupSymbol<func::FuncOp>(function);
    if (!forward) {
      getOperation().emitError()
          << "nibble-differentiate: there is no function @" << function
          << "; name one with function=";
      return signalPassFailure();
    }
    if (getOperation().lookupSymbol(resultFunction)) {
      getOperation().emitError()
          << "nibble-differentiate: @" << resultFunction
          << " exists already; choose another name with result-function=";
      return signalPassFailure();
    }
    if (failed(chooseArguments(forward)) || failed(buildStep(forward)))
      return signalPassFailure();
    NumArguments += chosen_.size();
  }

private:
  LogicalResult chooseArguments(func::FuncOp forward);
  LogicalResult addSeeds(func::FuncOp step, ValueRange returned,
                         Gradients &gradients);
  LogicalResult buildStep(func::FuncOp forward);

  // Numbers of the arguments to differentiate with respect to, ascending.
  SmallVector<unsigned> chosen_;
};

} // namespace

LogicalResult DifferentiatePass::chooseArguments(func::FuncOp forward) {
  chosen_.clear();
  StringRef text = wrt;
  if (text == "parameters") {
    for (unsigned i = 0; i < forward.getNumArguments(); ++i)
      if (!argumentName(forward, i, nn::kParameterAttr).empty())
        chosen_.push_back(i);
    if (chosen_.empty())
      return forward.emitError()
             << "nibble-differentiate: no argument of @" << forward.getSymName()
             << " carries nn.parameter; mark the parameters, or name arguments "
                "with wrt=args=0,2";
  } else {
    if (!text.consume_front("args="))
      return forward.emitError() << "nibble-differentiate: wrt is 'parameters' "
                                    "or 'args=<numbers>', not '"
                                 << text << "'";
    SmallVector<StringRef> numbers;
    text.split(numbers, ',');
    for (StringRef number : numbers) {
      unsigned value;
      if (number.getAsInteger(10, value) || value >= forward.getNumArguments())
        return forward.emitError()
               << "nibble-differentiate: wrt names argument '" << number
               << "'; @" << forward.getSymName() << " has "
               << forward.getNumArguments();
      chosen_.push_back(value);
    }
    llvm::sort(chosen_);
    chosen_.erase(llvm::unique(chosen_), chosen_.end());
  }
  for (unsigned i : chosen_)
    if (!isa<FloatType>(getElementTypeOrSelf(forward.getArgumentTypes()[i])))
      return forward.emitError()
             << "nibble-differentiate: argument " << i << " of @"
             << forward.getSymName() << " has type "
             << forward.getArgumentTypes()[i] << ", which has no gradient";
  return success();
}

// Adds the gradients of the returned values: 1 for the first result, a scalar,
// or one more argument for each float result.
LogicalResult DifferentiatePass::addSeeds(func::FuncOp step,
                                          ValueRange returned,
                                          Gradients &gradients) {
  Block &block = step.getBody().front();
  if (seed == "arguments") {
    for (auto [number, value] : llvm::enumerate(returned)) {
      if (!isa<FloatType>(getElementTypeOrSelf(value.getType())))
        continue;
      auto name = StringAttr::get(&getContext(),
                                  "gradient:result" + std::to_string(number));
      auto attributes = DictionaryAttr::get(
          &getContext(),
          NamedAttribute(StringAttr::get(&getContext(), nn::kInputAttr), name));
      unsigned position = step.getNumArguments();
      if (failed(step.insertArgument(position, value.getType(), attributes,
                                     step.getLoc())))
        return failure();
      gradients.add(value, block.getArgument(position));
    }
    return success();
  }
  if (seed != "one")
    return step.emitError()
           << "nibble-differentiate: seed is 'one' or 'arguments', not '"
           << seed << "'";
  Type type = returned.empty() ? Type() : returned.front().getType();
  auto tensor = dyn_cast_or_null<RankedTensorType>(type);
  bool scalar = type && (isa<FloatType>(type) ||
                         (tensor && tensor.getRank() == 0 &&
                          isa<FloatType>(tensor.getElementType())));
  if (!scalar)
    return step.emitError()
           << "nibble-differentiate: the first result of @" << function
           << " must be a float scalar, the loss; give the gradients of the "
              "results yourself with seed=arguments";
  gradients.add(returned.front(),
                constantLike(gradients.getBuilder(), step.getLoc(),
                             returned.front(), getElementTypeOrSelf(type),
                             1.0));
  return success();
}

LogicalResult DifferentiatePass::buildStep(func::FuncOp forward) {
  FunctionGradients functions(getOperation(), recompute == "layer");
  if (recompute != "layer" && recompute != "none")
    return forward.emitError()
           << "nibble-differentiate: recompute is 'layer' or 'none', not '"
           << recompute << "'";
  Location loc = forward.getLoc();
  OpBuilder builder(&getContext());
  auto step =
      func::FuncOp::create(loc, resultFunction, forward.getFunctionType());
  if (ArrayAttr attributes = forward.getArgAttrsAttr())
    step.setArgAttrsAttr(attributes);
  functions.insert(step, forward);
  Block *block = step.addEntryBlock();
  builder.setInsertionPointToStart(block);
  FailureOr<SmallVector<Value>> cloned =
      cloneForward(forward, block->getArguments(), builder);
  if (failed(cloned))
    return failure();
  func::ReturnOp::create(builder, loc, *cloned);
  if (failed(simplifyForward(step)))
    return failure();

  Operation *terminator = block->getTerminator();
  builder.setInsertionPoint(terminator);
  Gradients gradients(builder, &functions);
  gradients.setLocation(loc);
  auto string = [&](const Twine &text) { return builder.getStringAttr(text); };
  auto attribute = [&](StringRef name, const Twine &text) {
    return builder.getDictionaryAttr(builder.getNamedAttr(name, string(text)));
  };
  for (unsigned i : chosen_) {
    StringRef name = argumentName(step, i, nn::kParameterAttr);
    if (name.empty()) {
      gradients.want(block->getArgument(i));
      continue;
    }
    auto type = cast<RankedTensorType>(block->getArgument(i).getType());
    unsigned position = step.getNumArguments();
    if (failed(step.insertArgument(
            position, withElement(type, computeType(type.getElementType())),
            attribute(nn::kStateAttr, "gradient:" + name), loc)))
      return failure();
    gradients.wantInto(block->getArgument(i), block->getArgument(position));
  }
  SmallVector<Operation *> forwardOps = opsOf(step);
  for (Value value : findShiftInvariant(forwardOps))
    gradients.setGradientZero(value);
  gradients.propagate(forwardOps);
  SmallVector<Value> returned(terminator->getOperands());
  if (failed(addSeeds(step, returned, gradients)) ||
      failed(reverseSweep(forwardOps, gradients)))
    return failure();

  // The results are those of the forward, then updated accumulators and the
  // gradients of other arguments, in argument order.
  SmallVector<Value> results(terminator->getOperands());
  SmallVector<DictionaryAttr> resultAttributes;
  for (unsigned i = 0; i < results.size(); ++i)
    resultAttributes.push_back(forward.getResultAttrDict(i));
  gradients.setLocation(loc);
  for (unsigned i : chosen_) {
    Value argument = block->getArgument(i);
    if (Value accumulator = gradients.accumulatorOf(argument)) {
      results.push_back(accumulator);
      resultAttributes.push_back(
          attribute(nn::kOutputAttr,
                    "gradient:" + argumentName(step, i, nn::kParameterAttr)));
      continue;
    }
    Value gradient = gradients.of(argument);
    Type element = getElementTypeOrSelf(gradients.gradientType(argument));
    results.push_back(gradient
                          ? gradient
                          : constantLike(builder, loc, argument, element, 0.0));
    StringRef input = argumentName(step, i, nn::kInputAttr);
    resultAttributes.push_back(
        attribute(nn::kOutputAttr,
                  "gradient:" + (input.empty() ? "arg" + std::to_string(i)
                                               : input.str())));
  }
  terminator->setOperands(results);
  step.setFunctionType(builder.getFunctionType(block->getArgumentTypes(),
                                               ValueRange(results).getTypes()));
  for (auto [i, attributes] : llvm::enumerate(resultAttributes))
    step.setResultAttrs(i, attributes ? attributes
                                      : builder.getDictionaryAttr({}));
  SymbolTable symbols(getOperation());
  eraseDeadCode(step, symbols);
  return success();
}
