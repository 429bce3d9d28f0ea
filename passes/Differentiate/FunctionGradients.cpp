// Builds the backward function of each callee once, and splits off forwards
// that keep values for it.
#include "passes/Differentiate/FunctionGradients.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Rules/Expression.h"
#include "passes/Differentiate/ShiftInvariance.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nibble {

// "-,o,w,a|01": the key that distinguishes the backward functions of a callee.
static std::string keyOf(ArrayRef<GradientMode> arguments,
                         ArrayRef<bool> hasGradient) {
  std::string key;
  for (GradientMode mode : arguments)
    key += "-owa"[static_cast<int>(mode)];
  key += '|';
  for (bool has : hasGradient)
    key += has ? '1' : '0';
  return key;
}

FailureOr<Backward> FunctionGradients::get(func::FuncOp callee,
                                           ArrayRef<GradientMode> arguments,
                                           ArrayRef<bool> hasGradient) {
  auto key =
      std::pair(callee.getSymName().str(), keyOf(arguments, hasGradient));
  if (auto found = made_.find(key); found != made_.end())
    return found->second;
  FailureOr<Backward> backward = build(callee, arguments, hasGradient);
  if (succeeded(backward))
    made_[key] = *backward;
  return backward;
}

void FunctionGradients::insert(func::FuncOp function, func::FuncOp after) {
  symbols_.insert(function, std::next(Block::iterator(after)));
}

FailureOr<Backward> FunctionGradients::build(func::FuncOp callee,
                                             ArrayRef<GradientMode> modes,
                                             ArrayRef<bool> hasGradient) {
  MLIRContext *context = callee.getContext();
  Location loc = callee.getLoc();
  OpBuilder builder(context);
  auto function = func::FuncOp::create(
      loc, (callee.getSymName() + "_backward").str(), callee.getFunctionType());
  function.setPrivate();
  if (ArrayAttr attributes = callee.getArgAttrsAttr())
    function.setArgAttrsAttr(attributes);
  insert(function, callee);
  Block *block = function.addEntryBlock();
  builder.setInsertionPointToStart(block);
  FailureOr<SmallVector<Value>> cloned =
      cloneForward(callee, block->getArguments(), builder);
  if (failed(cloned))
    return failure();
  func::ReturnOp::create(builder, loc, *cloned);
  function.setFunctionType(builder.getFunctionType(
      block->getArgumentTypes(), ValueRange(*cloned).getTypes()));
  if (failed(simplifyForward(function)))
    return failure();

  Operation *terminator = block->getTerminator();
  SmallVector<Value> returned(terminator->getOperands());
  SmallVector<Operation *> forwardOps = opsOf(function);
  builder.setInsertionPoint(terminator);
  // Marks the border between the halves: rules may replace forward ops, but
  // never this one.
  Operation *middle =
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false));

  Gradients gradients(builder, this);
  gradients.setLocation(loc);
  SmallVector<Value> seeds(returned.size());
  for (auto [number, value] : llvm::enumerate(returned))
    if (hasGradient[number])
      seeds[number] = block->addArgument(value.getType(), loc);
  SmallVector<std::pair<unsigned, DictionaryAttr>> states;
  for (auto [number, mode] : llvm::enumerate(modes)) {
    Value argument = block->getArgument(number);
    if (mode == GradientMode::Own)
      gradients.want(argument);
    if (mode == GradientMode::Wide)
      gradients.wantWide(argument);
    if (mode != GradientMode::Accumulate)
      continue;
    Type wideType =
        withElement(argument.getType(),
                    computeType(getElementTypeOrSelf(argument.getType())));
    gradients.wantInto(argument, block->addArgument(wideType, loc));
    StringRef name = argumentName(callee, number, nn::kParameterAttr);
    if (name.empty())
      continue;
    auto state = builder.getNamedAttr(
        nn::kStateAttr, builder.getStringAttr("gradient:" + name));
    states.emplace_back(block->getNumArguments() - 1,
                        builder.getDictionaryAttr(state));
  }
  for (Value value : findShiftInvariant(forwardOps))
    gradients.setGradientZero(value);
  gradients.propagate(forwardOps);
  for (auto [value, seed] : llvm::zip(returned, seeds))
    if (seed)
      gradients.add(value, seed);
  if (failed(reverseSweep(forwardOps, gradients)))
    return failure();

  SmallVector<Value> results;
  gradients.setLocation(loc);
  for (auto [number, mode] : llvm::enumerate(modes)) {
    Value argument = block->getArgument(number);
    if (mode == GradientMode::None)
      continue;
    if (mode == GradientMode::Accumulate) {
      results.push_back(gradients.accumulatorOf(argument));
      continue;
    }
    Value gradient = gradients.of(argument);
    Type type = gradients.gradientType(argument);
    results.push_back(gradient ? gradient
                               : constantLike(builder, loc, argument,
                                              getElementTypeOrSelf(type), 0.0));
  }
  // Rules may have replaced forward ops.
  returned.assign(terminator->operand_begin(), terminator->operand_end());
  terminator->setOperands(results);
  function.setFunctionType(builder.getFunctionType(
      block->getArgumentTypes(), ValueRange(results).getTypes()));
  if (ArrayAttr attributes = callee.getArgAttrsAttr()) {
    SmallVector<Attribute> extended(attributes.begin(), attributes.end());
    extended.resize(block->getNumArguments(), builder.getDictionaryAttr({}));
    function.setArgAttrsAttr(builder.getArrayAttr(extended));
  }
  for (auto &[argument, attributes] : states)
    function.setArgAttrs(argument, attributes);

  Backward backward = {function, {}};
  if (!recompute_)
    backward.forward = splitForward(callee, function, middle, returned);
  middle->erase();
  eraseDeadCode(function, symbols_);
  if (backward.forward)
    eraseDeadCode(backward.forward, symbols_);
  return backward;
}

