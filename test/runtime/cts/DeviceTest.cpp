// Tests that every device must pass.
#include "test/runtime/cts/conformance.h"

#include <cstdio>
#include <numeric>
#include <unistd.h>

using namespace nibble;
using namespace nibble::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

INSTANTIATE_TEST_SUITE_P(Drivers, Conformance, testing::Values("simt", "cuda"),
                         [](auto &info) { return info.param; });

TEST_P(Conformance, DescribesItself) {
  EXPECT_FALSE(device->describe().empty());
  DeviceMemory memory = device->memory();
  EXPECT_GT(memory.total, 0);
  EXPECT_GE(memory.free, 0);
}

TEST_P(Conformance, MemoryKeepsWhatIsUploadedCopiedAndFilled) {
  std::vector<int32_t> values(300'001);
  std::iota(values.begin(), values.end(), -7);
  auto bytes = static_cast<int64_t>(values.size() * 4);
  DeviceAddress a = put(values);
  DeviceAddress b = take(bytes);
  EXPECT_EQ(a % 256, 0u);
  EXPECT_EQ(b % 256, 0u);
  EXPECT_EQ(get<int32_t>(a, values.size()), values);
  EXPECT_OK(device->copy(b, a, bytes));
  EXPECT_EQ(get<int32_t>(b, values.size()), values);
  EXPECT_OK(device->fill(b + 4, 0xAB, bytes - 8));
  auto filled = get<int32_t>(b, values.size());
  EXPECT_EQ(filled.front(), -7);
  EXPECT_EQ(filled[1], static_cast<int32_t>(0xABABABABu));
  EXPECT_EQ(filled[values.size() - 2], static_cast<int32_t>(0xABABABABu));
  EXPECT_EQ(filled.back(), values.back());
  // Copies from the middle of one buffer to the middle of another.
  EXPECT_OK(device->copy(b + 400, a + 800, 40));
  EXPECT_EQ(get<int32_t>(b + 400, 10),
            std::vector<int32_t>(values.begin() + 200, values.begin() + 210));
}

TEST_P(Conformance, NothingIsNoError) {
  DeviceAddress a = take(4);
  EXPECT_OK(device->upload(a, nullptr, 0));
  EXPECT_OK(device->download(nullptr, a, 0));
  EXPECT_OK(device->copy(a, a, 0));
  EXPECT_OK(device->fill(a, 1, 0));
  EXPECT_OK(device->synchronize());
}

TEST_P(Conformance, TooMuchMemoryIsAnEnvironmentErrorThatNamesIt) {
  auto much = device->allocate(int64_t{1} << 50, "a very large cache");
  ASSERT_FALSE(much.isOk());
  EXPECT_EQ(much.status().code(), Code::kEnvironment);
  EXPECT_THAT(much.status().message(), HasSubstr("a very large cache"));
  EXPECT_THAT(much.status().message(), HasSubstr("1125899906842624"));
  EXPECT_GT(take(1000), 0u); // and the device still works
}

TEST_P(Conformance, LoadingSaysWhatIsWrong) {
  auto missing = device->load(
      kernelImage(), std::vector<std::string>{"add", "no_such_kernel"});
  ASSERT_FALSE(missing.isOk());
  EXPECT_EQ(missing.status().code(), Code::kBadInput);
  EXPECT_THAT(missing.status().message(), HasSubstr("no_such_kernel"));
  KernelImage damaged = kernelImage();
  damaged.ptx.resize(damaged.ptx.size() / 2);
  auto cut = device->load(damaged, kKernels);
  ASSERT_FALSE(cut.isOk());
  EXPECT_EQ(cut.status().code(), Code::kBadInput);
  EXPECT_THAT(cut.status().message(), HasSubstr("kernels.ptx"));
}

TEST_P(Conformance, LaunchesWithArguments) {
  std::vector<float> x(1000), y(1000), expected(1000);
  for (int i = 0; i < 1000; ++i) {
    x[i] = static_cast<float>(i) * 0.5f;
    y[i] = 1.0f / static_cast<float>(i + 1);
    expected[i] = x[i] + y[i];
  }
  DeviceAddress a = put(x);
  DeviceAddress b = put(y);
  DeviceAddress out = put(std::vector<float>(1001, -1.0f));
  EXPECT_OK(launch(kAdd, {{8, 1, 1}, 128}, {a, b, out, uint64_t{1000}}));
  expected.push_back(-1.0f); // the threads beyond n wrote nothing
  EXPECT_EQ(get<float>(out, 1001), expected);
}

TEST_P(Conformance, ATableIsOneParameter) {
  DeviceAddress out = put(std::vector<int64_t>(20, -1));
  std::vector<KernelArgument> arguments = {out, uint64_t{7}};
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < 20; ++i) {
    arguments.emplace_back(static_cast<uint64_t>(int64_t{1} << 40) +
                           static_cast<uint64_t>(i));
    expected.push_back((int64_t{1} << 40) + (i + 7) % 20);
  }
  Launch shape{{1, 1, 1}, 32};
  shape.table = 20;
  EXPECT_OK(launch(kFromTable, shape, arguments));
  EXPECT_EQ(get<int64_t>(out, 20), expected);
}

