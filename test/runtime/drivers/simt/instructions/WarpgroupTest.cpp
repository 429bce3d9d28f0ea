// Compares tensor copies and matrix products with plain loops.
#include "lib/Numerics/bf16.h"
#include "test/runtime/drivers/simt/simt_test.h"

#include <algorithm>

using namespace nibble;
using namespace nibble::test;

namespace {

constexpr uint32_t kM = 64;
constexpr uint32_t kN = 128;
constexpr uint32_t kK = 320;

// Small integers make every sum exact, whatever the order.
std::vector<uint16_t> smallIntegers(size_t count, uint32_t seed) {
  std::vector<uint16_t> values(count);
  for (uint16_t &value : values) {
    seed = seed * 1664525 + 1013904223;
    value = numerics::bf16FromFloat(
        static_cast<float>(static_cast<int>(seed >> 24) % 17 - 8));
  }
  return values;
}

TensorMap map2d(DeviceAddress address, uint32_t bytes, uint64_t columns,
                uint64_t rows, uint32_t boxColumns, uint32_t boxRows,
                uint32_t swizzle) {
  TensorMap map;
  map.address = address;
  map.elementBytes = bytes;
  map.extents[0] = columns;
  map.extents[1] = rows;
  map.strides[0] = columns * bytes;
  map.box[0] = boxColumns;
  map.box[1] = boxRows;
  map.swizzle = swizzle;
  return map;
}

class SimtWarpgroup : public testing::TestWithParam<uint64_t> {
protected:
  SimtOptions options() const {
    SimtOptions options;
    options.seed = GetParam();
    options.checks = GetParam() == 0 ? SimtOptions::kOff : SimtOptions::kFull;
    return options;
  }
  Simt simt{options()};
  std::vector<uint16_t> a = smallIntegers(kM * kK, 1);
  std::vector<uint16_t> b = smallIntegers(kN * kK, 2); // a[m][k], b[n][k]

