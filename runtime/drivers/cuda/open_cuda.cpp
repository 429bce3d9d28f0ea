// Opens a GPU with options from the environment.
#include "runtime/drivers/cuda/cuda_device.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

namespace nibble {

Result<CudaOptions> CudaOptions::fromEnvironment() {
  CudaOptions options;
  if (const char *library = std::getenv("NIBBLE_LIBCUDA"); library && *library)
    options.library = library;
  if (const char *device = std::getenv("NIBBLE_CUDA_DEVICE");
      device && *device) {
    const char *end = device + std::strlen(device);
    auto [stop, error] = std::from_chars(device, end, options.device);
    if (error != std::errc() || stop != end)
      return Status::usage(std::string("cuda: NIBBLE_CUDA_DEVICE is '") +
                           device + "'; set it to a number, 0 for the first");
  }
  const char *synchronous = std::getenv("NIBBLE_CUDA_SYNC");
  options.synchronous = synchronous && std::string(synchronous) == "1";
  const char *trace = std::getenv("NIBBLE_CUDA_TRACE");
  options.trace = trace && std::string(trace) == "1";
  options.cacheFolder = cuda::defaultCacheFolder();
  return options;
}

Result<std::shared_ptr<Device>> openCuda(const CudaOptions &options) {
  return cuda::CudaDevice::open(options);
}

} // namespace nibble
