// Loads libcuda, finds its functions, and turns its error codes into a Status.
#include "runtime/drivers/cuda/driver.h"

#include <fmt/format.h>

namespace nibble::cuda {

nibble::Result<std::shared_ptr<Driver>>
Driver::open(const std::string &library) {
  auto driver = std::make_shared<Driver>();
  auto opened = SharedLibrary::open(
      library, "install the NVIDIA driver, or use --target=simt or host");
  if (!opened.isOk())
    return std::move(opened).takeStatus().within("cuda");
  driver->library_ = *std::move(opened);
  auto getVersion = reinterpret_cast<DriverGetVersion>(
      driver->library_->symbol("cuDriverGetVersion"));
  if (!getVersion)
    return Status::environment(fmt::format(
        "cuda: {} is no CUDA driver; install the NVIDIA driver", library));
  int &version = driver->version_;
  if (Result result = getVersion(&version); result != kSuccess)
    return Status::environment(fmt::format(
        "cuda: cuDriverGetVersion failed with {}; reinstall the NVIDIA driver",
        result));
  if (version < kDriverVersion)
    return Status::environment(
        fmt::format("cuda: the driver is for CUDA {}.{}, at least {} is "
                    "needed; update the NVIDIA driver",
                    version / 1000, version % 1000 / 10, kDriverName));
  auto find = reinterpret_cast<GetProcAddress>(
      driver->library_->symbol("cuGetProcAddress_v2"));
  auto missing = [&](const char *name) {
    return Status::environment(fmt::format(
        "cuda: {} has no {}; reinstall the NVIDIA driver", library, name));
  };
  if (!find)
    return missing("cuGetProcAddress_v2");
#define NIBBLE_CUDA_FIND(name, parameters)                                     \
  {                                                                            \
    void *function = nullptr;                                                  \
    if (find(#name, &function, kDriverVersion, 0, nullptr) != kSuccess ||      \
        !function)                                                             \
      return missing(#name);                                                   \
    driver->symbols_.name =                                                    \
        reinterpret_cast<decltype(Symbols::name)>(function);                   \
  }
  NIBBLE_CUDA_FUNCTIONS(NIBBLE_CUDA_FIND)
#undef NIBBLE_CUDA_FIND
  return driver;
}

std::string Driver::describe(Result result) const {
  const char *name = nullptr, *text = nullptr;
  if (symbols_.cuGetErrorName(result, &name) != kSuccess || !name)
    return fmt::format("error {}", result);
  (void)symbols_.cuGetErrorString(result, &text); // the name alone is enough
  return text ? fmt::format("{} ({})", name, text) : name;
}

Status Driver::check(Result result, std::string_view call,
                     std::string_view what, std::string_view advice) const {
  if (result == kSuccess)
    return Status::ok();
  return Status::environment(fmt::format("cuda: {}{}{}: {}; {}", call,
                                         what.empty() ? "" : " ", what,
                                         describe(result), advice));
}

} // namespace nibble::cuda
