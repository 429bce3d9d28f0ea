// Runs functions, blocks and ops by the tables of kernels.
#include "lib/Reference/Interpreter.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

ReferenceValue *Call::make(mlir::Value result, ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (extent < 0 ||
        (extent != 0 && elements > options().maxElements / extent)) {
      error() << "a result of more than " << options().maxElements
              << " elements";
      return nullptr;
    }
    elements *= extent;
  }
  if (auto tensor = dyn_cast<RankedTensorType>(result.getType()))
    if (failed(verifyCompatibleShape(tensor.getShape(), shape))) {
      error() << "the result's shape is not what " << tensor << " says";
      return nullptr;
    }
  auto value = std::make_shared<ReferenceValue>(
      ReferenceValue::zero(result.getType(), shape));
  ReferenceValue *room = value.get();
  environment[result] = std::move(value);
  return room;
}

const ReferenceOptions &Call::options() const { return interpreter.options; }

double Call::round(double value, Type element) const {
  return options().rounding == ReferenceOptions::Rounding::kExact
             ? value
             : roundTo(value, element);
}

LogicalResult Call::expectShape(mlir::Value operand,
                                ArrayRef<int64_t> shape) const {
  ArrayRef<int64_t> actual = (*this)[operand].shape;
  if (actual == shape)
    return success();
  InFlightDiagnostic diagnostic =
      error() << "an operand of type " << operand.getType() << " has shape [";
  llvm::interleaveComma(actual, diagnostic);
  diagnostic << "], but the others ask for [";
  llvm::interleaveComma(shape, diagnostic);
  return diagnostic << "]";
}

LogicalResult Call::expectInRange(mlir::Value operand, int64_t bound) const {
  for (auto [i, index] : llvm::enumerate((*this)[operand].integers))
    if (index < 0 || index >= bound)
      return error() << "entry " << i << " of an index operand is " << index
                     << ", not in 0.." << bound - 1;
  return success();
}

LogicalResult Interpreter::count(Operation *op, int64_t more) {
  steps_ += more;
  if (steps_ <= options.maxSteps)
    return success();
  return op->emitOpError() << "in the reference: stopped after "
                           << options.maxSteps << " steps";
}

LogicalResult Interpreter::runOperation(Operation &op,
                                        Environment &environment) {
  if (failed(count(&op)))
    return failure();
  Kernel kernel = kernelTable().find(op.getName().getStringRef());
  if (!kernel)
    return op.emitError() << "the reference does not know '" << op.getName()
                          << "'";
  Call call(*this, environment, &op);
  return kernel(call);
}

FailureOr<SmallVector<Handle>> Interpreter::runBlock(Block &block,
                                                     ArrayRef<Handle> arguments,
                                                     Environment &environment) {
  for (auto [argument, value] :
       llvm::zip_equal(block.getArguments(), arguments))
    environment[argument] = value;
  for (Operation &op : block.without_terminator())
    if (failed(runOperation(op, environment)))
      return failure();
  Operation *terminator = block.empty() ? nullptr : &block.back();
  if (!terminator || !terminator->hasTrait<OpTrait::IsTerminator>() ||
      terminator->getNumSuccessors())
    return block.getParentOp()->emitError()
           << "the reference runs structured code only: a block here does not "
              "end in a return or a yield";
  SmallVector<Handle> results;
  for (mlir::Value operand : terminator->getOperands())
    results.push_back(environment.find(operand)->second);
  return results;
}

FailureOr<SmallVector<Handle>>
Interpreter::callFunction(func::FuncOp function, ArrayRef<Handle> arguments) {
  if (function.isExternal() || !function.getBody().hasOneBlock())
    return function.emitError() << "the reference needs a body of one block";
  if (depth_ == options.maxCallDepth)
    return function.emitError()
           << "in the reference: calls are nested deeper than "
           << options.maxCallDepth;
  ++depth_;
  Environment environment;
  FailureOr<SmallVector<Handle>> results =
      runBlock(function.getBody().front(), arguments, environment);
  --depth_;
  return results;
}

// Checks that an argument matches the function's type.
static LogicalResult checkArgument(func::FuncOp function, unsigned index,
                                   const ReferenceValue &value) {
  Type type = function.getArgumentTypes()[index];
  auto complain = [&]() -> InFlightDiagnostic {
    return function.emitError()
           << "in the reference: argument " << index << " of '"
           << function.getName() << "' is " << type << ", not what was given: ";
  };
  if (!value.type || value.elementType() != getElementTypeOrSelf(type) ||
      isa<RankedTensorType>(type) != isa<RankedTensorType>(value.type))
    return complain() << (value.type ? value.type
                                     : NoneType::get(function.getContext()));
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    if (failed(verifyCompatibleShape(tensor.getShape(), value.shape)))
      return complain() << "another shape, " << value.type;
  size_t elements = value.isReal() ? value.reals.size() : value.integers.size();
  if (static_cast<int64_t>(elements) != value.count())
    return complain()
           << "a value whose elements are not as many as its shape has";
  return success();
}

FailureOr<SmallVector<ReferenceValue>>
nibble::evaluate(func::FuncOp function, ArrayRef<ReferenceValue> arguments,
                 const ReferenceOptions &options) {
  if (arguments.size() != function.getNumArguments())
    return function.emitError() << "in the reference: '" << function.getName()
                                << "' takes " << function.getNumArguments()
                                << " arguments, not " << arguments.size();
  SmallVector<Handle> handles;
  for (auto [index, argument] : llvm::enumerate(arguments)) {
    if (failed(checkArgument(function, index, argument)))
      return failure();
    // The caller's value outlives the run, so the handle neither copies nor
    // deletes it.
    handles.push_back(Handle(Handle(), &argument));
  }
  FailureOr<SmallVector<Handle>> results =
      Interpreter(options).callFunction(function, handles);
  if (failed(results))
    return failure();
  SmallVector<ReferenceValue> values;
  for (const Handle &result : *results)
    values.push_back(*result);
  return values;
}

const KernelTable &reference::kernelTable() {
  static const KernelTable table = [] {
    KernelTable all;
    addControlFlowKernels(all);
    addElementwiseKernels(all);
    addTensorKernels(all);
    addLinalgKernels(all);
    addLayerKernels(all);
    addLayerGradientKernels(all);
    addLinearKernels(all);
    addAttentionKernels(all);
    addPagedAttentionKernels(all);
    addLossKernels(all);
    addSampleKernels(all);
    addQATKernels(all);
    addFusedKernels(all);
    return all;
  }();
  return table;
}

bool nibble::referenceKnows(StringRef opName) {
  return kernelTable().find(opName) != nullptr;
}
