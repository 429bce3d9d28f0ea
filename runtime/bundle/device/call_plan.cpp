// Plans a call: evaluates extents, computes buffer sizes and lists the
// commands.
#include "runtime/bundle/device/call_plan.h"

#include "runtime/bundle/device/layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

namespace {

// The limit of commands in one call, all frames together.
constexpr size_t kMostCommands = size_t{1} << 22;

class Planner {
public:
  explicit Planner(const DeviceProgram &program) : program_(program) {}
  CallPlan plan;

  // Runs one function on buffers of the plan. Returns its result buffers, each
  // held once on behalf of the caller.
  Status frame(const ProgramFunction &function,
               const std::vector<int32_t> &arguments,
               std::vector<int32_t> &returned);
  int32_t add(PlannedBuffer buffer) {
    holders_.push_back(0);
    plan.buffers.push_back(std::move(buffer));
    return static_cast<int32_t>(plan.buffers.size()) - 1;
  }
  Status place();

private:
  struct Frame {
    const ProgramFunction &function;
    std::vector<int64_t> registers;
    std::vector<int32_t> buffers; // index in the plan of each buffer
    std::vector<bool> held;       // whether this frame holds the buffer
    std::string problem = {};
  };

  bool execute(Frame &frame, const Command &command, Status &status);
  bool arithmetic(Frame &frame, const Command &command);
  bool allocate(Frame &frame, const Command &command);
  bool copyOrFill(Frame &frame, const Command &command);
  bool launch(Frame &frame, const Command &command);
  bool tensorMap(Frame &frame, const TensorMapArgument &from,
                 PlannedTensorMap &to);
  bool call(Frame &frame, const Command &command, Status &status);
  bool fits(Frame &frame, const ProgramValue &value, int32_t buffer,
            std::string_view what);

  int64_t now() const { return static_cast<int64_t>(plan.commands.size()); }
  bool append(Frame &frame, PlannedCommand command) {
    plan.commands.push_back(std::move(command));
    return plan.commands.size() < kMostCommands ||
           refuse(frame, "is one of too many");
  }
  // The lifetime of an arena buffer ends when its last holder drops it.
  void drop(int32_t buffer) {
    if (--holders_[buffer] == 0)
      plan.buffers[buffer].end = now();
  }
  static bool refuse(Frame &frame, std::string why) {
    frame.problem = std::move(why);
    return false;
  }

