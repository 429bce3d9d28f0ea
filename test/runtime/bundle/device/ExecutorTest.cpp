// Calls on a device: results, recorded graphs, and memory.
#include "runtime/bundle/device/device_backend.h"
#include "test/runtime/bundle/small_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

struct World {
  std::shared_ptr<FakeDevice> device = std::make_shared<FakeDevice>();
  std::shared_ptr<DeviceResidence> residence =
      std::make_shared<DeviceResidence>(device);
  DeviceExecutor *executor = nullptr;
  std::optional<Program> program;
  std::optional<Function> main;
  std::vector<float> x = {1, 2, 3};
  std::vector<float> bias = {10, 20, 30};
  std::vector<float> sum = {0, 0, 0};
  Arena arena;

  static TensorView view(std::vector<float> &values) {
    return {DType::kF32,
            {static_cast<int64_t>(values.size())},
            reinterpret_cast<std::byte *>(values.data())};
  }
  void load() {
    addKernels(*device);
    auto loaded = loadDeviceProgram(smallProgram(), residence, executor);
    ASSERT_TRUE(loaded.isOk()) << loaded.status().message();
    program = *std::move(loaded);
    auto function = program->function("main");
    ASSERT_TRUE(function.isOk());
    main = *std::move(function);
    ASSERT_TRUE(main->bind("bias", view(bias)).isOk());
    ASSERT_TRUE(main->bind("sum:all", view(sum)).isOk());
  }
  std::vector<float> call() {
    EXPECT_TRUE(main->bind("x", view(x)).isOk());
    auto results = main->call(arena);
    EXPECT_TRUE(results.isOk()) << results.status().message();
    if (!results.isOk())
      return {};
    const TensorView &out = results->front();
    return {out.as<float>(), out.as<float>() + out.elements()};
  }
};

TEST(Executor, RunsAProgramAsThoughItWereTheHosts) {
  World world;
  world.load();
  EXPECT_FALSE(world.program->has("inner")); // only called by other functions
  EXPECT_THAT(world.call(), ElementsAre(11, 22, 33));
  EXPECT_THAT(world.sum, ElementsAre(0, 0, 0)); // the result is on the device
  ASSERT_TRUE(world.residence->fetch(World::view(world.sum)).isOk());
  EXPECT_THAT(world.sum, ElementsAre(11, 22, 33));
  world.bias = {1, 1, 1};
  ASSERT_TRUE(world.residence->push(World::view(world.bias)).isOk());
  EXPECT_THAT(world.call(), ElementsAre(2, 3, 4));
}

TEST(Executor, RecordsWhatComesAgainAndReplaysIt) {
  World world;
  world.load();
  for (int i = 0; i < 6; ++i) {
    world.x[0] = static_cast<float>(i);
    EXPECT_THAT(world.call(), ElementsAre(10 + i, 22, 33));
  }
  EXPECT_EQ(world.device->recorded, 1);
  EXPECT_EQ(world.device->replays, 4);
  EXPECT_EQ(world.executor->statistics().plans, 1);
  // With other memory the graph does not fit any more.
  std::vector<float> other = {5, 5, 5};
  ASSERT_TRUE(world.main->bind("bias", World::view(other)).isOk());
  EXPECT_THAT(world.call(), ElementsAre(10, 7, 8));
  EXPECT_EQ(world.device->replays, 4);
}

TEST(Executor, ADeviceWithoutGraphsRunsEveryCall) {
  World world;
  world.device->graphs = false;
  world.load();
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(world.call(), ElementsAre(11, 22, 33));
  ASSERT_TRUE(world.residence->fetch(World::view(world.sum)).isOk());
  EXPECT_THAT(world.sum, ElementsAre(55, 110, 165));
}

TEST(Executor, BuffersAreAllocationsOfTheirOwnWhereAccessesAreChecked) {
  World world;
  world.device->checks = world.device->adopts = true;
  world.load();
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(world.call(), ElementsAre(11, 22, 33));
  // Adopted memory is the host's itself.
  EXPECT_THAT(world.sum, ElementsAre(33, 66, 99));
  EXPECT_TRUE(world.device->blocks.empty());
}

