// Translates functions of allocations, integer arithmetic, calls and launches
// to the commands of runtime/bundle.
#include "dialects/Hopper/Hopper.h"
#include "dialects/NN/NN.h"
#include "lib/Target/Dtype.h"
#include "lib/Target/NVPTX/Compile.h"
#include "lib/Target/PackedText.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::nvptx {

namespace {

FailureOr<nibble_dtype> dtypeOf(Operation *op, Type type) {
  if (std::optional<nibble_dtype> dtype = nibble::dtypeOf(type))
    return *dtype;
  return op->emitError() << "elements of " << type
                         << " do not cross into the runtime; use f32, bf16, "
                            "f16, f64, i1, i8, i32 or i64";
}

FailureOr<ProgramValue> describe(Operation *op, Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || memref.getRank() > NIBBLE_MAX_RANK ||
      !memref.getLayout().isIdentity())
    return op->emitError() << "cannot cross into the runtime: " << type
                           << "; use a tensor of rank <= " << NIBBLE_MAX_RANK;
  FailureOr<nibble_dtype> dtype = dtypeOf(op, memref.getElementType());
  if (failed(dtype))
    return failure();
  ProgramValue value;
  value.dtype = *dtype;
  for (int64_t dim = 0; dim < memref.getRank(); ++dim)
    value.shape.push_back(memref.isDynamicDim(dim) ? -1
                                                   : memref.getDimSize(dim));
  return value;
}

FailureOr<ProgramValue> describeArgument(func::FuncOp function, unsigned i) {
  FailureOr<ProgramValue> value =
      describe(function, function.getArgument(i).getType());
  if (failed(value))
    return failure();
  value->name = "arg" + std::to_string(i);
  auto named = [&](StringRef attribute, nibble_role role) {
    if (auto text = function.getArgAttrOfType<StringAttr>(i, attribute)) {
      value->name = text.str();
      value->role = role;
    }
  };
  named(nn::kInputAttr, NIBBLE_ROLE_INPUT);
  named(nn::kParameterAttr, NIBBLE_ROLE_PARAMETER);
  named(nn::kStateAttr, NIBBLE_ROLE_STATE);
  if (auto packed = function.getArgAttrOfType<TypeAttr>(i, nn::kPackedAttr)) {
    FailureOr<std::string> text = packedText(function, packed);
    if (failed(text))
      return failure();
    value->packed = std::move(*text);
    value->dtype = NIBBLE_DTYPE_U8;
  }
  return value;
}

// Translates one function to commands.
class FunctionWriter {
public:
  FunctionWriter(DeviceProgram &program, func::FuncOp function,
                 const llvm::StringMap<int> &kernels,
                 const llvm::StringMap<int> &functions)
      : program_(program), source_(function), kernels_(kernels),
        functions_(functions) {}

  FailureOr<ProgramFunction> write() {
    function_.name = source_.getName().str();
    function_.exported = source_.isPublic();
    for (unsigned i = 0; i < source_.getNumArguments(); ++i) {
      FailureOr<ProgramValue> value = describeArgument(source_, i);
      if (failed(value))
        return failure();
      function_.arguments.push_back(std::move(*value));
      buffers_[source_.getArgument(i)] = function_.buffers++;
    }
    for (unsigned i = 0; i < source_.getNumResults(); ++i) {
      FailureOr<ProgramValue> value =
          describe(source_, source_.getResultTypes()[i]);
      if (failed(value))
        return failure();
      auto name = source_.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr);
      value->name = name ? name.str() : "result" + std::to_string(i);
      function_.results.push_back(std::move(*value));
    }
    if (!llvm::hasSingleElement(source_.getBody()))
      return source_.emitError()
             << "has branches; a program for a device is a list of commands";
    for (Operation &op : source_.getBody().front())
      if (failed(write(&op)))
        return failure();
    return std::move(function_);
  }

