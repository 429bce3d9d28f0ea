// Opens a device by its name, cuda or simt.
#include "runtime/drivers/cuda/cuda.h"
#include "runtime/drivers/simt/simt.h"

namespace nibble {

Result<std::shared_ptr<Device>> openDevice(std::string_view name) {
  if (name == "cuda") {
    NIBBLE_ASSIGN(CudaOptions options, CudaOptions::fromEnvironment());
    return openCuda(options);
  }
  if (name == "simt") {
    NIBBLE_ASSIGN(SimtOptions options, SimtOptions::fromEnvironment());
    return openSimt(options);
  }
  return Status::environment("device: there is no '" + std::string(name) +
                             "' in this build; use another target");
}

} // namespace nibble
