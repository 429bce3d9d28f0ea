// A profile replays the same work each time, and its bytes are those that a
// launch touches.
#include "runtime/bundle/device/call_plan.h"
#include "runtime/bundle/device/device_backend.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/OpCases.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

using namespace nibble;
using namespace nibble::test;
using testing::Each;
using testing::HasSubstr;
using testing::Not;

namespace {

// One function, `f`, on a watched device, with its arguments.
struct Watched {
  std::shared_ptr<WatchedDevice> device;
  std::shared_ptr<DeviceResidence> residence;
  DeviceExecutor *executor = nullptr;
  std::optional<Program> program;
  std::vector<TensorView> arguments;
  int function = 0;

  Watched(const std::string &source, const std::vector<const Tensor *> &tensors,
          bool hidesChecks)
      : device(*WatchedDevice::open(hidesChecks)),
        residence(std::make_shared<DeviceResidence>(device)) {
    auto loaded = loadDeviceProgram(CompiledForDevice(source).deviceProgram(),
                                    residence, executor);
    EXPECT_TRUE(loaded.isOk()) << loaded.status().message();
    program = *std::move(loaded);
    for (const Tensor *tensor : tensors)
      arguments.push_back(tensor->view());
    while (executor->program().functions[function].name != "f")
      ++function;
    const auto &values = executor->program().functions[function].arguments;
    for (size_t i = 0; i < values.size(); ++i)
      if (values[i].role != NIBBLE_ROLE_INPUT)
        EXPECT_TRUE(residence->mirror(arguments[i], values[i].name).isOk());
  }
};

// The bytes that simt sees each launch touch must equal the bytes that the
// launch states.
void expectToldBytes(const std::string &source,
                     const std::vector<const Tensor *> &tensors) {
  Watched watched(source, tensors, /*hidesChecks=*/false);
  Arena arena;
  auto results =
      watched.executor->call(watched.function, watched.arguments, arena);
  ASSERT_TRUE(results.isOk()) << results.status().message();
  std::vector<Shape> shapes;
  for (const TensorView &argument : watched.arguments)
    shapes.push_back(argument.shape);
  CallPlan plan =
      *planCall(watched.executor->program(), watched.function, shapes);
  std::vector<int64_t> told, given;
  for (const PlannedCommand &command : plan.commands) {
    if (command.kind != PlannedCommand::Kind::kLaunch)
      continue;
    told.push_back(bytesTouched(plan, command).value_or(-1));
    int64_t &all = given.emplace_back(0);
    for (const PlannedArgument &argument : command.arguments)
      if (const auto *pointer = std::get_if<PlannedPointer>(&argument))
        all += plan.buffers[pointer->buffer].bytes;
  }
  fmt::print("told {}, touched {}, given {}\n", told, watched.device->launched,
             given);
  EXPECT_EQ(told, watched.device->launched);
  EXPECT_NE(told, given); // otherwise the case tests nothing
}

TEST(HopperProfile, RowsThatAreLookedUpAreCounted) {
  Tensor table = *Tensor::create(DType::kBF16, {500, 64});
  Tensor rows = *Tensor::create(DType::kI32, {3});
  for (int i = 0; i < 3; ++i)
    rows.as<int32_t>()[i] = 100 * i + 7;
  expectToldBytes(
      R"(func.func @f(%rows: tensor<?xi32>, %table: tensor<500x64xbf16>) -> tensor<?x64xbf16> {
    %y = nn.embedding %rows, %table : tensor<?xi32>, tensor<500x64xbf16> -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  })",
      {&rows, &table});
}

TEST(HopperProfile, AColumnThatIsReadIsCounted) {
  Tensor x = *Tensor::create(DType::kF32, {40, 8});
  expectToldBytes(R"(func.func @f(%x: tensor<?x8xf32>) -> tensor<?xf32> {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x8xf32>
    %empty = tensor.empty(%rows) : tensor<?xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i, 3)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : tensor<?x8xf32>) outs(%empty : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %a : f32
      linalg.yield %s : f32
    } -> tensor<?xf32>
    return %y : tensor<?xf32>
  })",
                  {&x});
}