private:
  Command &add(Opcode opcode) {
    Command &command = function_.commands.emplace_back();
    command.opcode = opcode;
    return command;
  }

  int32_t registerOf(Value value) {
    auto [it, isNew] = registers_.try_emplace(value, function_.registers);
    if (isNew)
      ++function_.registers;
    return it->second;
  }

  int32_t newBuffer(Value value) {
    owned_.insert(value);
    return buffers_[value] = function_.buffers++;
  }

  // A register that holds a constant.
  int32_t constant(int64_t value) {
    auto [it, isNew] = constants_.try_emplace(value, function_.registers);
    if (isNew) {
      ++function_.registers;
      Command &command = add(Opcode::kConstant);
      command.result = it->second;
      command.value = value;
    }
    return it->second;
  }

  LogicalResult arithmetic(Operation *op, Opcode opcode) {
    std::vector<int32_t> operands;
    for (Value operand : op->getOperands())
      operands.push_back(registerOf(operand));
    Command &command = add(opcode);
    command.operands = std::move(operands);
    command.result = registerOf(op->getResult(0));
    return success();
  }

  LogicalResult write(Operation *op) {
    LogicalResult written = writeOne(op);
    if (failed(written) || isa<func::ReturnOp>(op))
      return written;
    // Buffers whose last use is this op are released after it.
    llvm::SmallSetVector<Value, 8> touched;
    for (Value operand : op->getOperands())
      touched.insert(rootOf(operand));
    for (Value result : op->getResults())
      touched.insert(rootOf(result));
    for (Value value : touched)
      if (owned_.contains(value) && isLastUse(value, op)) {
        add(Opcode::kRelease).operands = {buffers_.lookup(value)};
        owned_.erase(value);
      }
    return success();
  }

  // The buffer behind a tensor map or a cast.
  static Value rootOf(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (!isa<hopper::TensorMapOp, memref::CastOp>(op))
        break;
      value = op->getOperand(0);
    }
    return value;
  }

  // Whether no op after `op` uses the buffer, directly or through a tensor map
  // or a cast.
  static bool isLastUse(Value value, Operation *op) {
    for (Operation *user : value.getUsers()) {
      if (op->isBeforeInBlock(user))
        return false;
      if (isa<hopper::TensorMapOp, memref::CastOp>(user) &&
          !isLastUse(user->getResult(0), op))
        return false;
    }
    return true;
  }

  LogicalResult writeOne(Operation *op) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto integer = dyn_cast<IntegerAttr>(constant.getValue());
      if (!integer)
        return success(); // becomes no command
      Command &command = add(Opcode::kConstant);
      command.value = integer.getInt();
      command.result = registerOf(op->getResult(0));
      return success();
    }
    if (auto dim = dyn_cast<memref::DimOp>(op)) {
      std::optional<int64_t> index = dim.getConstantIndex();
      if (!index)
        return op->emitError()
               << "asks for an extent that is not known by number";
      Command &command = add(Opcode::kExtent);
      command.value = *index;
      command.operands = {buffers_.lookup(rootOf(dim.getSource()))};
      command.result = registerOf(op->getResult(0));
      return success();
    }
    if (isa<arith::AddIOp>(op))
      return arithmetic(op, Opcode::kAdd);
    if (isa<arith::SubIOp>(op))
      return arithmetic(op, Opcode::kSub);
    if (isa<arith::MulIOp>(op))
      return arithmetic(op, Opcode::kMul);
    if (isa<arith::DivUIOp>(op))
      return arithmetic(op, Opcode::kDiv);
    if (isa<arith::CeilDivUIOp>(op))
      return arithmetic(op, Opcode::kCeilDiv);
    if (isa<arith::MinUIOp, arith::MinSIOp>(op))
      return arithmetic(op, Opcode::kMin);
    if (isa<arith::MaxUIOp, arith::MaxSIOp>(op))
      return arithmetic(op, Opcode::kMax);
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      return allocate(alloc);
    if (isa<memref::DeallocOp, hopper::TensorMapOp>(op))
      return success();
    if (auto cast = dyn_cast<memref::CastOp>(op)) {
      buffers_[cast.getResult()] = buffers_.lookup(rootOf(cast.getResult()));
      return success();
    }
    if (auto global = dyn_cast<memref::GetGlobalOp>(op))
      return constantBuffer(global);
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      add(Opcode::kCopy).operands = {buffers_.lookup(rootOf(copy.getSource())),
                                     buffers_.lookup(rootOf(copy.getTarget()))};
      return success();
    }
    if (auto launch = dyn_cast<hopper::LaunchOp>(op))
      return this->launch(launch);
    if (auto call = dyn_cast<func::CallOp>(op)) {
      Command command;
      command.opcode = Opcode::kCall;
      auto callee = functions_.find(call.getCallee());
      if (callee == functions_.end())
        return op->emitError()
               << "calls '" << call.getCallee() << "', which has no body here";
      command.value = callee->second;
      for (Value operand : call.getOperands())
        command.operands.push_back(buffers_.lookup(rootOf(operand)));
      for (Value result : call.getResults())
        command.results.push_back(newBuffer(result));
      function_.commands.push_back(std::move(command));
      return success();
    }
    if (auto end = dyn_cast<func::ReturnOp>(op)) {
      for (Value operand : end.getOperands())
        function_.returned.push_back(buffers_.lookup(rootOf(operand)));
      return success();
    }
    return op->emitError() << "'" << op->getName()
                           << "' is no command of a device's program";
  }

  LogicalResult allocate(memref::AllocOp alloc) {
    MemRefType type = alloc.getType();
    FailureOr<nibble_dtype> dtype = dtypeOf(alloc, type.getElementType());
    if (failed(dtype))
      return failure();
    std::vector<int32_t> extents;
    unsigned dynamic = 0;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      extents.push_back(type.isDynamicDim(dim)
                            ? registerOf(alloc.getDynamicSizes()[dynamic++])
                            : constant(type.getDimSize(dim)));
    Command &command = add(Opcode::kAllocate);
    command.value = *dtype;
    command.operands = std::move(extents);
    command.result = newBuffer(alloc.getResult());
    return success();
  }

  LogicalResult constantBuffer(memref::GetGlobalOp op) {
    auto global = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(
        op, op.getNameAttr());
    auto values = global && global.getInitialValue()
                      ? dyn_cast<DenseElementsAttr>(*global.getInitialValue())
                      : DenseElementsAttr();
    if (!values)
      return op.emitError()
             << "constant '" << op.getName() << "' has no values";
    FailureOr<ProgramValue> value = describe(op, op.getType());
    if (failed(value))
      return failure();
    ArrayRef<char> raw = values.getRawData();
    std::string bytes(raw.begin(), raw.end());
    if (values.isSplat())
      for (int64_t i = 1; i < values.getNumElements(); ++i)
        bytes.append(raw.begin(), raw.end());
    Command &command = add(Opcode::kConstantBuffer);
    command.value = static_cast<int64_t>(program_.constants.size());
    command.result = buffers_[op.getResult()] = function_.buffers++;
    program_.constants.push_back(
        {value->dtype, value->shape, std::move(bytes)});
    return success();
  }

  CommandArgument tensorMap(hopper::TensorMapOp map) {
    CommandArgument argument;
    argument.kind = CommandArgument::kTensorMap;
    argument.map.buffer = buffers_.lookup(rootOf(map.getBuffer()));
    argument.map.elementBytes =
        cast<MemRefType>(map.getBuffer().getType()).getElementTypeBitWidth() /
        8;
    argument.map.rank = map.getBox().size();
    argument.map.swizzle = map.getSwizzle();
    for (auto [i, extent] : llvm::enumerate(map.getExtents()))
      argument.map.extents[i] = registerOf(extent);
    for (auto [i, stride] : llvm::enumerate(map.getStrides()))
      argument.map.strides[i] = registerOf(stride);
    for (auto [i, box] : llvm::enumerate(map.getBox()))
      argument.map.box[i] = box;
    return argument;
  }

  LogicalResult launch(hopper::LaunchOp op) {
    Command command;
    command.opcode = Opcode::kLaunch;
    command.value =
        kernels_.lookup(op.getKernel().getLeafReference().getValue());
    for (Value extent : {op.getGridX(), op.getGridY(), op.getGridZ()})
      command.operands.push_back(registerOf(extent));
    if (op.getOperations() || op.getTouches())
      command.operands.push_back(
          op.getOperations() ? registerOf(op.getOperations()) : constant(0));
    if (op.getTouches())
      command.operands.push_back(registerOf(op.getTouches()));
    for (Value value : op.getArguments()) {
      if (auto map = value.getDefiningOp<hopper::TensorMapOp>()) {
        command.arguments.push_back(tensorMap(map));
        continue;
      }
      CommandArgument argument;
      bool buffer = isa<MemRefType>(value.getType());
      argument.kind =
          buffer ? CommandArgument::kBuffer : CommandArgument::kInteger;
      argument.index =
          buffer ? buffers_.lookup(rootOf(value)) : registerOf(value);
      command.arguments.push_back(argument);
    }
    for (int32_t number : op.getPartly().value_or(ArrayRef<int32_t>()))
      command.arguments[number].partly = true;
    for (int32_t number : op.getConsumed().value_or(ArrayRef<int32_t>()))
      command.arguments[number].consumed = true;
    function_.commands.push_back(std::move(command));
    return success();
  }

  DeviceProgram &program_;
  func::FuncOp source_;
  const llvm::StringMap<int> &kernels_, &functions_;
  ProgramFunction function_;
  DenseMap<Value, int32_t> registers_, buffers_;
  DenseMap<int64_t, int32_t> constants_;
  DenseSet<Value> owned_; // allocated here and not released yet
};

