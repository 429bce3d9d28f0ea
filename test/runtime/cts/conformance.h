// Shared by all tests of the conformance suite: one device, by name, or the
// reason why this machine has none.
#pragma once

#include "runtime/core/file.h"
#include "runtime/drivers/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace nibble::test {

inline const std::vector<std::string> kKernels = {
    "add",      "where_am_i",    "through_shared",
    "copy_box", "write_nowhere", "from_table"};
enum : int {
  kAdd,
  kWhereAmI,
  kThroughShared,
  kCopyBox,
  kWriteNowhere,
  kFromTable
};

// A file in this folder. NIBBLE_TEST_DATA gives the place of the folder test/
// when it has moved, as in a kit for another machine
// (benchmarks/device_kit.sh).
inline std::string inputFile(const std::string &name) {
  const char *moved = std::getenv("NIBBLE_TEST_DATA");
  return std::string(moved ? moved : NIBBLE_TEST_DATA) + "/runtime/cts/" + name;
}

// kernels.ptx, for "sm_90a".
inline KernelImage kernelImage() {
  auto text = readFile(inputFile("kernels.ptx"));
  EXPECT_TRUE(text.isOk()) << text.status().message();
  return {"kernels.ptx", text.isOk() ? *text : "", "", "sm_90a"};
}

#define EXPECT_OK(expression)                                                  \
  {                                                                            \
    ::nibble::Status status_ = (expression);                                   \
    EXPECT_TRUE(status_.isOk()) << status_.message();                          \
  }

// The parameter is a device name for openDevice.
struct Conformance : testing::TestWithParam<std::string> {
  std::shared_ptr<Device> device;
  std::unique_ptr<DeviceModule> module;

  void SetUp() override {
    auto opened = openDevice(GetParam());
    if (!opened.isOk())
      GTEST_SKIP() << opened.status().message();
    device = *opened;
    auto loaded = device->load(kernelImage(), kKernels);
    ASSERT_TRUE(loaded.isOk()) << loaded.status().message();
    module = *std::move(loaded);
  }

  // Device memory with these values. It is released when the test ends.
  template <typename T> DeviceAddress put(const std::vector<T> &values) {
    auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
    DeviceAddress address = take(bytes);
    EXPECT_OK(device->upload(address, values.data(), bytes));
    return address;
  }
  DeviceAddress take(int64_t bytes) {
    auto address = device->allocate(bytes, "a test's values");
    EXPECT_TRUE(address.isOk()) << address.status().message();
    taken_.push_back(address.isOk() ? *address : 0);
    return taken_.back();
  }
  template <typename T>
  std::vector<T> get(DeviceAddress address, size_t count) {
    std::vector<T> values(count);
    EXPECT_OK(device->download(values.data(), address,
                               static_cast<int64_t>(count * sizeof(T))));
    return values;
  }
  Status launch(int kernel, const Launch &launch,
                std::vector<KernelArgument> arguments) {
    return device->launch(*module, kernel, launch, arguments);
  }

  void TearDown() override {
    for (DeviceAddress address : taken_)
      if (address)
        device->release(address);
  }

private:
  std::vector<DeviceAddress> taken_;
};

} // namespace nibble::test