  const DeviceProgram &program_;
  // Number of frames that have not released each buffer.
  std::vector<int32_t> holders_;
  size_t steps_ = 0;
};

bool Planner::arithmetic(Frame &frame, const Command &command) {
  int64_t a = frame.registers[command.operands[0]];
  int64_t b = frame.registers[command.operands[1]];
  int64_t &result = frame.registers[command.result];
  bool overflow = false;
  switch (command.opcode) {
  case Opcode::kAdd:
    overflow = __builtin_add_overflow(a, b, &result);
    break;
  case Opcode::kSub:
    overflow = __builtin_sub_overflow(a, b, &result);
    break;
  case Opcode::kMul:
    overflow = __builtin_mul_overflow(a, b, &result);
    break;
  case Opcode::kDiv:
  case Opcode::kCeilDiv:
    if (a < 0 || b <= 0)
      return refuse(frame, fmt::format("divides {} by {}", a, b));
    result = a / b + (command.opcode == Opcode::kCeilDiv && a % b != 0);
    break;
  case Opcode::kMin:
    result = std::min(a, b);
    break;
  default:
    result = std::max(a, b);
  }
  return !overflow ||
         refuse(frame, fmt::format("overflows with {} and {}", a, b));
}

bool Planner::allocate(Frame &frame, const Command &command) {
  PlannedBuffer buffer;
  buffer.dtype = static_cast<DType>(command.value);
  for (int32_t extent : command.operands)
    buffer.shape.push_back(frame.registers[extent]);
  auto elements = elementCount(buffer.shape);
  if (!elements || __builtin_mul_overflow(*elements, bitsOf(buffer.dtype) / 8,
                                          &buffer.bytes))
    return refuse(frame, fmt::format("allocates {}", toString(buffer.shape)));
  buffer.begin = now();
  buffer.end = -1;
  int32_t index = add(std::move(buffer));
  holders_[index] = 1;
  frame.buffers[command.result] = index;
  frame.held[command.result] = true;
  return true;
}

bool Planner::copyOrFill(Frame &frame, const Command &command) {
  PlannedCommand planned;
  bool copy = command.opcode == Opcode::kCopy;
  planned.kind =
      copy ? PlannedCommand::Kind::kCopy : PlannedCommand::Kind::kFill;
  planned.to = frame.buffers[command.operands.back()];
  planned.value = static_cast<uint8_t>(command.value);
  if (copy) {
    planned.from = frame.buffers[command.operands[0]];
    int64_t from = plan.buffers[planned.from].bytes;
    int64_t to = plan.buffers[planned.to].bytes;
    if (from != to)
      return refuse(frame, fmt::format("copies {} bytes into {}", from, to));
  }
  if (plan.buffers[planned.to].place == PlannedBuffer::Place::kConstant)
    return refuse(frame, "writes into a constant");
  return plan.buffers[planned.to].bytes == 0 || planned.from == planned.to ||
         append(frame, std::move(planned));
}

bool Planner::tensorMap(Frame &frame, const TensorMapArgument &from,
                        PlannedTensorMap &to) {
  to.buffer = frame.buffers[from.buffer];
  to.offset = from.offsetBytes;
  to.map.elementBytes = from.elementBytes;
  to.map.rank = from.rank;
  to.map.swizzle = from.swizzle;
  // Bytes from the beginning of the first element to the end of the last.
  int64_t span = from.elementBytes;
  int64_t reach = 0;
  for (uint32_t i = 0; i < from.rank; ++i) {
    int64_t extent = frame.registers[from.extents[i]];
    int64_t stride =
        i == 0 ? from.elementBytes : frame.registers[from.strides[i - 1]];
    if (extent < 1 || extent > int64_t{1} << 32 || stride < 1 ||
        stride >= int64_t{1} << 40 || (i > 0 && stride % 16 != 0))
      return refuse(
          frame,
          fmt::format(
              "has a tensor map with extent {} and stride {} in dimension {}",
              extent, stride, i));
    if (__builtin_mul_overflow(extent - 1, stride, &reach) ||
        __builtin_add_overflow(span, reach, &span))
      return refuse(frame, "has a tensor map that overflows");
    to.map.extents[i] = static_cast<uint64_t>(extent);
    if (i > 0)
      to.map.strides[i - 1] = static_cast<uint64_t>(stride);
    to.map.box[i] = from.box[i];
  }
  int64_t bytes = plan.buffers[to.buffer].bytes;
  return (from.offsetBytes <= bytes && span <= bytes - from.offsetBytes) ||
         refuse(frame,
                fmt::format(
                    "has a tensor map of {} bytes from {} of a buffer of {}",
                    span, from.offsetBytes, bytes));
}

bool Planner::launch(Frame &frame, const Command &command) {
  const ProgramKernel &kernel = program_.kernels[command.value];
  PlannedCommand planned;
  planned.kernel = static_cast<int32_t>(command.value);
  planned.launch.threads = kernel.threads;
  planned.launch.sharedBytes = kernel.sharedBytes;
  planned.launch.table = kernel.table;
  planned.launch.cluster = kernel.cluster;
  // The first launch of a call must not overlap the call before. That call may
  // still write the weights that this launch would prefetch.
  planned.launch.overlap = kernel.overlap && !plan.commands.empty();
  bool empty = false;
  for (int i = 0; i < 3; ++i) {
    int64_t extent = frame.registers[command.operands[i]];
    if (extent < 0 || extent > (i == 0 ? INT32_MAX : 65535) ||
        (i == 0 && extent % kernel.cluster != 0))
      return refuse(frame,
                    fmt::format("launches '{}' with {} blocks in dimension {}",
                                kernel.name, extent, i));
    empty |= extent == 0;
    planned.launch.grid[i] = static_cast<uint32_t>(extent);
  }
  if (empty)
    return true;
  if (command.operands.size() > 3)
    planned.operations = frame.registers[command.operands[3]];
  if (command.operands.size() > 4 &&
      (planned.partlyBytes = frame.registers[command.operands[4]]) < 0)
    return refuse(frame, fmt::format("touches {} bytes", planned.partlyBytes));
  for (const CommandArgument &argument : command.arguments) {
    if (argument.kind == CommandArgument::kInteger) {
      planned.arguments.push_back(
          static_cast<uint64_t>(frame.registers[argument.index]));
    } else if (argument.kind == CommandArgument::kBuffer) {
      planned.arguments.push_back(PlannedPointer{
          frame.buffers[argument.index], argument.partly, argument.consumed});
    } else {
      PlannedTensorMap map;
      map.partly = argument.partly;
      if (!tensorMap(frame, argument.map, map))
        return false;
      planned.arguments.push_back(map);
    }
  }
  return append(frame, std::move(planned));
}

bool Planner::fits(Frame &frame, const ProgramValue &value, int32_t buffer,
                   std::string_view what) {
  const PlannedBuffer &given = plan.buffers[buffer];
  bool fits = static_cast<DType>(value.dtype) == given.dtype &&
              value.shape.size() == given.shape.size();
  for (size_t i = 0; fits && i < value.shape.size(); ++i)
    fits = value.shape[i] < 0 || value.shape[i] == given.shape[i];
  return fits ||
         refuse(frame, fmt::format("{} {} {} where {} {} is declared", what,
                                   nameOf(given.dtype), toString(given.shape),
                                   nameOf(static_cast<DType>(value.dtype)),
                                   toString(value.shape)));
}

bool Planner::call(Frame &caller, const Command &command, Status &status) {
  const ProgramFunction &callee = program_.functions[command.value];
  std::vector<int32_t> arguments, returned;
  for (size_t i = 0; i < command.operands.size(); ++i) {
    arguments.push_back(caller.buffers[command.operands[i]]);
    if (!fits(caller, callee.arguments[i], arguments.back(),
              fmt::format("passes to '{}'", callee.name)))
      return false;
  }
  if (status = frame(callee, arguments, returned); !status.isOk())
    return false;
  for (size_t i = 0; i < returned.size(); ++i) {
    caller.buffers[command.results[i]] = returned[i];
    caller.held[command.results[i]] = true;
  }
  return true;
}

bool Planner::execute(Frame &frame, const Command &command, Status &status) {
  switch (command.opcode) {
  case Opcode::kConstant:
    frame.registers[command.result] = command.value;
    return true;
  case Opcode::kExtent:
    frame.registers[command.result] =
        plan.buffers[frame.buffers[command.operands[0]]].shape[command.value];
    return true;
  case Opcode::kAllocate:
    return allocate(frame, command);
  case Opcode::kConstantBuffer: {
    const ProgramConstant &constant = program_.constants[command.value];
    PlannedBuffer buffer;
    buffer.place = PlannedBuffer::Place::kConstant;
    buffer.index = static_cast<int32_t>(command.value);
    buffer.dtype = static_cast<DType>(constant.dtype);
    buffer.shape = constant.shape;
    buffer.bytes = static_cast<int64_t>(constant.bytes.size());
    frame.buffers[command.result] = add(std::move(buffer));
    return true;
  }
  case Opcode::kRelease:
    drop(frame.buffers[command.operands[0]]);
    frame.held[command.operands[0]] = false;
    return true;
  case Opcode::kCopy:
  case Opcode::kFill:
    return copyOrFill(frame, command);
  case Opcode::kLaunch:
    return launch(frame, command);
  case Opcode::kCall:
    return call(frame, command, status);
  default:
    return arithmetic(frame, command);
  }
}

Status Planner::frame(const ProgramFunction &function,
                      const std::vector<int32_t> &arguments,
                      std::vector<int32_t> &returned) {
  Frame frame{function, std::vector<int64_t>(function.registers),
              std::vector<int32_t>(function.buffers, -1),
              std::vector<bool>(function.buffers)};
  std::copy(arguments.begin(), arguments.end(), frame.buffers.begin());
  auto wrong = [&](const std::string &where) {
    return Status::badInput(
        fmt::format("device program: function '{}': {} {}; compile it again",
                    function.name, where, frame.problem));
  };
  for (size_t i = 0; i < function.commands.size(); ++i) {
    // Nested calls may execute far more commands than the program contains.
    if (++steps_ > kMostCommands) {
      frame.problem = "is one of too many";
      return wrong(fmt::format("command {}", i));
    }
    if (Status inner; !execute(frame, function.commands[i], inner))
      return inner.isOk() ? wrong(fmt::format("command {}", i)) : inner;
  }
  for (size_t i = 0; i < function.returned.size(); ++i) {
    int32_t buffer = frame.buffers[function.returned[i]];
    if (!fits(frame, function.results[i], buffer, "returns"))
      return wrong(fmt::format("result {}", i));
    ++holders_[buffer];
    returned.push_back(buffer);
  }
  for (size_t i = 0; i < frame.held.size(); ++i)
    if (frame.held[i])
      drop(frame.buffers[i]);
  return Status::ok();
}

Status Planner::place() {
  std::vector<Lifetime> items;
  std::vector<int32_t> owners;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    PlannedBuffer &buffer = plan.buffers[i];
    if (buffer.place != PlannedBuffer::Place::kArena)
      continue;
    // A result lives to the end of the call.
    if (buffer.end < 0 || holders_[i] > 0)
      buffer.end = now() + 1;
    // Skip a buffer that nothing uses.
    if (buffer.end == buffer.begin)
      continue;
    items.push_back({buffer.bytes, buffer.begin, buffer.end});
    owners.push_back(static_cast<int32_t>(i));
  }
  int64_t temporaries = layOut(items);
  if (temporaries < 0 ||
      __builtin_add_overflow(plan.inputBytes, temporaries, &plan.arenaBytes))
    return Status::badInput("device program: a call needs more memory than "
                            "there can be; use a smaller batch");
  for (size_t i = 0; i < items.size(); ++i)
    plan.buffers[owners[i]].offset = plan.inputBytes + items[i].offset;
  return Status::ok();
}

} // namespace

