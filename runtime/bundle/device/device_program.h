// A program for a device: kernels, and for each function the commands that
// launch them.
//
// The commands are data, not code: straight-line, over integer registers and
// buffers. A bundle therefore runs on any host, and what it can do is limited
// to what is checked here. The memory of a call is planned before it runs,
// since every buffer's size follows from the extents of the arguments.
#pragma once

#include "include/nibble/ABI.h"
#include "runtime/core/status.h"
#include "runtime/drivers/device.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Owns the text of its names, to which nibble_value_info points.
struct ProgramValue {
  // packed: scheme and layout of a packed weight as text, else empty.
  std::string name, packed;
  nibble_role role = NIBBLE_ROLE_INPUT;
  nibble_dtype dtype = NIBBLE_DTYPE_F32;
  std::vector<int64_t> shape; // -1: known at the call only
};

struct ProgramKernel {
  std::string name; // name of the entry point
  uint32_t threads = 0;
  uint32_t sharedBytes = 0;
  uint32_t cluster = 1;
  bool overlap = false;
  // Number of trailing arguments, buffers and integers, that are passed in one
  // parameter (Launch::table).
  uint32_t table = 0;
  std::string description = {}; // for reports: tile, stages, splits
};

// The parts of TensorMap that are known at compile time, and the sources of the
// other parts.
struct TensorMapArgument {
  int32_t buffer = 0;
  int64_t offsetBytes = 0; // from the beginning of the buffer; a multiple of 16
  uint32_t elementBytes = 2;
  uint32_t rank = 2;
  uint32_t swizzle = 0;
  std::array<int32_t, 5> extents{}; // registers, innermost first
  // registers: bytes between elements of dimension i + 1.
  std::array<int32_t, 4> strides{};
  std::array<uint32_t, 5> box{};
};

struct CommandArgument {
  enum Kind : int32_t { kBuffer, kInteger, kTensorMap } kind = kBuffer;
  int32_t index = 0; // a buffer or a register
  // These describe a buffer or tensor map of a launch. `partly`: the launch
  // touches a part of the buffer only. `consumed`: the launch uses the buffer
  // up, like a list from which blocks take their work. The buffer must be
  // restored before the launch can run again.
  bool partly = false, consumed = false;
  TensorMapArgument map; // for kTensorMap
};

enum class Opcode : int32_t {
  kConstant, // r[result] = value
  kExtent,   // r[result] = extent `value` of buffer operands[0]
  // r[result] = sum of r[operands[i]]; overflow is an error.
  kAdd,
  kSub,
  kMul,
  kDiv,     // unsigned, rounds down; division by 0 is an error
  kCeilDiv, // unsigned, rounds up
  kMin,
  kMax,
  // Buffer result has dtype `value`, extents r[operands...] and undefined
  // content.
  kAllocate,
  kConstantBuffer, // buffer result is constant number `value` of the program
  kRelease,        // ends the use of buffer operands[0]
  kCopy, // copies buffer operands[0] to buffer operands[1] of the same size
  kFill, // sets every byte of buffer operands[0] to `value`
  // Launches kernel `value` with grid r[operands[0..2]] and the arguments;
  // launches nothing when an extent of the grid is 0. Two optional operands
  // serve reports. Operand 3 is the number of matrix-unit operations, two for
  // each multiply-add. Operand 4 is the sum of bytes touched in partly touched
  // buffers.
  kLaunch,
  // Calls function `value` with buffers operands...; its results become buffers
  // results...
  kCall,
};

struct Command {
  Opcode opcode = Opcode::kConstant;
  int32_t result = -1;
  int64_t value = 0;
  std::vector<int32_t> operands;
  std::vector<int32_t> results;           // for kCall
  std::vector<CommandArgument> arguments; // for kLaunch
};

// One function. Buffers 0 .. arguments-1 are the arguments. Each register and
// buffer is assigned once, before its use.
struct ProgramFunction {
  std::string name;
  // Callable from outside; other functions are reached by kCall only. Calls
  // form no cycle.
  bool exported = true;
  // A function that is not exported needs only their dtypes and shapes.
  std::vector<ProgramValue> arguments, results;
  int32_t registers = 0, buffers = 0;
  std::vector<Command> commands;
  std::vector<int32_t> returned; // buffers, one per result
};

struct ProgramConstant {
  nibble_dtype dtype = NIBBLE_DTYPE_F32;
  std::vector<int64_t> shape;
  std::string bytes;
};

struct DeviceProgram {
  std::vector<ProgramKernel> kernels;
  std::vector<ProgramConstant> constants;
  std::vector<ProgramFunction> functions;
  KernelImage image;
};

// Bad input naming function and command when an index, a count, a type or the
// order violates the rules above. Every program that comes from a file is
// checked before it is used.
Status check(const DeviceProgram &program);

// Converts to JSON text (without the image) and back. Parsing includes check().
std::string toJson(const DeviceProgram &program);
Result<DeviceProgram> parseDeviceProgram(std::string_view text,
                                         std::string_view where);

} // namespace nibble
