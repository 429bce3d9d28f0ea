// A program for a device: kernels, and for each function the commands that
// launch them.
//
// The commands are data, not code: straight-line, over integer registers and
// buffers. So a bundle runs on any host, nothing in it can do harm beyond what
// is checked here, and the memory of a call is planned before it runs: every
// buffer's size follows from the extents of the arguments.
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

// Names own their text here; nibble_value_info points into them.
struct ProgramValue {
  std::string name, packed; // packed: scheme and layout of a packed weight as
                            // text, else empty
  nibble_role role = NIBBLE_ROLE_INPUT;
  nibble_dtype dtype = NIBBLE_DTYPE_F32;
  std::vector<int64_t> shape; // -1: known at the call only
};

struct ProgramKernel {
  std::string name; // the entry's
  uint32_t threads = 0;
  uint32_t sharedBytes = 0;
  uint32_t cluster = 1;
  bool overlap = false;
  uint32_t table = 0; // of its arguments the last so many, buffers and
                      // integers, lie in one parameter (Launch::table)
  std::string description = {}; // for reports: tile, stages, splits
};

// The parts of TensorMap that are known at compile time, and where the rest
// comes from.
struct TensorMapArgument {
  int32_t buffer = 0;
  int64_t offsetBytes = 0; // from the buffer's beginning; a multiple of 16
  uint32_t elementBytes = 2;
  uint32_t rank = 2;
  uint32_t swizzle = 0;
  std::array<int32_t, 5> extents{}; // registers, innermost first
  std::array<int32_t, 4> strides{}; // registers: bytes, of dimension i + 1
  std::array<uint32_t, 5> box{};
};

struct CommandArgument {
  enum Kind : int32_t { kBuffer, kInteger, kTensorMap } kind = kBuffer;
  int32_t index = 0; // buffer or register
  // A buffer or tensor map of a launch: `partly`, it touches a part of it and
  // not all; `consumed`, it uses it up, as a list from which blocks take their
  // work, so that it has to be as it was before the launch can run again.
  bool partly = false, consumed = false;
  TensorMapArgument map; // of kTensorMap
};

enum class Opcode : int32_t {
  kConstant, // r[result] = value
  kExtent,   // r[result] = extent `value` of buffer operands[0]
  kAdd, // r[result] = r[operands[0]] + r[operands[1]], likewise the next ones;
        // overflow is an error
  kSub,
  kMul,
  kDiv,     // unsigned, rounds down; division by 0 is an error
  kCeilDiv, // unsigned, rounds up
  kMin,
  kMax,
  kAllocate, // buffer result of dtype `value`, extents r[operands...]; its
             // content is undefined
  kConstantBuffer, // buffer result is constant number `value` of the program
  kRelease,        // buffer operands[0] is used no more
  kCopy,   // buffer operands[0] into buffer operands[1], of the same bytes
  kFill,   // every byte of buffer operands[0] becomes `value`
  kLaunch, // kernel `value`, grid r[operands[0..2]], arguments; a grid with an
           // extent 0 launches nothing. A fourth operand: operations of the
           // matrix units, two for each multiply-add; a fifth: bytes that it
           // touches of the buffers that it touches partly, all together. Both
           // are for reports
  kCall,   // function `value`, buffers operands..., its results are buffers
           // results...
};

struct Command {
  Opcode opcode = Opcode::kConstant;
  int32_t result = -1;
  int64_t value = 0;
  std::vector<int32_t> operands;
  std::vector<int32_t> results;           // kCall
  std::vector<CommandArgument> arguments; // kLaunch
};

// Buffers 0 .. arguments-1 are the arguments. Registers and buffers are
// assigned before they are used, each once.
struct ProgramFunction {
  std::string name;
  bool exported = true; // called from outside; the others only by kCall, and
                        // never by themselves in a circle
  std::vector<ProgramValue> arguments,
      results; // of one that is not exported only dtype and shape count
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

// Bad input naming function and command when an index, a count, a type or an
// order is not as stated above. Everything that comes from a file goes through
// it before it is used.
Status check(const DeviceProgram &program);

// As JSON text (without the image) and back; parsing checks.
std::string toJson(const DeviceProgram &program);
Result<DeviceProgram> parseDeviceProgram(std::string_view text,
                                         std::string_view where);

} // namespace nibble