TEST(Executor, OutOfMemoryNamesWhatWasPlannedAndWhatIsFree) {
  World world;
  world.device->capacity = 4096;
  world.load();
  for (auto *values : {&world.x, &world.bias, &world.sum})
    values->resize(5000);
  Status bound = world.main->bind("bias", World::view(world.bias));
  EXPECT_EQ(bound.code(), Code::kEnvironment);
  EXPECT_THAT(bound.message(), HasSubstr("bias"));

  World small;
  small.device->capacity = 1000;
  small.load();
  ASSERT_TRUE(small.main->bind("x", World::view(small.x)).isOk());
  small.device->capacity = 500;
  auto results = small.main->call(small.arena);
  EXPECT_EQ(results.status().code(), Code::kEnvironment);
  EXPECT_THAT(results.status().message(),
              HasSubstr("planned with 768 bytes beside 24"));
  EXPECT_THAT(results.status().message(), HasSubstr("476 of 500 are free"));
}

TEST(Executor, ProgramsOnOneDeviceShareTheirArena) {
  World world;
  world.load();
  auto second = loadDeviceProgram(smallProgram(), world.residence);
  ASSERT_TRUE(second.isOk());
  world.call();
  int64_t used = world.device->used;
  auto main = second->function("main");
  ASSERT_TRUE(main->bind("bias", World::view(world.bias)).isOk());
  ASSERT_TRUE(main->bind("sum:all", World::view(world.sum)).isOk());
  ASSERT_TRUE(main->bind("x", World::view(world.x)).isOk());
  ASSERT_TRUE(main->call(world.arena).isOk());
  EXPECT_EQ(world.device->used, used);
}

// One program's result becomes another's input without passing through the
// host, in whatever order calls use the arena.
TEST(Executor, AResultCanStayOnTheDevice) {
  for (bool checks : {false, true}) {
    World world;
    world.device->checks = checks;
    world.load();
    auto second = loadDeviceProgram(smallProgram(), world.residence);
    ASSERT_TRUE(second.isOk());
    auto next = second->function("main");
    std::vector<float> sum = {0, 0, 0};
    ASSERT_TRUE(next->bind("bias", World::view(world.bias)).isOk());
    ASSERT_TRUE(next->bind("sum:all", World::view(sum)).isOk());
    world.main->keepOnDevice(world.main->result("out"));
    uint64_t where = 0;
    for (int i = 0; i < 6; ++i) {
      world.x[0] = static_cast<float>(i);
      ASSERT_TRUE(world.main->bind("x", World::view(world.x)).isOk());
      auto kept = world.main->call(world.arena);
      ASSERT_TRUE(kept.isOk()) << kept.status().message();
      EXPECT_EQ(kept->front().data, nullptr);
      ASSERT_NE(kept->front().device, 0u);
      EXPECT_EQ(kept->front().shape, Shape{3});
      // A graph refers to it.
      if (!checks && i > 0)
        EXPECT_EQ(kept->front().device, where);
      where = kept->front().device;
      ASSERT_TRUE(next->bind("x", kept->front()).isOk());
      auto results = next->call(world.arena);
      ASSERT_TRUE(results.isOk()) << results.status().message();
      EXPECT_THAT(std::vector<float>(results->front().as<float>(),
                                     results->front().as<float>() + 3),
                  ElementsAre(20 + i, 42, 63));
    }
    EXPECT_EQ(world.device->replays, checks ? 0 : 8);
    // Larger results move.
    for (auto *values : {&world.x, &world.bias, &world.sum, &sum})
      values->assign(5000, 7);
    ASSERT_TRUE(world.main->bind("bias", World::view(world.bias)).isOk());
    ASSERT_TRUE(world.main->bind("sum:all", World::view(world.sum)).isOk());
    ASSERT_TRUE(world.main->bind("x", World::view(world.x)).isOk());
    auto kept = world.main->call(world.arena);
    ASSERT_TRUE(kept.isOk()) << kept.status().message();
    ASSERT_TRUE(next->bind("bias", World::view(world.bias)).isOk());
    ASSERT_TRUE(next->bind("sum:all", World::view(sum)).isOk());
    ASSERT_TRUE(next->bind("x", kept->front()).isOk());
    auto results = next->call(world.arena);
    ASSERT_TRUE(results.isOk()) << results.status().message();
    EXPECT_EQ(results->front().as<float>()[4999], 21);
  }
}

