// Kernels on a GPU: machine code from the image, from the cache or from the
// driver's assembler.
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
    uint32_t dynamicBytes = 48 << 10; // that it may use
    bool wideClusters = false;        // clusters of more than 8 are allowed
  };

  // `architecture`: "sm_90a", of the device. The image's machine code is taken
  // when it is for that, then the cache's, then the driver assembles the PTX.
  // Environment error when the image is for another architecture; bad input
  // when the assembler refuses (with its log) or an entry is missing.
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
