// Kernels on a GPU. Their machine code comes from the image, from the cache or
// from the driver's assembler.
#pragma once

#include "runtime/drivers/cuda/driver.h"
#include "runtime/drivers/cuda/kernel_cache.h"
#include "runtime/drivers/device.h"

#include <span>
#include <string>
#include <vector>

namespace nibble::cuda {

class LoadedModule final : public DeviceModule {
public:
  struct Entry {
    std::string name;
    Kernel kernel = nullptr;
    uint32_t dynamicBytes = 48 << 10; // dynamic shared memory that it may use
    // Whether clusters of more than 8 blocks are allowed.
    bool wideClusters = false;
  };

  // Loads an image on a device whose architecture is, for example, "sm_90a". It
  // takes the image's machine code when the architecture fits, else the
  // cache's. Otherwise the driver assembles the PTX. Environment error when the
  // image is for another architecture. Bad input when the assembler refuses
  // (with its log) or an entry is missing.
  static nibble::Result<std::unique_ptr<LoadedModule>>
  load(std::shared_ptr<Driver> driver, const KernelImage &image,
       std::span<const std::string> kernels, const std::string &architecture,
       const KernelCache &cache);
  ~LoadedModule() override;

  std::vector<Entry> entries;

private:
  LoadedModule(std::shared_ptr<Driver> driver, Module module)
      : driver_(std::move(driver)), module_(module) {}
  std::shared_ptr<Driver> driver_;
  Module module_;
};

} // namespace nibble::cuda
