// Implements cuda.h.
#pragma once

#include "lib/KnownTargets/gpu.h"
#include "runtime/drivers/cuda/cuda.h"
#include "runtime/drivers/cuda/driver.h"
#include "runtime/drivers/cuda/kernel_cache.h"
#include "runtime/drivers/cuda/module.h"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nibble::cuda {

class CudaDevice final : public Device {
public:
  static nibble::Result<std::shared_ptr<Device>>
  open(const CudaOptions &options);
  ~CudaDevice() override;

  std::string describe() const override { return description_; }
  DeviceMemory memory() const override;
  DeviceLimits limits() const override;
  nibble::Result<DeviceAddress> allocate(int64_t bytes,
                                         std::string_view what) override;
  void release(DeviceAddress address) override;
  std::byte *allocatePinned(int64_t bytes) override;
  void releasePinned(std::byte *memory) override;
  Status upload(DeviceAddress to, const void *from, int64_t bytes) override;
  Status download(void *to, DeviceAddress from, int64_t bytes) override;
  Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) override;
  Status fill(DeviceAddress to, uint8_t value, int64_t bytes) override;
  nibble::Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image, std::span<const std::string> kernels) override;
  Status launch(DeviceModule &module, int kernel, const Launch &launch,
                std::span<const KernelArgument> arguments) override;
  Status synchronize() override;
  Status beginGraph() override;
  nibble::Result<std::unique_ptr<DeviceGraph>> endGraph() override;
  Status run(DeviceGraph &graph) override;
  nibble::Result<std::unique_ptr<DeviceMark>> mark() override;
  nibble::Result<double> secondsBetween(DeviceMark &begin,
                                        DeviceMark &end) override;

private:
  explicit CudaDevice(CudaOptions options, KernelCache cache)
      : options_(std::move(options)), cache_(std::move(cache)) {}
  Status begin(int ordinal);
  // Names the most recent kernels in the message, since the error may be
  // theirs.
  Status check(Result result, std::string_view call,
               std::string_view what = {}) const;
  void remember(const std::string &kernel);
  Status prepare(LoadedModule::Entry &entry, const Launch &launch);
  nibble::Result<const EncodedTensorMap *> encode(const TensorMap &map);

  CudaOptions options_;
  KernelCache cache_;
  std::shared_ptr<Driver> driver_;
  DeviceNumber device_ = 0;
  Context context_ = nullptr;
  Stream stream_ = nullptr;
  const GpuArchitecture *architecture_ = nullptr;
  std::string description_;
  std::deque<std::string> last_;                 // recent kernels, newest last
  std::map<DeviceAddress, int64_t> allocations_; // bytes of each allocation
  int64_t allocated_ = 0, peak_ = 0;

  // Pinned memory for small uploads, which need not wait. The pieces are used
  // one after the other; when all are used, the queue is synchronized.
  std::byte *pinned_ = nullptr;
  size_t pinnedUsed_ = 0;

  using MapKey = std::array<uint64_t, 16>;
  std::map<MapKey, EncodedTensorMap> maps_;
};

} // namespace nibble::cuda
