// Checks a device program before anything in it is used. Indices must be in
// range, and every register and buffer is assigned once, before its use. No
// buffer is used after its release, and calls form no cycle.
#include "lib/KnownTargets/gpu.h"
#include "runtime/bundle/device/device_program.h"
#include "runtime/core/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nibble {

namespace {

constexpr int32_t kMostSlots = 1 << 22; // registers or buffers in a function
constexpr int kMostCallDepth = 64;

// The largest value of `limit` among the known architectures.
constexpr int64_t most(int64_t GpuArchitecture::*limit) {
  int64_t result = 0;
  for (const GpuArchitecture *architecture : kGpuArchitectures)
    result = std::max(result, architecture->*limit);
  return result;
}

constexpr uint32_t kMostSharedBytes =
    most(&GpuArchitecture::sharedBytesOfBlock);
constexpr uint32_t kMostThreads = most(&GpuArchitecture::threadsOfBlock);
constexpr uint32_t kMostCluster = most(&GpuArchitecture::blocksOfCluster);
// Entries of a kernel's table, which is part of its parameters.
constexpr uint32_t kMostTable = most(&GpuArchitecture::parameterBytes) / 8;

bool isDtype(nibble_dtype dtype) {
  return dtype >= NIBBLE_DTYPE_F32 && dtype <= NIBBLE_DTYPE_F16;
}

std::string problemOf(const ProgramValue &value, bool named) {
  if (named &&
      (value.name.empty() || value.name.find('\0') != std::string::npos))
    return "has no name";
  if (!isDtype(value.dtype) || value.role < NIBBLE_ROLE_INPUT ||
      value.role > NIBBLE_ROLE_STATE)
    return "has an unknown dtype or role";
  if (value.shape.size() > NIBBLE_MAX_RANK)
    return "has too large a rank";
  for (int64_t extent : value.shape)
    if (extent < -1)
      return "has a negative extent";
  return "";
}

// Checks the commands of one function in order. `problem` describes the error
// in the current command.
class FunctionChecker {
public:
  FunctionChecker(const DeviceProgram &program, const ProgramFunction &function)
      : program_(program), function_(function) {}

  Status run() {
    if (function_.name.empty() ||
        function_.name.find('\0') != std::string::npos)
      return wrong("a function has no name");
    for (const auto *values : {&function_.arguments, &function_.results})
      for (const ProgramValue &value : *values)
        if (std::string why = problemOf(value, function_.exported);
            !why.empty())
          return wrong(fmt::format("value '{}' {}", value.name, why));
    if (function_.registers < 0 || function_.registers > kMostSlots ||
        function_.buffers > kMostSlots ||
        function_.buffers < static_cast<int32_t>(function_.arguments.size()))
      return wrong("has an impossible number of registers or buffers");
    registers_.assign(function_.registers, false);
    buffers_.assign(function_.buffers, Buffer());
    for (size_t i = 0; i < function_.arguments.size(); ++i)
      buffers_[i] = {Buffer::kForeign,
                     static_cast<int>(function_.arguments[i].shape.size())};
    for (size_t i = 0; i < function_.commands.size(); ++i)
      if (!command(function_.commands[i]))
        return wrong(fmt::format("command {} {}", i, problem_));
    if (function_.returned.size() != function_.results.size())
      return wrong("returns another number of buffers than it has results");
    for (int32_t buffer : function_.returned)
      if (!buffer_(buffer))
        return wrong("returns: " + problem_);
    return Status::ok();
  }

  std::set<int32_t> callees;

private:
  struct Buffer {
    enum State { kNone, kOwned, kForeign, kReleased } state = kNone;
    int rank = -1; // -1: not known here
  };

  Status wrong(const std::string &why) const {
    return Status::badInput(
        fmt::format("device program: function '{}': {}; compile it again",
                    function_.name, why));
  }
  bool refuse(std::string why) {
    problem_ = std::move(why);
    return false;
  }

  bool register_(int32_t index) {
    return (index >= 0 && index < function_.registers && registers_[index]) ||
           refuse(fmt::format("reads register {}, which has no value", index));
  }
  bool buffer_(int32_t index) {
    if (index < 0 || index >= function_.buffers ||
        buffers_[index].state == Buffer::kNone)
      return refuse(
          fmt::format("uses buffer {}, which there is not yet", index));
    return buffers_[index].state != Buffer::kReleased ||
           refuse(fmt::format("uses buffer {} after its release", index));
  }
  bool defineRegister(int32_t index) {
    if (index < 0 || index >= function_.registers || registers_[index])
      return refuse(fmt::format(
          "assigns register {} a second time or out of range", index));
    return registers_[index] = true;
  }
  bool defineBuffer(int32_t index, Buffer buffer) {
    if (index < 0 || index >= function_.buffers ||
        buffers_[index].state != Buffer::kNone)
      return refuse(fmt::format(
          "assigns buffer {} a second time or out of range", index));
    buffers_[index] = buffer;
    return true;
  }
  bool counts(const Command &command, size_t operands) {
    return command.operands.size() == operands ||
           refuse(fmt::format("has {} operands", command.operands.size()));
  }
  bool names(int64_t value, size_t count, const char *what) {
    return (value >= 0 && value < static_cast<int64_t>(count)) ||
           refuse(fmt::format("names {} {}", what, value));
  }