// Two adjacent results, one of which may stay on the device.
TEST(Executor, SmallResultsComeBackInOnePiece) {
  World world;
  addKernels(*world.device);
  DeviceProgram two = smallProgram();
  ProgramFunction &function = two.functions[0];
  function.buffers = 5;
  function.commands.push_back(makeCommand(Opcode::kAllocate, 4, 0, {0}));
  function.commands.push_back(launchAdd(3, 2, 3, 1, 4, 0));
  function.results.push_back(
      {"more", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}});
  function.returned = {3, 4};
  auto loaded = loadDeviceProgram(std::move(two), world.residence);
  ASSERT_TRUE(loaded.isOk()) << loaded.status().message();
  auto main = loaded->function("main");
  for (int round = 0; round < 8; ++round) {
    int64_t count = round < 5 ? 3 : 20000; // large results come back one by one
    for (auto *values : {&world.x, &world.bias, &world.sum})
      values->assign(static_cast<size_t>(count), 5);
    world.x[0] = static_cast<float>(round);
    if (round == 7)
      main->keepOnDevice(0);
    ASSERT_TRUE(main->bind("bias", World::view(world.bias)).isOk());
    ASSERT_TRUE(main->bind("sum:all", World::view(world.sum)).isOk());
    ASSERT_TRUE(world.residence->push(World::view(world.bias)).isOk());
    ASSERT_TRUE(main->bind("x", World::view(world.x)).isOk());
    int before = world.device->downloads;
    auto results = main->call(world.arena);
    ASSERT_TRUE(results.isOk()) << results.status().message();
    EXPECT_EQ(world.device->downloads - before,
              round < 5 || round == 7 ? 1 : 2);
    if (round < 7)
      EXPECT_EQ((*results)[0].as<float>()[0], round + 5);
    EXPECT_EQ((*results)[1].as<float>()[0], round + 10);
    EXPECT_EQ((*results)[1].as<float>()[count - 1], 15);
    for (auto *values : {&world.bias, &world.sum})
      world.residence->forget(World::view(*values));
  }
}

TEST(Executor, OnlyAResultCanStay) {
  World world;
  world.load();
  world.main->keepOnDevice(7);
  ASSERT_TRUE(world.main->bind("x", World::view(world.x)).isOk());
  EXPECT_EQ(world.main->call(world.arena).status().message(),
            "program function 'main': program: there is no result 7 to keep on "
            "the device; report this defect");
}

// A device with 4 TB/s, 900 TFLOP/s and a cache of 64 MiB.
TEST(Executor, RatesThatCannotBeAreMarked) {
  DeviceExecutor::CallTime time;
  time.seconds = 1e-3;
  time.limits = {4e12, 900e12, 64 << 20};
  auto add = [&](const char *name, double seconds, std::optional<int64_t> bytes,
                 int64_t largest, int64_t operations) {
    time.kernels.push_back({name, 1, seconds, bytes, largest, operations});
  };
  add("copies", 1e-3, 3'000'000'000, 3'000'000'000, 0);
  add("small", 1e-6, 8'000'000, 8'000'000, 100'000'000);
  add("used_up", 1e-3, 15'000'000'000, 15'000'000'000, 1'000'000'000'000);
  add("lookup", 1e-3, std::nullopt, 0, 0);
  EXPECT_EQ(
      describe(time),
      "    1000.0 us a call\n"
      "    1000.0 us     1 launches   3.000 TB/s        - TFLOP/s   copies\n"
      "       1.0 us     1 launches   8.000 TB/s*   100.0 TFLOP/s   small\n"
      "    1000.0 us     1 launches  15.000 TB/s!  1000.0 TFLOP/s!  used_up\n"
      "    1000.0 us     1 launches       - TB/s        - TFLOP/s   lookup\n"
      "* more than the 4.0 TB/s of the device's memory: between repetitions "
      "the buffers stay in its cache of 64 "
      "MiB\n"
      "! more than the device can do (4.0 TB/s, 900 TFLOP/s): what was counted "
      "or timed is wrong, do not believe "
      "it\n");
}

} // namespace