// The kernel's own description, such as "tile 128x64x128, 8 stages".
std::string describe(gpu::GPUFuncOp kernel) {
  std::string text;
  if (auto report = kernel->getAttrOfType<DictionaryAttr>(hopper::kReportAttr))
    for (NamedAttribute entry : report) {
      text += text.empty() ? "" : ", ";
      if (auto string = dyn_cast<StringAttr>(entry.getValue()))
        text += (entry.getName().getValue() + " " + string.getValue()).str();
      else if (auto number = dyn_cast<IntegerAttr>(entry.getValue()))
        text +=
            (llvm::Twine(number.getInt()) + " " + entry.getName().getValue())
                .str();
    }
  return text;
}

// Sorts functions so that callees come before callers.
LogicalResult order(ModuleOp module, SmallVector<func::FuncOp> &ordered) {
  llvm::StringMap<func::FuncOp> byName;
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal())
      byName[function.getName()] = function;
  llvm::StringMap<int> state; // 1: being visited, 2: done
  std::function<LogicalResult(func::FuncOp)> visit =
      [&](func::FuncOp function) -> LogicalResult {
    int &mark = state[function.getName()];
    if (mark == 2)
      return success();
    if (mark == 1)
      return function.emitError()
             << "calls itself; a program for a device is a list of commands";
    mark = 1;
    WalkResult walked = function.walk([&](func::CallOp call) {
      auto callee = byName.find(call.getCallee());
      return callee == byName.end() || succeeded(visit(callee->second))
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    });
    if (walked.wasInterrupted())
      return failure();
    state[function.getName()] = 2;
    ordered.push_back(function);
    return success();
  };
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && failed(visit(function)))
      return failure();
  return success();
}

} // namespace