Result<CallPlan> planCall(const DeviceProgram &program, int function,
                          std::span<const Shape> arguments) {
  const ProgramFunction &called = program.functions[function];
  Planner planner(program);
  std::vector<int32_t> buffers;
  for (size_t i = 0; i < called.arguments.size(); ++i) {
    const ProgramValue &value = called.arguments[i];
    PlannedBuffer buffer;
    buffer.place = value.role == NIBBLE_ROLE_INPUT
                       ? PlannedBuffer::Place::kInput
                       : PlannedBuffer::Place::kBound;
    buffer.index = static_cast<int32_t>(i);
    buffer.dtype = static_cast<DType>(value.dtype);
    buffer.shape = arguments[i];
    auto elements = elementCount(buffer.shape);
    bool fits = elements && buffer.shape.size() == value.shape.size() &&
                !__builtin_mul_overflow(*elements, bitsOf(buffer.dtype) / 8,
                                        &buffer.bytes) &&
                buffer.bytes < int64_t{1} << 62;
    for (size_t d = 0; fits && d < value.shape.size(); ++d)
      fits = value.shape[d] < 0 || value.shape[d] == buffer.shape[d];
    if (!fits)
      return Status::usage(fmt::format("program: argument '{}' of '{}' takes "
                                       "{}, not {}; give one of that shape",
                                       value.name, called.name,
                                       toString(value.shape),
                                       toString(buffer.shape)));
    if (buffer.place == PlannedBuffer::Place::kInput) {
      buffer.offset = planner.plan.inputBytes;
      int64_t rounded = (buffer.bytes + kBufferAlignment - 1) /
                        kBufferAlignment * kBufferAlignment;
      if (__builtin_add_overflow(planner.plan.inputBytes, rounded,
                                 &planner.plan.inputBytes))
        return Status::usage(fmt::format("program: the inputs of '{}' are too "
                                         "large; let a call take fewer tokens",
                                         called.name));
    }
    buffers.push_back(planner.add(std::move(buffer)));
  }
  NIBBLE_TRY(planner.frame(called, buffers, planner.plan.results));
  NIBBLE_TRY(planner.place());
  return std::move(planner.plan);
}

} // namespace nibble
