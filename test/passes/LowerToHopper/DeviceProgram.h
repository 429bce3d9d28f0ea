// A program compiled for an H200 from a few lines of IR. It runs on the device
// "simt", which executes its PTX and checks every access.
#pragma once

#include "runtime/bundle/device/device_program.h"
#include "runtime/bundle/device/device_residence.h"
#include "test/passes/LowerToHopper/WatchedDevice.h"
#include "test/passes/LowerToHost/OpCheck.h"

#include "mlir/IR/MLIRContext.h"

namespace nibble::test {

class CompiledForDevice {
public:
  // Throws with the diagnostics when the module does not compile. With ptxas on
  // the PATH, it also throws when ptxas refuses the PTX or spills registers.
  // NIBBLE_TEST_PTXAS=0 skips ptxas.
  explicit CompiledForDevice(const std::string &source);

  // Calls the function and returns its results. Arguments that are state are
  // updated in place. Throws when the device reports an error. Expects every
  // launch to touch as many bytes as it states (bytesTouched).
  std::vector<Tensor> call(const std::string &function,
                           const std::vector<const Tensor *> &arguments);
  std::string ptx() const { return compiled_.image.ptx; }
  // The compiled program.
  const DeviceProgram &deviceProgram() const { return compiled_; }

private:
  void checkTouched(const std::string &function,
                    const std::vector<const Tensor *> &arguments) const;

  DeviceProgram compiled_;
  std::shared_ptr<WatchedDevice> device_;
  std::shared_ptr<DeviceResidence> residence_;
  std::unique_ptr<Program> program_;
};

// The diagnostics when the module does not compile for an H200, else empty.
std::string whyNotForDevice(const std::string &source);

// All results of the op in order. Results updated in place are read from the
// arguments' copies.
std::vector<Tensor> runOnDevice(CompiledForDevice &program, const OpCase &c);

// Expects results close to the reference and prints the differences. Per-token
// results must have the same bits alone and in the batch. With
// NIBBLE_RECORD=DIR it also writes the case below DIR, for nibble-replay
// (test/device).
void checkOnDevice(const OpCase &c);

// Expects exactly these results of `f`, in order. Results updated in place are
// read from the arguments' copies. The case is recorded as well. A GPU's
// results must be within `recordedBound` (relative; 0 means equal numbers). It
// is not 0 for matrix instructions, whose additions simt does in another order.
void checkExactlyOnDevice(CompiledForDevice &program, const OpCase &c,
                          const std::vector<Tensor> &expected,
                          double recordedBound = 0);

} // namespace nibble::test
