// Kernels from LLVM's backend. The texts below Inputs were made from the .ll
// files beside them by llc-22 -O3 -march=nvptx64 -mcpu=sm_90a -mattr=+ptx83.
#include "test/runtime/drivers/simt/simt_test.h"

#include <numeric>

using namespace nibble;
using namespace nibble::test;

namespace {

TEST(SimtCompiled, VectorAdd) {
  for (auto checks : {SimtOptions::kOff, SimtOptions::kFull}) {
    Simt simt({.checks = checks});
    constexpr uint32_t n = 1000;
    std::vector<float> a(n), b(n);
    for (uint32_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(i);
      b[i] = 0.5f * static_cast<float>(i);
    }
    DeviceAddress c = simt.allocate<float>(n);
    expectOk(simt.run(inputFile("basics.ptx"), "add", blocks(8, 128),
                      {simt.upload(a), simt.upload(b), c, n}));
    auto result = simt.download<float>(c, n);
    for (uint32_t i = 0; i < n; ++i)
      EXPECT_EQ(result[i], a[i] + b[i]);
  }
}

TEST(SimtCompiled, SumByShuffles) {
  for (uint64_t seed = 1; seed < 20; ++seed) {
    Simt simt({.seed = seed});
    std::vector<float> a(256);
    std::iota(a.begin(), a.end(), 1.0f);
    DeviceAddress out = simt.allocate<float>(1);
    expectOk(simt.run(inputFile("basics.ptx"), "sum", blocks(1, 256),
                      {simt.upload(a), out}));
    EXPECT_EQ(simt.download<float>(out, 1)[0], 256 * 257 / 2.0f);
  }
}

TEST(SimtCompiled, DivergentLoop) {
  Simt simt;
  DeviceAddress out = simt.allocate<uint32_t>(96);
  expectOk(simt.run(inputFile("basics.ptx"), "collatz", blocks(1, 96), {out}));
  auto result = simt.download<uint32_t>(out, 96);
  for (uint32_t i = 0; i < 96; ++i) {
    uint32_t steps = 0;
    for (uint32_t x = i + 1; x != 1; ++steps)
      x = x % 2 ? 3 * x + 1 : x / 2;
    EXPECT_EQ(result[i], steps) << i;
  }
}

} // namespace