// Whether recomputing the op is cheaper than keeping its result, and needs
// nothing but arguments.
static bool isRepeatable(Operation *op) {
  return isa<arith::ConstantOp, tensor::EmptyOp>(op) ||
         (isa<tensor::DimOp>(op) && isa<BlockArgument>(op->getOperand(0)));
}

func::FuncOp FunctionGradients::splitForward(func::FuncOp callee,
                                             func::FuncOp backward,
                                             Operation *end,
                                             ArrayRef<Value> returned) {
  Location loc = callee.getLoc();
  Block &block = backward.getBody().front();
  SetVector<Value> kept;
  auto keep = [&](Value value) {
    Operation *op = value.getDefiningOp();
    if (op && op->getBlock() == &block && op->isBeforeInBlock(end) &&
        !isRepeatable(op))
      kept.insert(value);
  };
  for (Operation *op = end->getNextNode(); op; op = op->getNextNode())
    op->walk(
        [&](Operation *inner) { llvm::for_each(inner->getOperands(), keep); });

  auto forward = func::FuncOp::create(
      loc, (callee.getSymName() + "_forward").str(), callee.getFunctionType());
  forward.setPrivate();
  if (ArrayAttr attributes = callee.getArgAttrsAttr())
    forward.setArgAttrsAttr(attributes);
  insert(forward, callee);
  Block *copy = forward.addEntryBlock();
  OpBuilder builder = OpBuilder::atBlockEnd(copy);
  IRMapping mapping;
  mapping.map(block.getArguments().take_front(copy->getNumArguments()),
              copy->getArguments());
  for (Operation &op : llvm::make_range(block.begin(), Block::iterator(end)))
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value value : llvm::concat<const Value>(returned, kept.getArrayRef()))
    results.push_back(mapping.lookup(value));
  func::ReturnOp::create(builder, loc, results);
  forward.setFunctionType(builder.getFunctionType(
      copy->getArgumentTypes(), ValueRange(results).getTypes()));

  // The backward takes them after the callee's own arguments.
  unsigned position = callee.getNumArguments();
  for (Value value : kept) {
    if (failed(backward.insertArgument(position, value.getType(), {}, loc)))
      return {};
    value.replaceUsesWithIf(block.getArgument(position), [&](OpOperand &use) {
      return end->isBeforeInBlock(block.findAncestorOpInBlock(*use.getOwner()));
    });
    ++position;
  }
  return forward;
}

} // namespace nibble
