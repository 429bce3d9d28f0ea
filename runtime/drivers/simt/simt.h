// The device "simt": PTX text executed on the CPU by the published semantics of
// the PTX ISA, with every access checked.
//
// It executes exactly the text that ships, a kernel image's `ptx`. Blocks run
// on host threads, and the blocks of a cluster share one thread. A
// DeviceAddress is a host pointer. docs/simt.md says what is checked and how.
#pragma once

#include "runtime/drivers/device.h"

#include <cstdint>
#include <memory>

namespace nibble {

struct SimtOptions {
  // Chooses the order of warps and the moment at which copies and matrix
  // products complete. The same seed repeats a run exactly.
  uint64_t seed = 1;
  // Host threads; 0 means all of the machine's.
  int threads = 0;
  // kFull checks bounds, alignment, reads of unwritten memory, races, proxies
  // and pending registers. kOff only checks bounds of shared memory and waits
  // that never complete; asynchronous work completes when it is issued.
  enum Checks { kOff, kFull } checks = kFull;
  // Whether it is an error to touch a register of a pending wgmma (with kFull).
  // The assembler repairs such code by waiting.
  bool pendingRegisters = true;
  // A launch counts as endless after a warp's cluster has executed this many
  // instructions without a change. A change is a store, arrival or exit in it,
  // or in another cluster that it may wait for. Only loops that never return to
  // the same state need this limit; other loops are recognized as waits.
  uint64_t spinLimit = uint64_t{1} << 26;

  // Whether to count the bytes that launches touch (with kFull).
  bool countTouched = false;

  // NIBBLE_SIMT_CHECKS is full (default) or off, and NIBBLE_SIMT_SEED is the
  // seed. Usage error for any other value.
  static Result<SimtOptions> fromEnvironment();
};

// Counts over all launches since the device was opened; for tests.
struct SimtCounters {
  uint64_t launches = 0;
  uint64_t warpInstructions = 0;   // one per instruction and warp
  uint64_t threadInstructions = 0; // one per instruction and active thread
  // Loads and stores of .local memory, one per warp: spills and stack arrays.
  uint64_t localAccesses = 0;
  // Bytes of global memory, counted once per launch; needs
  // SimtOptions::countTouched.
  uint64_t touchedBytes = 0;
};

class SimtDevice : public Device {
public:
  virtual SimtCounters counters() const = 0;
};

// Never fails at present. It returns a Result because devices with hardware can
// fail.
Result<std::shared_ptr<Device>> openSimt(SimtOptions options);

} // namespace nibble