  bool tensorMap(const TensorMapArgument &map) {
    if (!buffer_(map.buffer))
      return false;
    if (map.rank < 1 || map.rank > 5 ||
        (map.elementBytes != 1 && map.elementBytes != 2 &&
         map.elementBytes != 4) ||
        map.offsetBytes < 0 || map.offsetBytes % 16 != 0)
      return refuse("has a tensor map of unknown rank, element or offset");
    if (map.swizzle != 0 && map.swizzle != 32 && map.swizzle != 64 &&
        map.swizzle != 128)
      return refuse(
          fmt::format("has a tensor map with swizzle {}", map.swizzle));
    for (uint32_t i = 0; i < map.rank; ++i) {
      if (map.box[i] < 1 || map.box[i] > 256)
        return refuse(fmt::format("has a tensor map with a box of {} elements",
                                  map.box[i]));
      if (!register_(map.extents[i]) ||
          (i + 1 < map.rank && !register_(map.strides[i])))
        return false;
    }
    if (map.box[0] * map.elementBytes % 16 != 0)
      return refuse(
          "has a tensor map whose rows of a box are no multiple of 16 bytes");
    return map.swizzle == 0 || map.box[0] * map.elementBytes <= map.swizzle ||
           refuse("has a tensor map whose box is wider than its swizzle");
  }

  bool launch(const Command &command) {
    if ((command.operands.size() != 4 && command.operands.size() != 5 &&
         !counts(command, 3)) ||
        !names(command.value, program_.kernels.size(), "kernel"))
      return false;
    for (int32_t extent : command.operands)
      if (!register_(extent))
        return false;
    uint32_t table = program_.kernels[static_cast<size_t>(command.value)].table;
    if (command.arguments.size() < table ||
        command.arguments.size() - table > 256)
      return refuse(fmt::format(
          "has {} arguments, for a table of {} and at most 256 others",
          command.arguments.size(), table));
    for (size_t i = command.arguments.size() - table;
         i < command.arguments.size(); ++i)
      if (command.arguments[i].kind == CommandArgument::kTensorMap)
        return refuse("has a tensor map in a table");
    for (const CommandArgument &argument : command.arguments) {
      bool fine = argument.kind == CommandArgument::kBuffer
                      ? buffer_(argument.index)
                  : argument.kind == CommandArgument::kInteger
                      ? register_(argument.index)
                  : argument.kind == CommandArgument::kTensorMap
                      ? tensorMap(argument.map)
                      : refuse("has an argument of unknown kind");
      if (!fine)
        return false;
    }
    return true;
  }

  bool call(const Command &command) {
    if (!names(command.value, program_.functions.size(), "function"))
      return false;
    const ProgramFunction &callee = program_.functions[command.value];
    callees.insert(static_cast<int32_t>(command.value));
    if (!counts(command, callee.arguments.size()))
      return false;
    for (int32_t buffer : command.operands)
      if (!buffer_(buffer))
        return false;
    if (command.results.size() != callee.results.size())
      return refuse("takes another number of results than the function has");
    for (size_t i = 0; i < command.results.size(); ++i)
      if (!defineBuffer(command.results[i],
                        {Buffer::kOwned,
                         static_cast<int>(callee.results[i].shape.size())}))
        return false;
    return true;
  }

  bool command(const Command &command) {
    const auto &operands = command.operands;
    switch (command.opcode) {
    case Opcode::kConstant:
      return counts(command, 0) && defineRegister(command.result);
    case Opcode::kExtent:
      return counts(command, 1) && buffer_(operands[0]) &&
             names(command.value, buffers_[operands[0]].rank, "the extent") &&
             defineRegister(command.result);
    case Opcode::kAdd:
    case Opcode::kSub:
    case Opcode::kMul:
    case Opcode::kDiv:
    case Opcode::kCeilDiv:
    case Opcode::kMin:
    case Opcode::kMax:
      return counts(command, 2) && register_(operands[0]) &&
             register_(operands[1]) && defineRegister(command.result);
    case Opcode::kAllocate:
      if (operands.size() > NIBBLE_MAX_RANK || command.value < 0 ||
          command.value > NIBBLE_DTYPE_F16)
        return refuse("allocates an unknown dtype or too large a rank");
      for (int32_t extent : operands)
        if (!register_(extent))
          return false;
      return defineBuffer(command.result,
                          {Buffer::kOwned, static_cast<int>(operands.size())});
    case Opcode::kConstantBuffer:
      return counts(command, 0) &&
             names(command.value, program_.constants.size(), "constant") &&
             defineBuffer(
                 command.result,
                 {Buffer::kForeign,
                  static_cast<int>(
                      program_.constants[command.value].shape.size())});
    case Opcode::kRelease:
      if (!counts(command, 1) || !buffer_(operands[0]))
        return false;
      if (buffers_[operands[0]].state != Buffer::kOwned)
        return refuse(fmt::format(
            "releases buffer {}, which is an argument or a constant",
            operands[0]));
      buffers_[operands[0]].state = Buffer::kReleased;
      return true;
    case Opcode::kCopy:
      return counts(command, 2) && buffer_(operands[0]) && buffer_(operands[1]);
    case Opcode::kFill:
      return counts(command, 1) && buffer_(operands[0]) &&
             names(command.value, 256, "the byte");
    case Opcode::kLaunch:
      return launch(command);
    case Opcode::kCall:
      return call(command);
    }
    return refuse("is of an unknown kind");
  }

