// One call of a device program's function, resolved for the extents of its
// arguments. The plan is a flat list of commands. It has the size of every
// buffer, and the offset of each temporary in one arena.
#pragma once

#include "runtime/bundle/device/device_program.h"
#include "runtime/core/tensor.h"

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace nibble {

struct PlannedBuffer {
  enum class Place {
    // Argument `index`, a parameter or state, in the residence's memory.
    kBound,
    // Argument `index`, uploaded for each call: at `offset` of the arena for
    // the whole call.
    kInput,
    kConstant, // constant `index` of the program
    kArena,    // at `offset` of the arena during commands [begin, end)
  } place = Place::kArena;
  int32_t index = -1;
  DType dtype = DType::kF32;
  Shape shape;
  int64_t bytes = 0, offset = 0;
  int64_t begin = 0, end = 0;
};

// A tensor map whose address lies `offset` bytes inside a buffer.
struct PlannedTensorMap {
  int32_t buffer = 0;
  int64_t offset = 0;
  TensorMap map;
  bool partly = false; // see CommandArgument
};
struct PlannedPointer {
  int32_t buffer = 0;
  bool partly = false, consumed = false; // see CommandArgument
};
using PlannedArgument =
    std::variant<uint64_t, PlannedPointer, PlannedTensorMap>;

struct PlannedCommand {
  enum class Kind { kLaunch, kCopy, kFill } kind = Kind::kLaunch;
  int32_t kernel = -1;
  Launch launch;
  std::vector<PlannedArgument> arguments;
  int32_t from = -1, to = -1; // buffers of a copy; a fill uses `to` only
  uint8_t value = 0;          // byte of a fill
  // Launches only: operations of the matrix units, 0 when unknown.
  int64_t operations = 0;
  // Launches only: bytes touched in buffers that are touched partly; -1 when
  // unknown before it runs.
  int64_t partlyBytes = -1;
};

struct CallPlan {
  std::vector<PlannedBuffer> buffers; // the arguments come first
  std::vector<PlannedCommand> commands;
  std::vector<int32_t> results; // buffers, one for each result of the function
  int64_t inputBytes = 0;       // inputs begin the arena
  int64_t arenaBytes = 0;       // inputs and temporaries
};

// Plans a call. `function` is an index into the program's functions, and
// `arguments` has an entry for each of its arguments. The program must have
// passed check(). Bad input naming function and command when the commands do
// not fit these extents. Examples are an overflow, a negative extent, a tensor
// map that leaves its buffer, or a grid that no device accepts.
Result<CallPlan> planCall(const DeviceProgram &program, int function,
                          std::span<const Shape> arguments);

// Bytes that a command touches. A buffer counts once, even when the command
// reads and writes it. Rows that are looked up count as often as they are
// looked up. Null when the number depends on the content of buffers, as in
// attention over pages.
std::optional<int64_t> bytesTouched(const CallPlan &plan,
                                    const PlannedCommand &command);

// The memory of the call, in lines for people: parameters, state, inputs,
// temporaries at their peak, results and total. The `largest` biggest buffers
// that are alive at the peak follow.
std::string describe(const DeviceProgram &program, int function,
                     const CallPlan &plan, int largest = 5);

} // namespace nibble
