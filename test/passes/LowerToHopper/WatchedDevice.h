// The device "simt" with a record of the bytes that its launches and replays
// touch.
#pragma once

#include "runtime/drivers/simt/simt.h"

#include <vector>

namespace nibble::test {

class WatchedDevice final : public Device {
public:
  // Without `hidesChecks`, programs run as on simt. With it they run as on a
  // GPU, from one arena and by graphs, and simt checks what it can detect of
  // that.
  static Result<std::shared_ptr<WatchedDevice>> open(bool hidesChecks) {
    SimtOptions options;
    options.countTouched = true;
    NIBBLE_ASSIGN(std::shared_ptr<Device> simt, openSimt(options));
    return std::shared_ptr<WatchedDevice>(new WatchedDevice(
        std::static_pointer_cast<SimtDevice>(simt), hidesChecks));
  }

  // Bytes touched by each launch outside of a graph, and by each replay of a
  // graph.
  std::vector<int64_t> launched, replayed;

  std::string describe() const override { return simt_->describe(); }
  DeviceMemory memory() const override { return simt_->memory(); }
  Result<DeviceAddress> allocate(int64_t bytes,
                                 std::string_view what) override {
    return simt_->allocate(bytes, what);
  }
  void release(DeviceAddress address) override { simt_->release(address); }
  bool sharesHostMemory() const override { return simt_->sharesHostMemory(); }
  bool checksAccesses() const override {
    return !hidesChecks_ && simt_->checksAccesses();
  }
  Status adopt(void *memory, int64_t bytes, std::string_view what) override {
    return simt_->adopt(memory, bytes, what);
  }
  void disown(void *memory) override { simt_->disown(memory); }
  Status upload(DeviceAddress to, const void *from, int64_t bytes) override {
    return simt_->upload(to, from, bytes);
  }
  Status download(void *to, DeviceAddress from, int64_t bytes) override {
    return simt_->download(to, from, bytes);
  }
  Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) override {
    return simt_->copy(to, from, bytes);
  }
  Status fill(DeviceAddress to, uint8_t value, int64_t bytes) override {
    return simt_->fill(to, value, bytes);
  }
  Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image,
       std::span<const std::string> kernels) override {
    return simt_->load(image, kernels);
  }
  Status launch(DeviceModule &module, int kernel, const Launch &launch,
                std::span<const KernelArgument> arguments) override {
    return recording_
               ? simt_->launch(module, kernel, launch, arguments)
               : watch(launched, [&] {
                   return simt_->launch(module, kernel, launch, arguments);
                 });
  }
  Status synchronize() override { return simt_->synchronize(); }
  Status beginGraph() override {
    recording_ = true;
    return simt_->beginGraph();
  }
  Result<std::unique_ptr<DeviceGraph>> endGraph() override {
    recording_ = false;
    return simt_->endGraph();
  }
  Status run(DeviceGraph &graph) override {
    return watch(replayed, [&] { return simt_->run(graph); });
  }

private:
  WatchedDevice(std::shared_ptr<SimtDevice> simt, bool hidesChecks)
      : simt_(std::move(simt)), hidesChecks_(hidesChecks) {}
  template <typename Run> Status watch(std::vector<int64_t> &log, Run &&run) {
    uint64_t before = simt_->counters().touchedBytes;
    Status status = run();
    log.push_back(
        static_cast<int64_t>(simt_->counters().touchedBytes - before));
    return status;
  }

  std::shared_ptr<SimtDevice> simt_;
  bool hidesChecks_;
  bool recording_ = false;
};

} // namespace nibble::test