  const DeviceProgram &program_;
  const ProgramFunction &function_;
  std::vector<bool> registers_;
  std::vector<Buffer> buffers_;
  std::string problem_;
};

// Call depth below function `index`, which is itself `above` calls deep. -1
// when the calls form a cycle or are too deep. `depths` holds 0 for functions
// not visited yet and -1 for those in progress.
int depthOf(int32_t index, int above,
            const std::vector<std::set<int32_t>> &callees,
            std::vector<int> &depths) {
  if (depths[index] != 0 || above > kMostCallDepth)
    return above > kMostCallDepth ? -1 : depths[index];
  depths[index] = -1;
  int depth = 1;
  for (int32_t callee : callees[index]) {
    int below = depthOf(callee, above + 1, callees, depths);
    if (below < 0)
      return -1;
    depth = std::max(depth, below + 1);
  }
  return depths[index] = depth;
}

Status checkKernels(const DeviceProgram &program) {
  std::set<std::string_view> names;
  for (const ProgramKernel &kernel : program.kernels) {
    if (kernel.name.empty() || kernel.name.find('\0') != std::string::npos ||
        !names.insert(kernel.name).second)
      return Status::badInput(
          fmt::format("device program: kernel '{}' has no name or one of "
                      "another; compile it again",
                      kernel.name));
    if (kernel.threads < 1 || kernel.threads > kMostThreads ||
        kernel.sharedBytes > kMostSharedBytes || kernel.cluster < 1 ||
        kernel.cluster > kMostCluster)
      return Status::badInput(fmt::format(
          "device program: kernel '{}' wants {} threads, {} bytes of shared "
          "memory, "
          "clusters of {}, which no device has; compile it again",
          kernel.name, kernel.threads, kernel.sharedBytes, kernel.cluster));
    if (kernel.table > kMostTable)
      return Status::badInput(
          fmt::format("device program: kernel '{}' has a table of {} values, "
                      "more than the {} that "
                      "a device takes; compile it again",
                      kernel.name, kernel.table, kMostTable));
  }
  return Status::ok();
}

} // namespace

Status check(const DeviceProgram &program) {
  NIBBLE_TRY(checkKernels(program));
  for (size_t i = 0; i < program.constants.size(); ++i) {
    const ProgramConstant &constant = program.constants[i];
    auto elements = elementCount(constant.shape);
    int64_t bytes = 0;
    if (!isDtype(constant.dtype) || constant.shape.size() > NIBBLE_MAX_RANK ||
        !elements ||
        __builtin_mul_overflow(*elements,
                               bitsOf(static_cast<DType>(constant.dtype)) / 8,
                               &bytes) ||
        bytes != static_cast<int64_t>(constant.bytes.size()))
      return Status::badInput(
          fmt::format("device program: constant {} has {} bytes, which its "
                      "shape does not; compile it again",
                      i, constant.bytes.size()));
  }
  std::vector<std::set<int32_t>> callees;
  std::set<std::string_view> names;
  for (const ProgramFunction &function : program.functions) {
    if (!names.insert(function.name).second)
      return Status::badInput(fmt::format(
          "device program: two functions are called '{}'; compile it again",
          function.name));
    FunctionChecker checker(program, function);
    NIBBLE_TRY(checker.run());
    callees.push_back(std::move(checker.callees));
  }
  std::vector<int> depths(program.functions.size(), 0);
  for (size_t i = program.functions.size(); i-- > 0;)
    if (int depth = depthOf(static_cast<int32_t>(i), 0, callees, depths);
        depth < 0 || depth > kMostCallDepth)
      return Status::badInput(
          fmt::format("device program: function '{}' calls in a circle or more "
                      "than {} deep; compile it again",
                      program.functions[i].name, kMostCallDepth));
  return Status::ok();
}

} // namespace nibble
