// Parameters, state and cache of a device program: who reads fetches, who writes pushes.
#include "lib/Numerics/bf16.h"
#include "runtime/bundle/device_backend.h"
#include "runtime/rollout/cache.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/export.h"
#include "runtime/train/trainer.h"
#include "test/runtime/bundle/small_program.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

constexpr int64_t kRows = 4;

struct Ones final : WeightSource {
  Result<Tensor> read(const std::string &) override {
    NIBBLE_ASSIGN(Tensor tensor, Tensor::create(DType::kF32, {kRows}));
    for (int i = 0; i < kRows; ++i)
      tensor.as<float>()[i] = 1.0f + static_cast<float>(i);
    return tensor;
  }
};

// A training program on the fake device, small enough to follow: logp [L] = w[0]; train_step adds 1 to every element of
// the gradient; the norm is their sum of squares; update subtracts hyper[0] * gradient from the master, and writes
// nothing else, so that the weight has to be derived on the host.
struct TrainingProgram {
  std::shared_ptr<FakeDevice> device = std::make_shared<FakeDevice>();
  std::shared_ptr<DeviceResidence> residence = std::make_shared<DeviceResidence>(device);

  static ProgramFunction function(const std::string &name, std::vector<ProgramValue> arguments,
                                  std::vector<ProgramValue> results, int kernel) {
    ProgramFunction made;
    made.name = name;
    made.arguments = std::move(arguments);
    made.results = std::move(results);
    made.registers = 2;
    made.buffers = static_cast<int32_t>(made.arguments.size() + made.results.size());
    made.commands = {makeCommand(Opcode::kConstant, 0, 1)};
    if (name == "train_step" || name == "log_probability")
      made.commands.push_back(makeCommand(Opcode::kExtent, 1, 0, {0}));
    Command launch = makeCommand(Opcode::kLaunch, -1, kernel, {0, 0, 0});
    for (size_t i = 0; i < made.arguments.size(); ++i)
      launch.arguments.push_back(bufferArgument(static_cast<int32_t>(i)));
    for (size_t i = 0; i < made.results.size(); ++i) {
      auto buffer = static_cast<int32_t>(made.arguments.size() + i);
      made.commands.push_back(makeCommand(Opcode::kAllocate, buffer, NIBBLE_DTYPE_F32,
                                          made.results[i].shape.empty() ? std::vector<int32_t>{} : std::vector{1}));
      launch.arguments.push_back(bufferArgument(buffer));
      made.returned.push_back(buffer);
    }
    if (name == "train_step" || name == "log_probability")
      launch.arguments.push_back(integerArgument(1));
    made.commands.push_back(launch);
    return made;
  }

  DeviceProgram program() {
    ProgramValue tokens{"tokens", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_I32, {-1}};
    ProgramValue weight{"w", "", NIBBLE_ROLE_PARAMETER, NIBBLE_DTYPE_BF16, {kRows}};
    ProgramValue gradient{"gradient:w", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {kRows}};
    ProgramValue master{"master:w", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {kRows}};
    ProgramValue hyper{"hyper", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {8}};
    ProgramValue loss{"loss", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {}};
    ProgramValue logp{"logp", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}};
    DeviceProgram made;
    for (const char *name : {"step", "norm", "update"})
      made.kernels.push_back({name, 32, 0, 1, false});
    made.image = {"training", "ptx", "", "sm_90a"};
    made.functions = {function("train_step", {tokens, weight, gradient}, {loss, logp}, 0),
                      function("gradient_norm", {gradient}, {loss}, 1),
                      function("update", {master, gradient, hyper}, {}, 2)};
    return made;
  }

  Program load() {
    auto at = [](std::span<const KernelArgument> arguments, int i) {
      return reinterpret_cast<float *>(std::get<uint64_t>(arguments[i]));
    };
    device->kernels["step"] = [at](const Launch &, std::span<const KernelArgument> a) {
      *at(a, 3) = 0.5f;
      for (uint64_t i = 0; i < std::get<uint64_t>(a[5]); ++i)
        at(a, 4)[i] = numerics::floatFromBf16(*reinterpret_cast<uint16_t *>(at(a, 1)));
      for (int i = 0; i < kRows; ++i)
        at(a, 2)[i] += 1.0f;
    };
    device->kernels["norm"] = [at](const Launch &, std::span<const KernelArgument> a) {
      *at(a, 1) = 0;
      for (int i = 0; i < kRows; ++i)
        *at(a, 1) += at(a, 0)[i] * at(a, 0)[i];
    };
    device->kernels["update"] = [at](const Launch &, std::span<const KernelArgument> a) {
      for (int i = 0; i < kRows; ++i)
        at(a, 0)[i] -= at(a, 2)[0] * at(a, 1)[i];
    };
    auto loaded = loadDeviceProgram(program(), residence);
    EXPECT_TRUE(loaded.isOk()) << loaded.status().message();
    return *std::move(loaded);
  }
};

struct TrainingRun {
  TrainingProgram training;
  Program program = training.load();
  ParameterStore store;
  Ones source;
  std::optional<Trainer> trainer;
  std::vector<TrainSequence> batch = {{.tokens = {1, 2, 3}}, {.tokens = {4, 5}}};

  TrainingRun() {
    EXPECT_TRUE(store.declare(program).isOk());
    EXPECT_TRUE(store.initialize(source).isOk());
    TrainerOptions options;
    options.optimizer.learningRate = 0.25;
    options.optimizer.clipNorm = 0;
    auto made = Trainer::create(program, store, options);
    EXPECT_TRUE(made.isOk()) << made.status().message();
    trainer = *std::move(made);
  }
  const Tensor &fetched(const std::string &key) {
    const Tensor &tensor = store.tensors().at(key);
    EXPECT_TRUE(store.fetch(tensor).isOk());
    return tensor;
  }
};