// Three sequences get one new token each.
TEST(HopperProfile, SlotsOfTheCacheThatAreWrittenAreCounted) {
  Tensor k = *Tensor::create(DType::kBF16, {3, 64}),
         v = *Tensor::create(DType::kBF16, {3, 64});
  Tensor positions = *Tensor::create(DType::kI32, {3});
  Tensor sequences = *Tensor::create(DType::kI32, {4});
  Tensor pages = *Tensor::create(DType::kI32, {3, 2});
  Tensor keyCache = *Tensor::create(DType::kBF16, {6, 2, 32, 64});
  Tensor valueCache = *Tensor::create(DType::kBF16, {6, 2, 64, 32});
  std::iota(sequences.as<int32_t>(), sequences.as<int32_t>() + 4, 0);
  std::iota(pages.as<int32_t>(), pages.as<int32_t>() + 6, 0);
  for (int i = 0; i < 3; ++i)
    positions.as<int32_t>()[i] = 40 * i;
  expectToldBytes(
      R"(func.func @f(%k: tensor<?x64xbf16>, %v: tensor<?x64xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
        %kc: tensor<?x2x32x64xbf16> {nn.state = "key_cache:0"}, %vc: tensor<?x2x64x32xbf16> {nn.state = "value_cache:0"})
        -> (tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>) {
    %kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %positions, %sequences, %pages
        : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    return %kc1, %vc1 : tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>
  })",
      {&k, &v, &positions, &sequences, &pages, &keyCache, &valueCache});
}

// More tiles than an H200 has SMs, so that blocks take them from a list.
TEST(HopperProfile, EachReplayDoesTheWorkOfTheFirst) {
  constexpr int kSequences = 90;
  Random random(3);
  Tensor q = random.normal(DType::kBF16, {kSequences, 128}),
         k = random.normal(DType::kBF16, {kSequences, 128}),
         v = random.normal(DType::kBF16, {kSequences, 128});
  Tensor positions = *Tensor::create(DType::kI32, {kSequences});
  Tensor sequences = *Tensor::create(DType::kI32, {kSequences + 1});
  std::iota(sequences.as<int32_t>(), sequences.as<int32_t>() + kSequences + 1,
            0);
  constexpr const char *kSource =
      R"(func.func @f(%q: tensor<?x128xbf16>, %k: tensor<?x128xbf16>, %v: tensor<?x128xbf16>,
      %positions: tensor<?xi32>, %sequences: tensor<?xi32>) -> (tensor<?x128xbf16>, tensor<?x2xf32>) {
    %y, %lse = nn.attention %q, %k, %v, %positions, %sequences
        {heads = 2 : i64, kv_heads = 2 : i64, scale = 0.25 : f32, kv_block = 64 : i64, window = 0 : i64}
        : tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
    return %y, %lse : tensor<?x128xbf16>, tensor<?x2xf32>
  })";
  auto replaysOf = [&](int repeats, std::string &table) {
    Watched watched(kSource, {&q, &k, &v, &positions, &sequences},
                    /*hidesChecks=*/true);
    auto time =
        watched.executor->time(watched.function, watched.arguments, repeats);
    EXPECT_TRUE(time.isOk()) << time.status().message();
    table = time.isOk() ? describe(*time) : "";
    return watched.device->replayed;
  };
  std::string table;
  std::vector<int64_t> once = replaysOf(1, table);
  std::vector<int64_t> thrice = replaysOf(3, table);
  // The call, the launch of the list and that of attention are replayed six
  // times each.
  ASSERT_EQ(once.size(), 18u);
  ASSERT_EQ(thrice.size(), 18u);
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i], once[i - i % 6]) << "replay " << i;
    EXPECT_EQ(thrice[i], 3 * once[i]) << "replay " << i;
  }
  fmt::print("bytes touched {} once, {} three times\n{}", once, thrice, table);
  EXPECT_GT(once[12], 4 * kSequences * 256); // all of q, k, v and y
  EXPECT_THAT(table, HasSubstr("- TB/s        - TFLOP/s   attention_tiles"));
}

} // namespace