TEST_P(Conformance, GridsHaveThreeDimensionsAndMayBeEmpty) {
  DeviceAddress out = put(std::vector<int32_t>(24, -1));
  for (int empty = 0; empty < 3; ++empty) {
    Launch nothing{{4, 3, 2}, 32};
    nothing.grid[empty] = 0;
    EXPECT_OK(launch(kWhereAmI, nothing, {out, uint64_t{7000}}));
  }
  EXPECT_EQ(get<int32_t>(out, 24), std::vector<int32_t>(24, -1));
  EXPECT_OK(launch(kWhereAmI, {{4, 3, 2}, 32}, {out, uint64_t{7000}}));
  std::vector<int32_t> expected;
  for (int z = 0; z < 2; ++z)
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < 4; ++x)
        expected.push_back(7000 + 100 * z + 10 * y + x);
  EXPECT_EQ(get<int32_t>(out, 24), expected);
}

TEST_P(Conformance, SharedMemoryBeyond48KiB) {
  for (uint32_t bytes : {1024u, 48u << 10, 100'000u & ~127u, 227u << 10}) {
    DeviceAddress out = put(std::vector<int32_t>(128, -1));
    EXPECT_OK(launch(kThroughShared, {{1, 1, 1}, 128, bytes},
                     {out, uint64_t{bytes}}));
    auto values = get<int32_t>(out, 128);
    for (int t = 0; t < 128; ++t)
      ASSERT_EQ(values[t], 3 * (127 - t)) << bytes;
  }
  DeviceAddress out = take(512);
  Status tooMuch = launch(kThroughShared, {{1, 1, 1}, 128, 1 << 20},
                          {out, uint64_t{1} << 20});
  ASSERT_FALSE(tooMuch.isOk());
  EXPECT_THAT(tooMuch.message(), HasSubstr("through_shared"));
}

TEST_P(Conformance, TheCopyEngineCutsBoxesAndFillsWithZeros) {
  std::vector<int32_t> matrix(20 * 12); // 20 rows of 12
  std::iota(matrix.begin(), matrix.end(), 1000);
  DeviceAddress from = put(matrix);
  DeviceAddress out = take(8 * 4 * 4);
  TensorMap map;
  map.address = from;
  map.elementBytes = 4;
  map.extents[0] = 12;
  map.extents[1] = 20;
  map.strides[0] = 48;
  map.box[0] = 8;
  map.box[1] = 4;
  for (auto [column, row] :
       {std::pair{0, 0}, {4, 7}, {8, 18}, {12, 0}, {0, 19}}) {
    EXPECT_OK(launch(
        kCopyBox, {{1, 1, 1}, 32, 256},
        {map, static_cast<uint64_t>(column), static_cast<uint64_t>(row), out}));
    auto box = get<int32_t>(out, 32);
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 8; ++c) {
        bool inside = row + r < 20 && column + c < 12;
        EXPECT_EQ(box[r * 8 + c],
                  inside ? matrix[(row + r) * 12 + column + c] : 0)
            << column << " " << row;
      }
  }
}