  static std::vector<uint16_t> transposed(const std::vector<uint16_t> &x,
                                          uint32_t rows, uint32_t columns) {
    std::vector<uint16_t> result(x.size());
    for (uint32_t i = 0; i < rows; ++i)
      for (uint32_t j = 0; j < columns; ++j)
        result[j * rows + i] = x[i * columns + j];
    return result;
  }
  void expectProduct(DeviceAddress out) {
    auto result = simt.download<float>(out, kM * kN);
    int wrong = 0;
    for (uint32_t i = 0; i < kM; ++i)
      for (uint32_t j = 0; j < kN; ++j) {
        float sum = 0;
        for (uint32_t k = 0; k < kK; ++k)
          sum += numerics::floatFromBf16(a[i * kK + k]) *
                 numerics::floatFromBf16(b[j * kK + k]);
        wrong += result[i * kN + j] != sum;
      }
    EXPECT_EQ(wrong, 0);
  }
};

TEST_P(SimtWarpgroup, KMajor) {
  DeviceAddress out = simt.allocate<float>(kM * kN);
  expectOk(simt.run(inputFile("warpgroup.ptx"), "kMajor", blocks(1, 128, 24576),
                    {map2d(simt.upload(a), 2, kK, kM, 64, 64, 128),
                     map2d(simt.upload(b), 2, kK, kN, 64, 128, 128), out,
                     uint64_t{kK}}));
  expectProduct(out);
}

TEST_P(SimtWarpgroup, MnMajor) {
  DeviceAddress out = simt.allocate<float>(kM * kN);
  expectOk(simt.run(
      inputFile("warpgroup.ptx"), "mnMajor", blocks(1, 128, 24576),
      {map2d(simt.upload(transposed(a, kM, kK)), 2, kM, kK, 64, 64, 128),
       map2d(simt.upload(transposed(b, kN, kK)), 2, kN, kK, 64, 64, 128), out,
       uint64_t{kK}}));
  expectProduct(out);
}

TEST_P(SimtWarpgroup, RegistersA) {
  DeviceAddress out = simt.allocate<float>(kM * kN);
  expectOk(
      simt.run(inputFile("warpgroup.ptx"), "registers", blocks(1, 128, 16384),
               {simt.upload(a), map2d(simt.upload(b), 2, kK, kN, 64, 128, 128),
                out, uint64_t{kK}}));
  expectProduct(out);
}

TEST_P(SimtWarpgroup, WarpProduct) {
  DeviceAddress out = simt.allocate<float>(kM * kN);
  expectOk(simt.run(
      inputFile("warp_mma.ptx"), "product", blocks(kM / 16 * kN / 8, 32),
      {simt.upload(a), simt.upload(b), out, uint64_t{kN}, uint64_t{kK}}));
  expectProduct(out);
}

// Codes of A, four bits each, in the layout of the fragments.
TEST_P(SimtWarpgroup, PipelineOfCodes) {
  std::vector<uint32_t> codes(kK / 64 * 128 * 4, 0);
  for (uint32_t i = 0; i < kM; ++i)
    for (uint32_t k = 0; k < kK; ++k) {
      uint32_t code = (i * 7 + k * 3 + i * k) % 16;
      a[i * kK + k] = numerics::bf16FromFloat(static_cast<float>(code) - 8);
      uint32_t thread = i / 16 * 32 + i % 8 * 4 + k % 8 / 2;
      uint32_t reg = i / 8 % 2 + k / 8 % 2 * 2;
      codes[(k / 64 * 128 + thread) * 4 + k / 16 % 4] |=
          code << (4 * reg + 16 * (k % 2));
    }
  DeviceAddress out = simt.allocate<float>(kM * kN);
  expectOk(simt.run(
      inputFile("pipeline.ptx"), "pipeline", blocks(1, 256, 32768),
      {simt.upload(codes), map2d(simt.upload(b), 2, kK, kN, 64, 128, 128), out,
       uint64_t{kK}}));
  expectProduct(out);
}

// The same pipeline with one changed line. Every seed produces a report, and it
// is one of the true ones. The order of execution decides which comes first.
TEST_P(SimtWarpgroup, PipelineWithoutItsOrder) {
  // Nothing is guaranteed without checks.
  if (GetParam() == 0)
    return;
  const std::string text = inputFile("pipeline.ptx");
  auto run = [&](const std::string &ptx) {
    DeviceAddress out = simt.allocate<float>(kM * kN);
    DeviceAddress codes =
        simt.upload(std::vector<uint32_t>(kK / 64 * 128 * 4, 0));
    return simt.run(ptx, "pipeline", blocks(1, 256, 32768),
                    {codes, map2d(simt.upload(b), 2, kK, kN, 64, 128, 128), out,
                     uint64_t{kK}});
  };
  // Replaces the first `what` after `after`.
  auto changed = [&](const std::string &after, const std::string &what,
                     const std::string &with) {
    size_t at = text.find(what, text.find(after));
    EXPECT_NE(at, std::string::npos) << what;
    return std::string(text).replace(at, what.size(), with);
  };
  auto expectOneOf = [](const Status &status,
                        std::initializer_list<const char *> parts) {
    EXPECT_FALSE(status.isOk());
    EXPECT_TRUE(std::any_of(parts.begin(), parts.end(), [&](const char *part) {
      return status.message().find(part) != std::string::npos;
    })) << status.message();
  };
  const std::string consumer = "setmaxnreg.inc",
                    wait = "mbarrier.try_wait.parity.shared::cta.b64 p,";
  // Nothing waits for the copies, so their bytes are missing or were not waited
  // for.
  expectFails(run(changed(consumer, wait, "setp.eq.u32 p, 0, 0; //")),
              "shared memory");
  // The ring is refilled while products read it.
  expectOneOf(
      run(changed("setmaxnreg.dec", wait, "setp.eq.u32 p, 0, 0; //")),
      {"race in shared memory",
       "more arrivals at the mbarrier than the 1 that phase 0 waits for"});
  // Accumulators are stored before the products are complete.
  expectOneOf(
      run(changed(consumer, "wgmma.wait_group.sync.aligned 0;", "")),
      {"touches a register of a wgmma",
       "an asynchronous operation of warp 0 reads, which nothing waited for"});
  // Nothing returns a stage.
  expectFails(run(changed(consumer, "mbarrier.arrive.shared::cta.b64", "// ")),
              "never ends");
}

// Rows beyond the extents read as zero.
TEST_P(SimtWarpgroup, RingOfTensorCopies) {
  constexpr uint32_t rows = 75;
  constexpr uint32_t columns = 64;
  std::vector<float> in(rows * columns);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(i % 101);
  DeviceAddress out = simt.allocate<float>(columns);
  expectOk(simt.run(inputFile("ring.ptx"), "ring", blocks(2, 64),
                    {map2d(simt.upload(in), 4, columns, rows, 32, 8, 0), out,
                     uint64_t{rows}}));
  auto result = simt.download<float>(out, columns);
  for (uint32_t x = 0; x < columns; ++x) {
    float sum = 0;
    for (uint32_t y = 0; y < rows; ++y)
      sum += in[y * columns + x];
    EXPECT_EQ(result[x], sum) << x;
  }
}

// Elements beyond the extents are not written.
TEST_P(SimtWarpgroup, StoreOfATile) {
  std::vector<float> in(2048);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = static_cast<float>(i);
  DeviceAddress out = simt.upload(std::vector<float>(32 * 64, -1.0f));
  expectOk(simt.run(inputFile("warpgroup.ptx"), "doubled", blocks(2, 128),
                    {simt.upload(in), map2d(out, 4, 32, 50, 32, 32, 0)}));
  auto result = simt.download<float>(out, 2048);
  for (uint32_t i = 0; i < 2048; ++i)
    EXPECT_EQ(result[i], i < 50 * 32 ? 2.0f * static_cast<float>(i) : -1.0f)
        << i;
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimtWarpgroup,
                         testing::Values(0, 1, 2, 3, 4, 5, 6, 7));

} // namespace
