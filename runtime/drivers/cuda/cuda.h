// The device "cuda": one NVIDIA GPU. It needs the driver alone, which is found
// at run time.
#pragma once

#include "runtime/drivers/device.h"

#include <functional>
#include <string>

namespace nibble {

struct CudaOptions {
  std::string library = "libcuda.so.1";
  int device = 0; // ordinal of the device
  // Waits after every launch, so that a fault is reported with its kernel;
  // disables graphs.
  bool synchronous = false;
  // Prints a line to standard error before every launch.
  bool trace = false;
  // Folder of assembled kernels; empty disables the cache.
  std::string cacheFolder;
  // Receives warnings; empty means standard error.
  std::function<void(const std::string &)> warn;

  // Reads NIBBLE_LIBCUDA, NIBBLE_CUDA_DEVICE, NIBBLE_CUDA_SYNC=1,
  // NIBBLE_CUDA_TRACE=1 and the variables of defaultCacheFolder. Usage error
  // when the device is not a number.
  static Result<CudaOptions> fromEnvironment();
};

// Opens the device. Environment error when the driver is missing or too old, or
// the device does not exist. Likewise when its compute capability is not 9.0,
// for which the kernels are made.
Result<std::shared_ptr<Device>> openCuda(const CudaOptions &options);

} // namespace nibble
