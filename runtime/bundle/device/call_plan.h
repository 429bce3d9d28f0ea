// One call of a device program's function, resolved for the extents of its
// arguments: a flat list of commands, every buffer with its size, and where
// each temporary lies in one arena.
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
    kBound,    // argument `index` that is parameter or state: memory of the
               // residence
    kInput,    // argument `index` that is given anew: at `offset` of the arena,
               // for the whole call
    kConstant, // constant `index` of the program
    kArena,    // at `offset` of the arena in commands [begin, end)
  } place = Place::kArena;
  int32_t index = -1;
  DType dtype = DType::kF32;
  Shape shape;
  int64_t bytes = 0, offset = 0;
  int64_t begin = 0, end = 0;
};

// A tensor map whose address is `offset` bytes into a buffer.
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
  int32_t from = -1, to = -1; // buffers of a copy; of a fill `to`
  uint8_t value = 0;          // of a fill
  int64_t operations = 0;   // of a launch: of the matrix units, when it says so
  int64_t partlyBytes = -1; // of a launch: bytes of the buffers that it touches
                            // partly; -1: not known before it runs
};

struct CallPlan {
  std::vector<PlannedBuffer> buffers; // arguments first
  std::vector<PlannedCommand> commands;
  std::vector<int32_t> results; // buffers, one per result of the function
  int64_t inputBytes = 0;       // at the beginning of the arena
  int64_t arenaBytes = 0;       // inputs and temporaries
};

// `function` is an index into the program's functions; `arguments` has an entry
// for each of its arguments. Bad input naming function and command when the
// commands do not fit together for these extents: an overflow, a negative
// extent, a tensor map that leaves its buffer, a grid that no device takes. The
// program is checked already.
Result<CallPlan> planCall(const DeviceProgram &program, int function,
                          std::span<const Shape> arguments);

// Bytes that a command touches: of a buffer each once, also where it reads and
// writes them, and of rows that it looks up as often as they are looked up.
// Null when that depends on what is in its buffers, as of attention over pages.
std::optional<int64_t> bytesTouched(const CallPlan &plan,
                                    const PlannedCommand &command);

// What the call keeps in memory, in lines for people: parameters, state,
// inputs, temporaries at their peak, results, total, and the `largest` buffers
// that are alive at the peak.
std::string describe(const DeviceProgram &program, int function,
                     const CallPlan &plan, int largest = 5);

} // namespace nibble
