// Handmade programs of a few commands.
#pragma once

#include "runtime/bundle/device/device_program.h"
#include "test/runtime/bundle/device/fake_device.h"

namespace nibble::test {

inline Command makeCommand(Opcode opcode, int32_t result, int64_t value,
                           std::vector<int32_t> operands = {}) {
  Command command;
  command.opcode = opcode;
  command.result = result;
  command.value = value;
  command.operands = std::move(operands);
  return command;
}

inline CommandArgument bufferArgument(int32_t buffer) {
  CommandArgument argument;
  argument.index = buffer;
  return argument;
}
inline CommandArgument integerArgument(int32_t index) {
  CommandArgument argument;
  argument.kind = CommandArgument::kInteger;
  argument.index = index;
  return argument;
}

// Kernel 0: `add`(x, y, out, n). One block per 128 elements.
inline Command launchAdd(int32_t grid, int32_t one, int32_t x, int32_t y,
                         int32_t out, int32_t n) {
  Command command = makeCommand(Opcode::kLaunch, -1, 0, {grid, one, one});
  command.arguments = {bufferArgument(x), bufferArgument(y),
                       bufferArgument(out), integerArgument(n)};
  return command;
}

// main(x [?] input, bias [?] parameter, sum [?] state): sum += x + bias;
// returns x + bias. It calls `twice` for the first sum, so that there is an
// inner frame.
inline DeviceProgram smallProgram() {
  DeviceProgram program;
  program.kernels = {{"add", 128, 0, 1, false}};
  program.image = {"small", "ptx", "", "sm_90a"};
  ProgramValue x{"x", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}};
  ProgramValue bias{"bias", "", NIBBLE_ROLE_PARAMETER, NIBBLE_DTYPE_F32, {-1}};
  ProgramValue sum{"sum:all", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {-1}};
  ProgramValue out{"out", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}};

  ProgramFunction inner;
  inner.name = "inner";
  inner.exported = false;
  inner.arguments = {x, bias};
  inner.results = {out};
  inner.registers = 4;
  inner.buffers = 4;
  inner.commands = {makeCommand(Opcode::kExtent, 0, 0, {0}),
                    makeCommand(Opcode::kConstant, 1, 128),
                    makeCommand(Opcode::kConstant, 2, 1),
                    makeCommand(Opcode::kCeilDiv, 3, 0, {0, 1}),
                    makeCommand(Opcode::kAllocate, 2, 0, {0}),
                    makeCommand(Opcode::kFill, -1, 0, {2}),
                    makeCommand(Opcode::kAllocate, 3, 0, {0}),
                    launchAdd(3, 2, 0, 2, 3, 0),
                    makeCommand(Opcode::kRelease, -1, 0, {2}),
                    launchAdd(3, 2, 3, 1, 3, 0)};
  inner.returned = {3};

  ProgramFunction main;
  main.name = "main";
  main.arguments = {x, bias, sum};
  main.results = {out};
  main.registers = 4;
  main.buffers = 4;
  Command call = makeCommand(Opcode::kCall, -1, 1, {0, 1});
  call.results = {3};
  main.commands = {call,
                   makeCommand(Opcode::kExtent, 0, 0, {0}),
                   makeCommand(Opcode::kConstant, 1, 128),
                   makeCommand(Opcode::kConstant, 2, 1),
                   makeCommand(Opcode::kCeilDiv, 3, 0, {0, 1}),
                   launchAdd(3, 2, 3, 2, 2, 0)};
  main.returned = {3};
  program.functions = {main, inner};
  return program;
}

inline void addKernels(FakeDevice &device) {
  device.kernels["add"] = [](const Launch &launch,
                             std::span<const KernelArgument> arguments) {
    auto pointer = [&](int i) {
      return reinterpret_cast<float *>(std::get<uint64_t>(arguments[i]));
    };
    auto n = std::get<uint64_t>(arguments[3]);
    for (uint64_t i = 0; i < n && i < uint64_t{launch.grid[0]} * launch.threads;
         ++i)
      pointer(2)[i] = pointer(0)[i] + pointer(1)[i];
  };
}

} // namespace nibble::test
