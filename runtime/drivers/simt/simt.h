// The device "simt": PTX text executed on the CPU by the published semantics of
// the PTX ISA, with every access checked.
//
// What is executed is the very text that ships: a kernel image's `ptx`. Blocks
// run on threads of the host, a cluster's blocks together on one. A
// DeviceAddress is a host pointer. See docs/simt.md for what is checked and
// how.
#pragma once

#include "runtime/drivers/device.h"

#include <cstdint>
#include <memory>

namespace nibble {

struct SimtOptions {
  // Chooses the order of warps and the moment at which copies and matrix
  // products complete. The same seed repeats a run.
  uint64_t seed = 1;
  // Host threads; 0: as many as the machine has.
  int threads = 0;
  // kFull: bounds, alignment, reads of unwritten memory, races, proxies,
  // pending registers. kOff: bounds of shared memory and waits that never
  // complete only; asynchronous work is done when it is issued.
  enum Checks { kOff, kFull } checks = kFull;
  // Whether touching a register of a pending wgmma is an error (with kFull).
  // The assembler mends it by waiting.
  bool pendingRegisters = true;
  // Instructions that the warps of a cluster may execute while nothing changes
  // in it (no store, arrival or exit), nor in another cluster that it may be
  // waiting for, before a launch counts as one that never ends. Only loops that
  // never come back to the same state need it: others are seen to be waits.
  uint64_t spinLimit = uint64_t{1} << 26;

  // Whether to count the bytes that launches touch (with kFull).
  bool countTouched = false;

  // NIBBLE_SIMT_CHECKS: full (default) or off. NIBBLE_SIMT_SEED: the seed.
  // Usage error for anything else.
  static Result<SimtOptions> fromEnvironment();
};

// What launches have done since the device was opened; for tests.
struct SimtCounters {
  uint64_t launches = 0;
  uint64_t warpInstructions = 0;   // one per instruction and warp
  uint64_t threadInstructions = 0; // one per instruction and active thread
  uint64_t localAccesses = 0;      // loads and stores of .local memory, one per
                                   // warp: spills and stack arrays
  uint64_t touchedBytes = 0; // of global memory, by each launch each byte once;
                             // with SimtOptions::countTouched
};

class SimtDevice : public Device {
public:
  virtual SimtCounters counters() const = 0;
};

// Never fails today; a Result because the devices with hardware can.
Result<std::shared_ptr<Device>> openSimt(SimtOptions options);

} // namespace nibble
