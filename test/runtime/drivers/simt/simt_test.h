// Runs PTX texts on simt. All tests here share it.
#pragma once

#include "runtime/drivers/simt/simt.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace nibble::test {

inline std::string inputFile(const std::string &name) {
  std::ifstream file(std::string(NIBBLE_TEST_DATA) +
                     "/runtime/drivers/simt/Inputs/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

class Simt {
public:
  explicit Simt(SimtOptions options = {}) {
    if (options.threads == 0)
      options.threads = 2;
    device = *openSimt(options);
  }

  template <typename T>
  DeviceAddress upload(const std::vector<T> &values,
                       const char *what = "values") {
    DeviceAddress address = allocate<T>(values.size(), what);
    EXPECT_TRUE(device
                    ->upload(address, values.data(),
                             static_cast<int64_t>(values.size() * sizeof(T)))
                    .isOk());
    return address;
  }
  template <typename T>
  DeviceAddress allocate(size_t count, const char *what = "result") {
    auto address =
        device->allocate(static_cast<int64_t>(count * sizeof(T)), what);
    EXPECT_TRUE(address.isOk()) << address.status().message();
    return *address;
  }
  template <typename T>
  std::vector<T> download(DeviceAddress address, size_t count) {
    std::vector<T> values(count);
    EXPECT_TRUE(device
                    ->download(values.data(), address,
                               static_cast<int64_t>(count * sizeof(T)))
                    .isOk());
    return values;
  }
  Status run(const std::string &ptx, const std::string &kernel,
             const Launch &launch,
             const std::vector<KernelArgument> &arguments) {
    std::vector<std::string> names{kernel};
    auto module = device->load({"test", ptx, "", "sm_90a"}, names);
    if (!module.isOk())
      return module.status();
    return device->launch(**module, 0, launch, arguments);
  }

  std::shared_ptr<Device> device;
};

inline Launch blocks(uint32_t grid, uint32_t threads, uint32_t sharedBytes = 0,
                     uint32_t cluster = 1) {
  Launch launch;
  launch.grid[0] = grid;
  launch.threads = threads;
  launch.sharedBytes = sharedBytes;
  launch.cluster = cluster;
  return launch;
}

// A module with one kernel "k" that has `parameters` 64-bit parameters p0, p1,
// .... Its registers are %r0..99 (32 bits), %rd0..99, %rs0..99 (16), %f0..99,
// %fd0..99 and %p0..19.
inline std::string kernelText(int parameters, const std::string &body,
                              const std::string &declarations = "") {
  std::string text = ".version 8.3\n.target sm_90a\n.address_size 64\n" +
                     declarations + "\n.visible .entry k(";
  for (int i = 0; i < parameters; ++i)
    text += std::string(i ? ", " : "") + ".param .u64 p" + std::to_string(i);
  return text +
         ")\n{\n.reg .b32 %r<100>;\n.reg .b64 %rd<100>;\n.reg .b16 "
         "%rs<100>;\n.reg .f32 %f<100>;\n.reg .f64 %fd<100>;\n"
         ".reg .pred %p<20>;\n" +
         body + "\nret;\n}\n";
}

inline void expectOk(const Status &status) {
  EXPECT_TRUE(status.isOk()) << status.message();
}
inline void expectFails(const Status &status, const std::string &part) {
  ASSERT_FALSE(status.isOk()) << "no report; expected: " << part;
  EXPECT_EQ(status.code(), Code::kFailed) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos)
      << status.message() << "\nexpected: " << part;
}

} // namespace nibble::test
