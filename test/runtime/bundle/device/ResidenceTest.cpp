// Parameters, state and cache of a device program exist on the device only.
#include "lib/Numerics/bf16.h"
#include "runtime/bundle/device/device_backend.h"
#include "runtime/core/file.h"
#include "runtime/rollout/cache.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/export.h"
#include "runtime/train/trainer.h"
#include "test/runtime/bundle/small_program.h"
#include "test/runtime/core/program/fake_program.h"
#include "test/runtime/core/temporary_folder.h"
#include "test/runtime/train/fake_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

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

// A training program on the fake device, small enough to follow by hand. logp
// [L] is w[0]. train_step adds 1 to every element of the gradient, and the norm
// is their sum of squares. update subtracts hyper[0] * gradient from the
// master. It writes nothing else, so the host must derive the weight.
struct TrainingProgram {
  std::shared_ptr<FakeDevice> device = std::make_shared<FakeDevice>();
  std::shared_ptr<DeviceResidence> residence =
      std::make_shared<DeviceResidence>(device);

  static ProgramFunction function(const std::string &name,
                                  std::vector<ProgramValue> arguments,
                                  std::vector<ProgramValue> results,
                                  int kernel) {
    ProgramFunction made;
    made.name = name;
    made.arguments = std::move(arguments);
    made.results = std::move(results);
    made.registers = 2;
    made.buffers =
        static_cast<int32_t>(made.arguments.size() + made.results.size());
    made.commands = {makeCommand(Opcode::kConstant, 0, 1)};
    if (name == "train_step" || name == "log_probability")
      made.commands.push_back(makeCommand(Opcode::kExtent, 1, 0, {0}));
    Command launch = makeCommand(Opcode::kLaunch, -1, kernel, {0, 0, 0});
    for (size_t i = 0; i < made.arguments.size(); ++i)
      launch.arguments.push_back(bufferArgument(static_cast<int32_t>(i)));
    for (size_t i = 0; i < made.results.size(); ++i) {
      auto buffer = static_cast<int32_t>(made.arguments.size() + i);
      made.commands.push_back(
          makeCommand(Opcode::kAllocate, buffer, NIBBLE_DTYPE_F32,
                      made.results[i].shape.empty() ? std::vector<int32_t>{}
                                                    : std::vector{1}));
      launch.arguments.push_back(bufferArgument(buffer));
      made.returned.push_back(buffer);
    }
    if (name == "train_step" || name == "log_probability")
      launch.arguments.push_back(integerArgument(1));
    made.commands.push_back(launch);
    return made;
  }

  DeviceProgram program() {
    ProgramValue tokens{
        "tokens", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_I32, {-1}};
    ProgramValue weight{
        "w", "", NIBBLE_ROLE_PARAMETER, NIBBLE_DTYPE_BF16, {kRows}};
    ProgramValue gradient{
        "gradient:w", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {kRows}};
    ProgramValue master{
        "master:w", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {kRows}};
    ProgramValue hyper{"hyper", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {8}};
    ProgramValue loss{"loss", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {}};
    ProgramValue logp{"logp", "", NIBBLE_ROLE_INPUT, NIBBLE_DTYPE_F32, {-1}};
    DeviceProgram made;
    for (const char *name : {"step", "norm", "update"})
      made.kernels.push_back({name, 32, 0, 1, false});
    made.image = {"training", "ptx", "", "sm_90a"};
    made.functions = {
        function("train_step", {tokens, weight, gradient}, {loss, logp}, 0),
        function("gradient_norm", {gradient}, {loss}, 1),
        function("update", {master, gradient, hyper}, {}, 2)};
    return made;
  }

