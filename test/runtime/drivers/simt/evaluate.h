// Runs a few instructions and returns one register.
#pragma once

#include "test/runtime/drivers/simt/simt_test.h"

namespace nibble::test {

// Returns %rd90 of one thread after `body`, or of each thread when there are
// several.
inline std::vector<uint64_t> evaluate64(const std::string &body,
                                        uint32_t threads = 1,
                                        const std::string &declarations = "",
                                        const Launch *shape = nullptr) {
  Simt simt;
  Launch launch = shape != nullptr ? *shape : blocks(1, threads);
  size_t count = size_t{launch.threads} * launch.grid[0] * launch.grid[1];
  DeviceAddress out = simt.allocate<uint64_t>(count);
  Status status = simt.run(
      kernelText(
          1,
          "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %laneid;\n" + body +
              "\nld.param.u64 %rd99, [p0];\nmov.u32 %r99, %ctaid.x;\nmov.u32 "
              "%r98, %ntid.x;\n"
              "mov.u32 %r96, %ctaid.y;\nmov.u32 %r95, %nctaid.x;\nmad.lo.u32 "
              "%r99, %r96, %r95, %r99;\n"
              "mov.u32 %r97, %tid.x;\nmad.lo.u32 %r99, %r99, %r98, %r97;\n"
              "mul.wide.u32 %rd98, %r99, 8;\nadd.s64 %rd99, %rd99, "
              "%rd98;\nst.global.u64 [%rd99], %rd90;",
          declarations),
      "k", launch, {out});
  EXPECT_TRUE(status.isOk()) << status.message() << "\n" << body;
  return simt.download<uint64_t>(out, count);
}

// Returns %r90, and the next functions %f90 and %rs90 (16 bits).
inline std::vector<uint64_t> evaluate32(const std::string &body,
                                        uint32_t threads = 1,
                                        const std::string &declarations = "") {
  return evaluate64(body + "\ncvt.u64.u32 %rd90, %r90;", threads, declarations);
}
inline float evaluateFloat(const std::string &body) {
  uint64_t bits =
      evaluate64(body + "\nmov.b32 %r90, %f90;\ncvt.u64.u32 %rd90, %r90;")[0];
  return std::bit_cast<float>(static_cast<uint32_t>(bits));
}
inline uint64_t evaluate16(const std::string &body) {
  return evaluate64(body + "\ncvt.u64.u16 %rd90, %rs90;")[0];
}

} // namespace nibble::test