FailureOr<DeviceProgram> translateCommands(ModuleOp module) {
  DeviceProgram program;
  llvm::StringMap<int> kernels, functions;
  for (auto kernelModule : module.getOps<gpu::GPUModuleOp>())
    for (auto kernel : kernelModule.getOps<gpu::GPUFuncOp>()) {
      auto integer = [&](StringRef name) {
        return static_cast<uint32_t>(
            kernel->getAttrOfType<IntegerAttr>(name).getInt());
      };
      kernels[kernel.getName()] = static_cast<int>(program.kernels.size());
      uint32_t table =
          kernel->hasAttr(hopper::kTableAttr) ? integer(hopper::kTableAttr) : 0;
      program.kernels.push_back(
          {kernel.getName().str(), integer(hopper::kThreadsAttr),
           integer(hopper::kSharedBytesAttr), integer(hopper::kClusterAttr),
           kernel->hasAttr(hopper::kOverlapAttr), table, describe(kernel)});
    }
  SmallVector<func::FuncOp> ordered;
  if (failed(order(module, ordered)))
    return failure();
  for (func::FuncOp function : ordered)
    functions[function.getName()] = static_cast<int>(functions.size());
  for (func::FuncOp function : ordered) {
    FailureOr<ProgramFunction> written =
        FunctionWriter(program, function, kernels, functions).write();
    if (failed(written))
      return failure();
    program.functions.push_back(std::move(*written));
  }
  return program;
}

} // namespace nibble::nvptx
