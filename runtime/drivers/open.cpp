#include "runtime/drivers/cuda/cuda.h"
#ifdef NIBBLE_HAS_SIMT
#include "runtime/drivers/simt/simt.h"
#endif

namespace nibble {

Result<std::shared_ptr<Device>> openDevice(std::string_view name) {
  if (name == "cuda") {
    NIBBLE_ASSIGN(CudaOptions options, CudaOptions::fromEnvironment());
    return openCuda(options);
  }
#ifdef NIBBLE_HAS_SIMT
  if (name == "simt")
    return openSimt({});
#endif
  return Status::environment("device: there is no '" + std::string(name) + "' in this build; use another target");
}

} // namespace nibble