TEST_P(Conformance, AGraphReplaysWhatWasRecorded) {
  DeviceAddress x = put(std::vector<float>{1, 2, 3});
  DeviceAddress sum = put(std::vector<float>{0, 0, 0});
  DeviceAddress out = take(12);
  EXPECT_OK(device->beginGraph());
  EXPECT_OK(launch(kAdd, {{1, 1, 1}, 32}, {x, sum, sum, uint64_t{3}}));
  EXPECT_OK(device->copy(out, sum, 12));
  EXPECT_OK(device->fill(out, 0, 4));
  auto graph = device->endGraph();
  ASSERT_TRUE(graph.isOk()) << graph.status().message();
  if (*graph) {
    // Recorded but not run.
    EXPECT_THAT(get<float>(sum, 3), ElementsAre(0, 0, 0));
    EXPECT_OK(device->run(**graph));
  }
  EXPECT_THAT(get<float>(out, 3), ElementsAre(0, 2, 3));
  if (!*graph)
    GTEST_SKIP() << GetParam()
                 << " records nothing: the commands were run at once";
  EXPECT_OK(device->upload(x, std::vector<float>{10, 20, 30}.data(), 12));
  for (int i = 0; i < 3; ++i)
    EXPECT_OK(device->run(**graph));
  EXPECT_THAT(get<float>(out, 3), ElementsAre(0, 62, 93));
}

TEST_P(Conformance, CommandsRunInTheirOrder) {
  DeviceAddress x = put(std::vector<float>(256, 1.0f));
  DeviceAddress sum = put(std::vector<float>(256, 0.0f));
  for (int i = 0; i < 50; ++i) {
    EXPECT_OK(launch(kAdd, {{2, 1, 1}, 128}, {x, sum, sum, uint64_t{256}}));
    // From now on, each is 25.
    if (i == 24)
      EXPECT_OK(device->copy(x, sum, 1024));
  }
  EXPECT_EQ(get<float>(sum, 256), std::vector<float>(256, 25.0f + 25 * 25));
}

TEST_P(Conformance, MarksMeasureTime) {
  auto begin = device->mark();
  ASSERT_TRUE(begin.isOk());
  if (!*begin)
    GTEST_SKIP() << GetParam() << " has no clock of its own";
  DeviceAddress x = put(std::vector<float>(256, 1.0f));
  EXPECT_OK(launch(kAdd, {{2, 1, 1}, 128}, {x, x, x, uint64_t{256}}));
  auto end = device->mark();
  ASSERT_TRUE(end.isOk() && *end);
  auto seconds = device->secondsBetween(**begin, **end);
  ASSERT_TRUE(seconds.isOk()) << seconds.status().message();
  EXPECT_GT(*seconds, 0);
  EXPECT_LT(*seconds, 60);
}

// Runs in a process of its own, because a device may be unusable after a fault.
TEST_P(Conformance, AFaultNamesItsKernel) {
  device.reset();
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto fault = [&] {
    auto opened = openDevice(GetParam());
    auto loaded = (*opened)->load(kernelImage(), kKernels);
    KernelArgument arguments[] = {uint64_t{64}};
    Status status =
        (*opened)->launch(**loaded, kWriteNowhere, {{1, 1, 1}, 32}, arguments);
    if (status.isOk())
      status = (*opened)->synchronize();
    std::fprintf(stderr, "%s\n", status.message().c_str());
    _exit(status.exitCode());
  };
  module.reset();
  EXPECT_EXIT(fault(), testing::ExitedWithCode(static_cast<int>(Code::kFailed)),
              "write_nowhere");
}

} // namespace