  Program load() {
    auto at = [](std::span<const KernelArgument> arguments, int i) {
      return reinterpret_cast<float *>(std::get<uint64_t>(arguments[i]));
    };
    device->kernels["step"] = [at](const Launch &,
                                   std::span<const KernelArgument> a) {
      *at(a, 3) = 0.5f;
      for (uint64_t i = 0; i < std::get<uint64_t>(a[5]); ++i)
        at(a, 4)[i] =
            numerics::floatFromBf16(*reinterpret_cast<uint16_t *>(at(a, 1)));
      for (int i = 0; i < kRows; ++i)
        at(a, 2)[i] += 1.0f;
    };
    device->kernels["norm"] = [at](const Launch &,
                                   std::span<const KernelArgument> a) {
      *at(a, 1) = 0;
      for (int i = 0; i < kRows; ++i)
        *at(a, 1) += at(a, 0)[i] * at(a, 0)[i];
    };
    device->kernels["update"] = [at](const Launch &,
                                     std::span<const KernelArgument> a) {
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
  std::vector<TrainSequence> batch = {{.tokens = {1, 2, 3}},
                                      {.tokens = {4, 5}}};

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
  Tensor read(const std::string &key) {
    auto tensor = store.tensors().at(key).read();
    EXPECT_TRUE(tensor.isOk()) << tensor.status().message();
    return *std::move(tensor);
  }
};

TEST(Residence, ATrainerRunsOnADevice) {
  TrainingRun run;
  float rate = 0;
  for (int step = 0; step < 5; ++step) {
    float before = run.read("master:w").as<float>()[0];
    auto result = run.trainer->step(run.batch);
    ASSERT_TRUE(result.isOk()) << result.status().message();
    // Four ones: zeroed before, added once.
    EXPECT_EQ(result->gradientNorm, 2.0);
    EXPECT_EQ(result->rows, 3);
    EXPECT_EQ(result->values.logProbability[0],
              numerics::floatFromBf16(numerics::bf16FromFloat(before)));
    rate = before - run.read("master:w").as<float>()[0];
    EXPECT_GT(rate, 0);
    // After publishing, the next step reads the master's weight.
    EXPECT_EQ(run.read("weight:w").as<uint16_t>()[0],
              numerics::bf16FromFloat(run.read("master:w").as<float>()[0]));
  }
}

TEST(Residence, AGradientThatIsNotFiniteIsFoundOnTheDevice) {
  TrainingRun run;
  run.training.device->kernels["norm"] = [](const Launch &,
                                            std::span<const KernelArgument> a) {
    auto *gradient = reinterpret_cast<float *>(std::get<uint64_t>(a[0]));
    gradient[2] = std::nanf("");
    *reinterpret_cast<float *>(std::get<uint64_t>(a[1])) = std::nanf("");
  };
  EXPECT_THAT(run.trainer->step(run.batch).status().message(),
              HasSubstr("gradient:w holds nan at index 2"));
}

TEST(Residence, CheckpointsHoldWhatTheDeviceHasAndBringItBack) {
  TemporaryFolder folder;
  TrainingRun run;
  ASSERT_TRUE(run.trainer->step(run.batch).isOk());
  ASSERT_TRUE(
      saveCheckpoint(folder.path(), 1, Json::object(), run.store, 1).isOk());
  Tensor master = run.read("master:w");
  std::vector<float> saved(master.as<float>(), master.as<float>() + kRows);
  ASSERT_TRUE(run.trainer->step(run.batch).isOk());
  EXPECT_NE(run.read("master:w").as<float>()[0], saved[0]);

  std::vector<std::string> warnings;
  auto newest = newestCheckpoint(folder.path(), warnings);
  ASSERT_TRUE(newest.isOk() && *newest);
  ASSERT_TRUE(loadCheckpoint(**newest, run.store).isOk());
  for (int i = 0; i < kRows; ++i)
    EXPECT_EQ(run.read("master:w").as<float>()[i],
              saved[i]); // the device's present values
  auto step = run.trainer->step(run.batch);
  ASSERT_TRUE(step.isOk());
  EXPECT_EQ(step->values.logProbability[0],
            numerics::floatFromBf16(numerics::bf16FromFloat(saved[0])));
}

// The state of a parameter "w" with 5003 elements, for a host program and for a
// device program. The tensors are no whole number of pieces.
constexpr int64_t kElements = 5003;
constexpr int64_t kPiece = 4096;

struct StateOnHost {
  FakeProgram fake;
  ParameterStore store;
  StateOnHost() {
    FakeFunction &update = fake.function("update");
    for (const char *name :
         {"master:w", "moment1:w", "moment2:w", "gradient:w"})
      update.state(name, DType::kF32, {kElements});
    update.state("weight:w", DType::kBF16, {kElements}).body([](FakeCall &) {});
    EXPECT_TRUE(store.declare(fake.program()).isOk());
  }
};

struct StateOnDevice {
  std::shared_ptr<FakeDevice> device = std::make_shared<FakeDevice>();
  ParameterStore store;
  StateOnDevice() {
    ProgramFunction update;
    update.name = "update";
    for (const char *name :
         {"master:w", "moment1:w", "moment2:w", "gradient:w"})
      update.arguments.push_back(
          {name, "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {kElements}});
    update.arguments.push_back(
        {"weight:w", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_BF16, {kElements}});
    update.buffers = static_cast<int32_t>(update.arguments.size());
    DeviceProgram program;
    program.functions = {update};
    program.image = {"update", "ptx", "", "sm_90a"};
    auto loaded = loadDeviceProgram(
        program, std::make_shared<DeviceResidence>(device, kPiece));
    EXPECT_TRUE(loaded.isOk()) << loaded.status().message();
    EXPECT_TRUE(store.declare(*loaded).isOk());
  }
};

FakeSource waves() {
  return sourceOf({kElements},
                  [](int64_t i) { return std::sin(static_cast<float>(i)); });
}

// Moments as they are after a step.
void fillMoments(ParameterStore &store) {
  for (const char *key : {"moment1:w", "moment2:w"}) {
    std::vector<float> values(kElements);
    for (int64_t i = 0; i < kElements; ++i)
      values[i] = static_cast<float>(i) + (key[6] == '1' ? 0.5f : 0.25f);
    ASSERT_TRUE(
        store.tensors().at(key).write(std::as_bytes(std::span(values))).isOk());
  }
}

std::string contentOf(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void expectSameBytes(const ParameterStore &a, const ParameterStore &b) {
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const auto &[key, tensor] : a.tensors()) {
    auto one = tensor.read();
    auto other = b.tensors().at(key).read();
    ASSERT_TRUE(one.isOk() && other.isOk());
    EXPECT_EQ(std::memcmp(one->data(), other->data(),
                          static_cast<size_t>(one->bytes())),
              0)
        << key;
  }
}

TEST(Residence, CheckpointsOfADeviceAreTheHostsByteForByte) {
  TemporaryFolder folder;
  StateOnHost host;
  StateOnDevice device;
  for (ParameterStore *store : {&host.store, &device.store}) {
    FakeSource source = waves();
    ASSERT_TRUE(store->initialize(source).isOk());
    fillMoments(*store);
    std::string name = store == &host.store ? "host" : "device";
    ASSERT_TRUE(
        saveCheckpoint(folder / name, 3, {{"step", 3}}, *store, 1).isOk());
    ASSERT_TRUE(makeFolders(folder / "source").isOk());
    std::ofstream(folder / "source/config.json") << "{}";
    Status exported =
        exportCheckpoint(*store, folder / "source", folder / (name + "-model"));
    ASSERT_TRUE(exported.isOk()) << exported.message();
  }
  int64_t bytes = 0;
  for (const char *file : {"weights.safetensors", "optimizer.safetensors",
                           "state.json", "manifest.json"}) {
    std::string expected = contentOf(folder / "host/step-000003" / file);
    EXPECT_EQ(contentOf(folder / "device/step-000003" / file), expected)
        << file;
    bytes += static_cast<int64_t>(expected.size());
  }
  EXPECT_EQ(contentOf(folder / "device-model/model.safetensors"),
            contentOf(folder / "host-model/model.safetensors"));
  EXPECT_GT(bytes, 14 * kElements);
  std::printf("%lld bytes compared\n", static_cast<long long>(bytes));

  std::vector<std::string> warnings;
  auto newest = newestCheckpoint(folder / "host", warnings);
  ASSERT_TRUE(newest.isOk() && *newest);
  StateOnDevice loaded;
  ASSERT_TRUE(loadCheckpoint(**newest, loaded.store).isOk());
  ASSERT_TRUE(host.store.zeroGradients().isOk());
  expectSameBytes(host.store, loaded.store);
}

TEST(Residence, TheHostHoldsOneTensorWhileADeviceIsFilledAndNoneAfterwards) {
  TemporaryFolder folder;
  StateOnDevice device;
  int64_t before = hostTensorMemory().now;
  resetHostTensorPeak();
  FakeSource source = waves();
  ASSERT_TRUE(device.store.initialize(source).isOk());
  // The weight from the checkpoint, and the rounded weight.
  EXPECT_EQ(hostTensorMemory().peak - before, kElements * 6);
  EXPECT_EQ(hostTensorMemory().now, before);
  resetHostTensorPeak();
  ASSERT_TRUE(
      saveCheckpoint(folder.path(), 1, Json::object(), device.store, 1).isOk());
  std::vector<std::string> warnings;
  auto newest = newestCheckpoint(folder.path(), warnings);
  ASSERT_TRUE(newest.isOk() && *newest);
  ASSERT_TRUE(loadCheckpoint(**newest, device.store).isOk());
  ASSERT_TRUE(device.store.zeroGradients().isOk());
  EXPECT_EQ(hostTensorMemory().peak, before);
  EXPECT_EQ(device.store.bytes(), kElements * 18);
  EXPECT_EQ(device.device->used, device.store.bytes());
}

TEST(Residence, TensorsGoWithTheStore) {
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
  forward.arguments = {
      {"key_cache:0", "", NIBBLE_ROLE_STATE, NIBBLE_DTYPE_F32, {-1, 1, 2, 4}},
      {"value_cache:0",
       "",
       NIBBLE_ROLE_STATE,
       NIBBLE_DTYPE_F32,
       {-1, 1, 4, 2}}};
  forward.buffers = 2;
  program.functions = {forward};
  program.image = {"cache", "ptx", "", "sm_90a"};
  auto loaded =
      loadDeviceProgram(program, std::make_shared<DeviceResidence>(device));
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
