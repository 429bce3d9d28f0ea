// A device that uses the host's memory. Its kernels are functions of the test,
// by name.
#pragma once

#include "runtime/drivers/device.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <set>

namespace nibble::test {

using FakeKernel =
    std::function<void(const Launch &, std::span<const KernelArgument>)>;

struct FakeDevice final : Device {
  std::map<std::string, FakeKernel> kernels;
  int64_t capacity = int64_t{1} << 30;
  int64_t used = 0;
  int64_t peak = 0;
  bool graphs = true;
  bool checks = false;
  bool adopts = false;
  int launches = 0, uploads = 0, downloads = 0, recorded = 0, replays = 0;
  std::map<DeviceAddress, std::vector<std::byte>> blocks;
  std::set<void *> adopted;

  struct Module final : DeviceModule {
    std::vector<std::string> names;
  };
  struct Graph final : DeviceGraph {
    std::vector<std::function<void()>> commands;
  };
  std::unique_ptr<Graph> recording;

  std::string describe() const override { return "fake"; }
  DeviceMemory memory() const override {
    return {capacity, capacity - used, used, peak};
  }
  bool checksAccesses() const override { return checks; }
  bool sharesHostMemory() const override { return adopts; }
  Status adopt(void *memory, int64_t, std::string_view) override {
    adopted.insert(memory);
    return Status::ok();
  }
  void disown(void *memory) override { adopted.erase(memory); }
  Result<DeviceAddress> allocate(int64_t bytes,
                                 std::string_view what) override {
    if (bytes > capacity - used)
      return Status::environment("fake: no memory for " + std::string(what) +
                                 "; use less");
    std::vector<std::byte> block(bytes + 256, std::byte{0xCD});
    auto address =
        (reinterpret_cast<DeviceAddress>(block.data()) + 255) / 256 * 256;
    used += bytes;
    peak = std::max(peak, used);
    blocks[address] = std::move(block);
    return address;
  }
  void release(DeviceAddress address) override {
    if (auto found = blocks.find(address); found != blocks.end()) {
      used -= static_cast<int64_t>(found->second.size()) - 256;
      blocks.erase(found);
    }
  }
  static void *at(DeviceAddress address) {
    return reinterpret_cast<void *>(address);
  }
  Status now(std::function<void()> command) {
    if (recording)
      recording->commands.push_back(std::move(command));
    else
      command();
    return Status::ok();
  }
  Status upload(DeviceAddress to, const void *from, int64_t bytes) override {
    ++uploads;
    std::memcpy(at(to), from, bytes);
    return Status::ok();
  }
  Status download(void *to, DeviceAddress from, int64_t bytes) override {
    ++downloads;
    std::memcpy(to, at(from), bytes);
    return Status::ok();
  }
  Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) override {
    return now([=] { std::memcpy(at(to), at(from), bytes); });
  }
  Status fill(DeviceAddress to, uint8_t value, int64_t bytes) override {
    return now([=] { std::memset(at(to), value, bytes); });
  }
  Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image, std::span<const std::string> names) override {
    auto module = std::make_unique<Module>();
    for (const std::string &name : names) {
      if (!kernels.contains(name))
        return Status::badInput(image.name + ": no kernel " + name +
                                "; compile it again");
      module->names.push_back(name);
    }
    return std::unique_ptr<DeviceModule>(std::move(module));
  }
  Status launch(DeviceModule &module, int kernel, const Launch &launch,
                std::span<const KernelArgument> arguments) override {
    FakeKernel run = kernels.at(static_cast<Module &>(module).names[kernel]);
    return now([this, run, launch,
                values = std::vector(arguments.begin(), arguments.end())] {
      ++launches;
      run(launch, values);
    });
  }
  Status synchronize() override { return Status::ok(); }
  Status beginGraph() override {
    if (graphs)
      recording = std::make_unique<Graph>();
    return Status::ok();
  }
  Result<std::unique_ptr<DeviceGraph>> endGraph() override {
    recorded += recording ? 1 : 0;
    return std::unique_ptr<DeviceGraph>(std::move(recording));
  }
  Status run(DeviceGraph &graph) override {
    ++replays;
    for (auto &command : static_cast<Graph &>(graph).commands)
      command();
    return Status::ok();
  }
};

} // namespace nibble::test
