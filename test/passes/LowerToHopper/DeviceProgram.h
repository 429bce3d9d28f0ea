// A program compiled for an H200 from a few lines of IR, run on the device
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
  // Throws with the diagnostics when the module does not compile, and with
  // ptxas's words when it is on the PATH and refuses the PTX or spills
  // registers (NIBBLE_TEST_PTXAS=0 leaves ptxas out).
  explicit CompiledForDevice(const std::string &source);

  // The function's results. Arguments that are state are updated in place.
  // Throws when the device reports an error. Expects of every launch that it
  // touches the bytes that it says (bytesTouched).
  std::vector<Tensor> call(const std::string &function,
                           const std::vector<const Tensor *> &arguments);
  std::string ptx() const { return ptx_; }
  // What was compiled.
  const DeviceProgram &deviceProgram() const { return compiled_; }

private:
  void checkTouched(const std::string &function,
                    const std::vector<const Tensor *> &arguments) const;

  DeviceProgram compiled_;
  std::shared_ptr<WatchedDevice> device_;
  std::shared_ptr<DeviceResidence> residence_;
  std::unique_ptr<Program> program_;
  std::string ptx_;
};

// Why the module does not compile for an H200; empty when it does.
std::string whyNotForDevice(const std::string &source);

// All results of the op in order, those updated in place read from the
// arguments' copies.
std::vector<Tensor> runOnDevice(CompiledForDevice &program, const OpCase &c);

// Expects: close to the reference (prints by how much), and, per token, the
// same bits alone and in the batch. With NIBBLE_RECORD=DIR the case is also
// written below DIR, for nibble-replay (test/device).
void checkOnDevice(const OpCase &c);

// Expects exactly these results of `f`, in order, those updated in place read
// from the arguments' copies. Recorded as well: a GPU's results are to be
// within `recordedBound` (relative; 0: the same numbers). It is not 0 where
// matrix instructions add, which simt does in an order of its own.
void checkExactlyOnDevice(CompiledForDevice &program, const OpCase &c,
                          const std::vector<Tensor> &expected,
                          double recordedBound = 0);

} // namespace nibble::test
