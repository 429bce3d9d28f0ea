// A device for planning. It has addresses and limits, and refuses to run.
#include "runtime/bundle/device/plan_device.h"

#include "lib/KnownTargets/gpu.h"

#include <cstring>

namespace nibble {

namespace {

class PlanDevice final : public Device {
public:
  PlanDevice(std::string description, int64_t bytes)
      : description_(std::move(description)), bytes_(bytes) {}

  std::string describe() const override { return description_; }
  DeviceMemory memory() const override { return {bytes_, bytes_}; }
  Result<DeviceAddress> allocate(int64_t bytes, std::string_view) override {
    DeviceAddress address = next_;
    next_ += (static_cast<DeviceAddress>(bytes) + 256) / 256 * 256;
    return address;
  }
  void release(DeviceAddress) override {}
  Status upload(DeviceAddress, const void *, int64_t) override {
    return Status::ok();
  }
  Status download(void *to, DeviceAddress, int64_t bytes) override {
    std::memset(to, 0, static_cast<size_t>(bytes));
    return Status::ok();
  }
  Status copy(DeviceAddress, DeviceAddress, int64_t) override {
    return Status::ok();
  }
  Status fill(DeviceAddress, uint8_t, int64_t) override { return Status::ok(); }
  Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &, std::span<const std::string>) override {
    return std::make_unique<DeviceModule>();
  }
  Status launch(DeviceModule &, int, const Launch &,
                std::span<const KernelArgument>) override {
    return nothingRuns();
  }
  Status synchronize() override { return Status::ok(); }
  Status beginGraph() override { return nothingRuns(); }
  Result<std::unique_ptr<DeviceGraph>> endGraph() override {
    return nothingRuns();
  }
  Status run(DeviceGraph &) override { return nothingRuns(); }

private:
  static Status nothingRuns() {
    return Status::failed("device: this one is for planning only, nothing runs "
                          "on it; leave out --dry-run");
  }

  std::string description_;
  int64_t bytes_;
  DeviceAddress next_ = 256;
};

} // namespace

Result<std::shared_ptr<Device>> openPlanDevice(std::string_view name) {
  auto opened = openDevice(name);
  if (opened.isOk())
    return std::shared_ptr<Device>(std::make_shared<PlanDevice>(
        (*opened)->describe(), (*opened)->memory().total));
  if (opened.status().code() != Code::kEnvironment)
    return opened.status();
  return std::shared_ptr<Device>(std::make_shared<PlanDevice>(
      "planned for an H200, there is none here: " + opened.status().message(),
      kH200.memoryBytes));
}

} // namespace nibble