TEST(Residence, ATrainerRunsOnADevice) {
  TrainingRun run;
  float rate = 0;
  for (int step = 0; step < 5; ++step) {
    float before = run.fetched("master:w").as<float>()[0];
    auto result = run.trainer->step(run.batch);
    ASSERT_TRUE(result.isOk()) << result.status().message();
    EXPECT_EQ(result->gradientNorm, 2.0); // four ones: zeroed before, added once
    EXPECT_EQ(result->rows, 3);
    EXPECT_EQ(result->values.logProbability[0], numerics::floatFromBf16(numerics::bf16FromFloat(before)));
    rate = before - run.fetched("master:w").as<float>()[0];
    EXPECT_GT(rate, 0);
    // Published: the weight that the next step reads is the master's.
    EXPECT_EQ(run.fetched("weight:w").as<uint16_t>()[0],
              numerics::bf16FromFloat(run.fetched("master:w").as<float>()[0]));
  }
}

TEST(Residence, AGradientThatIsNotFiniteIsFoundOnTheDevice) {
  TrainingRun run;
  run.training.device->kernels["norm"] = [](const Launch &, std::span<const KernelArgument> a) {
    auto *gradient = reinterpret_cast<float *>(std::get<uint64_t>(a[0]));
    gradient[2] = std::nanf("");
    *reinterpret_cast<float *>(std::get<uint64_t>(a[1])) = std::nanf("");
  };
  EXPECT_THAT(run.trainer->step(run.batch).status().message(), HasSubstr("gradient:w holds nan at index 2"));
}

TEST(Residence, CheckpointsHoldWhatTheDeviceHasAndBringItBack) {
  TemporaryFolder folder;
  TrainingRun run;
  ASSERT_TRUE(run.trainer->step(run.batch).isOk());
  ASSERT_TRUE(saveCheckpoint(folder.path(), 1, Json::object(), run.store, 1).isOk());
  std::vector<float> saved(run.fetched("master:w").as<float>(), run.fetched("master:w").as<float>() + kRows);
  ASSERT_TRUE(run.trainer->step(run.batch).isOk());
  EXPECT_NE(run.fetched("master:w").as<float>()[0], saved[0]);

  std::vector<std::string> warnings;
  auto newest = newestCheckpoint(folder.path(), warnings);
  ASSERT_TRUE(newest.isOk() && *newest);
  ASSERT_TRUE(loadCheckpoint(**newest, run.store).isOk());
  for (int i = 0; i < kRows; ++i)
    EXPECT_EQ(run.fetched("master:w").as<float>()[i], saved[i]); // as the device has it now
  auto step = run.trainer->step(run.batch);
  ASSERT_TRUE(step.isOk());
  EXPECT_EQ(step->values.logProbability[0], numerics::floatFromBf16(numerics::bf16FromFloat(saved[0])));
}

TEST(Residence, MirrorsGoWithTheStore) {
  TrainingProgram training;
  Program program = training.load();
  {
    ParameterStore store;
    Ones source;
    ASSERT_TRUE(store.declare(program).isOk());
    ASSERT_TRUE(store.initialize(source).isOk());
    auto update = program.function("update");
    ASSERT_TRUE(bindTensors(*update, store.lookupFunction()).isOk());
    EXPECT_GT(training.residence->bytes(), 0);
    ParameterStore moved = std::move(store);
    EXPECT_GT(training.residence->bytes(), 0);
  }
  EXPECT_EQ(training.residence->bytes(), 0);
  EXPECT_TRUE(training.device->blocks.empty());
}

TEST(Residence, ProgramsOfTwoDevicesDoNotShareWeights) {
  TrainingProgram one, two;
  ParameterStore store;
  ASSERT_TRUE(store.declare(one.load()).isOk());
  EXPECT_THAT(store.declare(two.load()).message(), HasSubstr("another device"));
}

TEST(Residence, TheCacheLivesOnTheDeviceAlone) {
  auto device = std::make_shared<FakeDevice>();
  DeviceProgram program;
  ProgramFunction forward;
  forward.name = "forward";
  forward.arguments = {{"key_cache:0", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {-1, 1, 2, 4}},
                       {"value_cache:0", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {-1, 1, 4, 2}}};
  forward.buffers = 2;
  program.functions = {forward};
  program.image = {"cache", "ptx", "", "sm_90a"};
  auto loaded = loadDeviceProgram(program, std::make_shared<DeviceResidence>(device));
  ASSERT_TRUE(loaded.isOk());
  auto function = loaded->function("forward");
  {
    auto cache = KeyValueCache::describe(*function);
    ASSERT_TRUE(cache.isOk()) << cache.status().message();
    ASSERT_TRUE(cache->allocate(3, *function).isOk());
    EXPECT_EQ(device->used, 2 * 3 * 32);
    for (auto &[address, block] : device->blocks) {
      auto *values = reinterpret_cast<float *>(address);
      EXPECT_EQ(values[8], 0);
      std::fill(values, values + 8, 5.0f);
    }
    ASSERT_TRUE(cache->copyPage(0, 2).isOk());
    for (auto &[address, block] : device->blocks) {
      EXPECT_EQ(reinterpret_cast<float *>(address)[15], 0);
      EXPECT_EQ(reinterpret_cast<float *>(address)[16], 5);
      EXPECT_EQ(reinterpret_cast<float *>(address)[23], 5);
    }
    EXPECT_FALSE(cache->copyPage(0, 3).isOk());
    Arena arena;
    EXPECT_TRUE(function->call(arena).isOk());
  }
  EXPECT_EQ(device->used, 0);
}

} // namespace
