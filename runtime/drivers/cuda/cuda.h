// The device "cuda": one NVIDIA GPU through the driver alone, found at run
// time.
#pragma once

#include "runtime/drivers/device.h"

#include <functional>
#include <string>

namespace nibble {

struct CudaOptions {
  std::string library = "libcuda.so.1";
  int device = 0;           // ordinal
  bool synchronous = false; // wait after every launch, so that a fault is told
                            // with its kernel; no graphs then
  bool trace = false;       // a line on standard error before every launch
  std::string cacheFolder;  // of assembled kernels; empty: none
  std::function<void(const std::string &)>
      warn; // gets lines that stop nothing; empty: standard error

  // From NIBBLE_LIBCUDA, NIBBLE_CUDA_DEVICE, NIBBLE_CUDA_SYNC=1,
  // NIBBLE_CUDA_TRACE=1 and the variables of defaultCacheFolder. Usage error
  // for a device that is no number.
  static Result<CudaOptions> fromEnvironment();
};

// Environment error when there is no driver, it is too old, there is no such
// device, or it is not of compute capability 9.0, which the kernels are made
// for.
Result<std::shared_ptr<Device>> openCuda(const CudaOptions &options);

} // namespace nibble
