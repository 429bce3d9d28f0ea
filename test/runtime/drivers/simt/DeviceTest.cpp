// The device's own interface: refusals, graphs, foreign memory, counters.
#include "test/runtime/drivers/simt/simt_test.h"

using namespace nibble;
using namespace nibble::test;

namespace {

std::string loadError(const std::string &ptx) {
  Simt simt;
  std::vector<std::string> names{"k"};
  auto module = simt.device->load({"image", ptx, "", "sm_90a"}, names);
  if (module.isOk())
    return "";
  EXPECT_NE(module.status().code(), Code::kOk);
  return module.status().message();
}

TEST(SimtDevice, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(loadError(kernelText(0, "frobnicate.u32 %r1, %r2;"))
                .find("`frobnicate.u32 %r1, %r2;`: the instruction frobnicate "
                      "is not known"),
            std::string::npos);
  EXPECT_NE(loadError(kernelText(0, "add.strange.u32 %r1, %r2, %r3;"))
                .find("the modifier .strange is not supported"),
            std::string::npos);
  EXPECT_NE(loadError(kernelText(0, "add.u32 %r1, %r2, %nope;"))
                .find("the special register %nope is not supported"),
            std::string::npos);
  EXPECT_NE(loadError(kernelText(0, "add.u32 %r1, %r2, %rd3;"))
                .find("does not have 32 bits"),
            std::string::npos);
  EXPECT_NE(
      loadError(kernelText(0, "bra NOWHERE;"))
          .find("no variable, register, function or label is named 'NOWHERE'"),
      std::string::npos);
  EXPECT_NE(loadError(kernelText(0, "add.u32 %r1, %r2")).find("expected ';'"),
            std::string::npos);
  EXPECT_NE(loadError(".version 8.3\n.target sm_90a\n.address_size 64\n")
                .find("it has no kernel 'k'"),
            std::string::npos);
  EXPECT_NE(loadError("").find("it has no PTX text"), std::string::npos);
  EXPECT_NE(loadError(".visible .entry k() {").find("a block is not closed"),
            std::string::npos);
  EXPECT_EQ(loadError(kernelText(0, "")), "");
}

// Every text must be refused or accepted, and never end the process.
TEST(SimtDevice, SurvivesDamagedText) {
  std::string text = inputFile("ring.ptx");
  uint32_t state = 7;
  for (int i = 0; i < 400; ++i) {
    std::string damaged = text;
    for (int j = 0; j < 3; ++j) {
      state = state * 1664525 + 1013904223;
      damaged[state % damaged.size()] =
          "{}[]();,.%0x@_:\"/"[(state >> 20) % 17];
    }
    Simt simt;
    std::vector<std::string> names{"ring"};
    (void)simt.device->load({"image", damaged, "", "sm_90a"}, names);
  }
  loadError(std::string(100000, '{'));
  loadError(".visible .entry k() {" + std::string(100000, '{'));
  loadError(".visible .entry k() { mov.u32 " + std::string(100000, '['));
}

TEST(SimtDevice, RefusesLaunchesThatDoNotFit) {
  Simt simt;
  std::string text = kernelText(1, "");
  EXPECT_EQ(simt.run(text, "k", blocks(1, 32), {}).code(), Code::kUsage);
  EXPECT_EQ(simt.run(text, "k", blocks(1, 2048), {uint64_t{0}}).code(),
            Code::kUsage);
  EXPECT_EQ(simt.run(text, "k", blocks(3, 32, 0, 2), {uint64_t{0}}).code(),
            Code::kUsage);
  EXPECT_EQ(
      simt.run(text, "k", blocks(1, 32, 300 * 1024), {uint64_t{0}}).code(),
      Code::kUsage);
  EXPECT_EQ(simt.run(text, "k", blocks(1, 32), {TensorMap{}}).code(),
            Code::kUsage);
  expectOk(simt.run(text, "k", blocks(1, 32), {uint64_t{0}}));
}

const char *const kIncrement =
    "ld.param.u64 %rd1, [p0];\nmov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, "
    "4;\nadd.s64 %rd1, %rd1, %rd2;\n"
    "ld.global.u32 %r2, [%rd1];\nadd.u32 %r2, %r2, 1;\nst.global.u32 [%rd1], "
    "%r2;";

TEST(SimtDevice, GraphsReplay) {
  Simt simt;
  DeviceAddress a = simt.upload(std::vector<uint32_t>(32, 5));
  DeviceAddress b = simt.allocate<uint32_t>(32);
  std::vector<std::string> names{"k"};
  auto module = simt.device->load(
      {"image", kernelText(1, kIncrement), "", "sm_90a"}, names);
  ASSERT_TRUE(module.isOk()) << module.status().message();
  expectOk(simt.device->beginGraph());
  std::vector<KernelArgument> arguments{a};
  expectOk(simt.device->launch(**module, 0, blocks(1, 32), arguments));
  expectOk(simt.device->copy(b, a, 128));
  expectOk(simt.device->fill(b, 0, 4));
  auto graph = simt.device->endGraph();
  ASSERT_TRUE(graph.isOk());
  EXPECT_EQ(simt.download<uint32_t>(a, 32)[3], 5u);
  for (int i = 0; i < 3; ++i)
    expectOk(simt.device->run(**graph));
  EXPECT_EQ(simt.download<uint32_t>(a, 32)[3], 8u);
  EXPECT_EQ(simt.download<uint32_t>(b, 32)[3], 8u);
  EXPECT_EQ(simt.download<uint32_t>(b, 32)[0], 0u);
}

TEST(SimtDevice, AdoptsMemory) {
  Simt simt;
  auto &device = static_cast<SimtDevice &>(*simt.device);
  alignas(256) uint32_t values[32] = {41};
  auto address = reinterpret_cast<DeviceAddress>(values);
  expectFails(
      simt.run(kernelText(1, kIncrement), "k", blocks(1, 32), {address}),
      "reads 4 bytes of global memory");
  expectOk(device.adopt(values, sizeof values, "values"));
  EXPECT_EQ(device.adopt(values + 4, 16, "again").code(), Code::kUsage);
  expectOk(simt.run(kernelText(1, kIncrement), "k", blocks(1, 32), {address}));
  EXPECT_EQ(values[0], 42u);
  device.disown(values);
  expectFails(
      simt.run(kernelText(1, kIncrement), "k", blocks(1, 32), {address}),
      "reads 4 bytes of global memory");
}

TEST(SimtDevice, ChecksCopies) {
  Simt simt;
  DeviceAddress a = simt.allocate<uint32_t>(4, "small");
  uint32_t values[8] = {};
  Status status = simt.device->upload(a, values, 32);
  EXPECT_EQ(status.code(), Code::kUsage);
  EXPECT_NE(status.message().find("16 bytes reach beyond the end of 'small'"),
            std::string::npos)
      << status.message();
  simt.device->release(a);
  EXPECT_FALSE(simt.device->upload(a, values, 4).isOk());
}

TEST(SimtDevice, ReportsDownloadsOfWhatNothingWrote) {
  Simt simt;
  DeviceAddress a = simt.allocate<uint32_t>(4, "small"),
                b = simt.allocate<uint32_t>(4, "other");
  uint32_t values[4] = {};
  expectOk(simt.device->upload(a, values, 12));
  expectOk(simt.device->download(values, a, 12));
  expectFails(simt.device->download(values, a, 16),
              "download of 16 bytes: nothing wrote byte 12 of 'small'");
  // A copy does not count as a read. Bytes that were unwritten remain so in the
  // copy.
  expectOk(simt.device->fill(b, 0, 16));
  expectOk(simt.device->copy(b, a, 16));
  expectFails(simt.device->download(values, b, 16),
              "nothing wrote byte 12 of 'other'");
  expectOk(simt.device->fill(b + 12, 0, 4));
  expectOk(simt.device->download(values, b, 16));
  SimtOptions options;
  options.checks = SimtOptions::kOff;
  Simt unchecked(options);
  expectOk(
      unchecked.device->download(values, unchecked.allocate<uint32_t>(4), 16));
}

TEST(SimtDevice, Counts) {
  Simt simt;
  auto &device = static_cast<SimtDevice &>(*simt.device);
  expectOk(simt.run(kernelText(0, "mov.u32 %r1, 1;"), "k", blocks(2, 40), {}));
  SimtCounters counters = device.counters();
  EXPECT_EQ(counters.launches, 1u);
  EXPECT_EQ(counters.warpInstructions, 8u);
  EXPECT_EQ(counters.threadInstructions, 160u);
  EXPECT_EQ(counters.localAccesses, 0u);
  expectOk(simt.run(kernelText(0, ".local .b32 x;\nst.local.u32 [x], 1;"), "k",
                    blocks(1, 32), {}));
  EXPECT_EQ(device.counters().localAccesses, 1u);
}

// Reports and results do not depend on the number of host threads that run the
// blocks.
TEST(SimtDevice, SameReportOnAnyNumberOfThreads) {
  std::string body = "ld.param.u64 %rd1, [p0];\nmov.u32 %r1, "
                     "%ctaid.x;\nsetp.lt.u32 %p1, %r1, 9;\n@%p1 bra "
                     "END;\nst.global.u32 [%rd1+4096], %r1;\nEND:";
  for (int threads : {1, 2, 4}) {
    Simt simt({.threads = threads});
    Status status =
        simt.run(kernelText(1, body), "k", blocks(64, 32),
                 {simt.upload(std::vector<uint32_t>(4, 0), "buffer")});
    ASSERT_FALSE(status.isOk());
    EXPECT_NE(status.message().find("block (9, 0, 0)"), std::string::npos)
        << status.message();
  }
}

} // namespace
