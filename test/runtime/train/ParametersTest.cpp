// The shared tensors of a run are declared, filled and published.
#include "runtime/train/parameters.h"
#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"
#include "test/runtime/core/program/fake_program.h"
#include "test/runtime/train/fake_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

constexpr const char *kPacked =
    "!qat.packed<4x32, <int4, group_size = 16>, host>";

numerics::PackedLayout layout() { return *numerics::parsePacked(kPacked); }

void addUpdate(FakeProgram &fake, bool writesWeight, bool writesPacked) {
  FakeFunction &update = fake.function("update");
  update.state("master:w", DType::kF32, {4, 32})
      .state("gradient:w", DType::kF32, {4, 32});
  if (writesWeight)
    update.state("weight:w", DType::kBF16, {4, 32});
  if (writesPacked)
    update.state("packed:w", DType::kU8, {layout().bytes()}, kPacked);
  update.body([](FakeCall &call) {
    for (int i = 0; i < 128; ++i)
      call.as<float>("master:w")[i] += 0.25f;
  });
  fake.function("forward")
      .parameter("w", DType::kBF16, {4, 32})
      .parameter("w", DType::kU8, {layout().bytes()}, kPacked)
      .state("key_cache:0", DType::kF32, {-1, 1, 1, 4})
      .body([](FakeCall &) {});
}

void expectPublished(const ParameterStore &store) {
  const float *master = store.tensors().at("master:w").as<float>();
  const uint16_t *weight = store.tensors().at("weight:w").as<uint16_t>();
  for (int i = 0; i < 128; ++i)
    ASSERT_EQ(weight[i], numerics::bf16FromFloat(master[i])) << i;
  std::vector<uint8_t> slab(layout().bytes());
  ASSERT_FALSE(numerics::quantizeMatrix(weight, layout(), slab.data()));
  const ResidentTensor &packed =
      store.tensors().at(std::string("packed:w ") + kPacked);
  EXPECT_EQ(std::memcmp(packed.data(), slab.data(), slab.size()), 0);
}

TEST(Parameters, OneTensorPerNameSharedByAllFunctions) {
  FakeProgram fake;
  addUpdate(fake, true, true);
  Program program = fake.program();
  ParameterStore store;
  ASSERT_TRUE(store.declare(program).isOk());
  // Master, gradient, weight, packed; no cache.
  EXPECT_EQ(store.tensors().size(), 4u);
  auto source = sourceOf(
      {4, 32}, [](int64_t i) { return 0.01f * static_cast<float>(i) - 0.3f; });
  ASSERT_TRUE(store.initialize(source).isOk());
  expectPublished(store);
  const nibble_function &update = program.functions()[0];
  EXPECT_EQ(store.lookup(update.arguments[3])->data,
            store.lookup(program.functions()[1].arguments[1])->data);
  EXPECT_EQ(store.lookup(update.arguments[2])->data,
            store.lookup(program.functions()[1].arguments[0])->data);
}

// A source whose weight is packed by another rule: -8 is a code, and the scale
// is not the largest magnitude / 7.
class PackedSource : public WeightSource {
public:
  PackedSource() : slab_(static_cast<size_t>(layout().bytes())) {
    std::vector<int8_t> codes(128);
    for (size_t i = 0; i < codes.size(); ++i)
      codes[i] = static_cast<int8_t>(i % 16) - 8;
    numerics::packCodes(layout(), 0, 4, codes.data(), slab_.data());
    for (int64_t i = 0; i < layout().scaleCount(); ++i)
      numerics::storeScale(layout(), slab_.data(), i,
                           static_cast<uint32_t>(0x3C11 + i));
  }
  Result<Tensor> read(const std::string &) override {
    NIBBLE_ASSIGN(Tensor weight, Tensor::create(DType::kBF16, {4, 32}));
    numerics::dequantizeMatrix(slab_.data(), layout(), weight.as<uint16_t>());
    return weight;
  }
  Result<std::optional<Tensor>>
  readPacked(const std::string &,
             const numerics::PackedLayout &asked) override {
    EXPECT_EQ(asked, layout());
    NIBBLE_ASSIGN(Tensor slab, Tensor::create(DType::kU8, {layout().bytes()}));
    std::memcpy(slab.data(), slab_.data(), slab_.size());
    return std::optional<Tensor>(std::move(slab));
  }
  const std::vector<uint8_t> &slab() const { return slab_; }

private:
  std::vector<uint8_t> slab_;
};

// When programs use the packed form alone, it is the source's. When they have a
// master, it is derived from the master.
TEST(Parameters, WhatTheSourcePackedStays) {
  FakeProgram fake;
  fake.function("forward")
      .parameter("w", DType::kU8, {layout().bytes()}, kPacked)
      .body([](FakeCall &) {});
  Program program = fake.program();
  ParameterStore store;
  ASSERT_TRUE(store.declare(program).isOk());
  PackedSource source;
  ASSERT_TRUE(store.initialize(source).isOk());
  const ResidentTensor &packed =
      store.tensors().at(std::string("packed:w ") + kPacked);
  EXPECT_EQ(
      std::memcmp(packed.data(), source.slab().data(), source.slab().size()),
      0);

  FakeProgram trains;
  addUpdate(trains, true, true);
  Program training = trains.program();
  ParameterStore trained;
  ASSERT_TRUE(trained.declare(training).isOk());
  ASSERT_TRUE(trained.initialize(source).isOk());
  expectPublished(trained);
  const ResidentTensor &derived =
      trained.tensors().at(std::string("packed:w ") + kPacked);
  EXPECT_NE(
      std::memcmp(derived.data(), source.slab().data(), source.slab().size()),
      0)
      << "on the grid of N3 it is another";
}

// The runtime derives whatever the update leaves to it from the master, on the
// same grid.
TEST(Parameters, PublishFillsInWhatTheUpdateDoesNotWrite) {
  for (bool writesWeight : {false, true}) {
    FakeProgram fake;
    addUpdate(fake, writesWeight, false);
    Program program = fake.program();
    ParameterStore store;
    ASSERT_TRUE(store.declare(program).isOk());
    auto source = sourceOf(
        {4, 32}, [](int64_t i) { return std::sin(static_cast<float>(i)); });
    ASSERT_TRUE(store.initialize(source).isOk());
    Function update = *program.function("update");
    ASSERT_TRUE(bindTensors(update, store.lookupFunction()).isOk());
    Arena arena;
    ASSERT_TRUE(update.call(arena).isOk());
    if (writesWeight) // the fake update does no work, so do it here
      numerics::bf16FromFloats(store.tensors().at("master:w").as<float>(), 128,
                               store.tensors().at("weight:w").as<uint16_t>());
    ASSERT_TRUE(store.publish(&update).isOk());
    expectPublished(store);
    store.tensors().at("master:w").as<float>()[7] = INFINITY;
    EXPECT_EQ(store.publish(&update).message(),
              "master of w holds inf at index 7; check the weights and the "
              "learning rate");
  }
}

TEST(Parameters, BadWeightsAreNamed) {
  FakeProgram fake;
  addUpdate(fake, true, true);
  Program program = fake.program();
  ParameterStore store;
  ASSERT_TRUE(store.declare(program).isOk());
  auto nan = sourceOf({4, 32}, [](int64_t i) { return i == 77 ? NAN : 0.0f; });
  Status status = store.initialize(nan);
  EXPECT_EQ(status.code(), Code::kBadInput);
  EXPECT_THAT(status.message(), HasSubstr("w: weight holds nan at index 77"));
  auto shape = sourceOf({32, 4}, [](int64_t) { return 0.0f; });
  EXPECT_THAT(store.initialize(shape).message(),
              HasSubstr("w: the checkpoint has [32, 4], the program [4, 32]"));
  FakeSource missing([](const std::string &name) -> Result<Tensor> {
    return Status::badInput("no tensor '" + name + "'; add it");
  });
  EXPECT_EQ(store.initialize(missing).message(), "no tensor 'w'; add it");
}

TEST(Parameters, ProgramsOfDifferentModelsAreRefused) {
  FakeProgram one, two;
  one.function("f").parameter("w", DType::kBF16, {4, 32}).body([](FakeCall &) {
  });
  two.function("g").parameter("w", DType::kBF16, {4, 64}).body([](FakeCall &) {
  });
  ParameterStore store;
  ASSERT_TRUE(store.declare(one.program()).isOk());
  EXPECT_THAT(store.declare(two.program()).message(),
              HasSubstr("'w' of 'g' is BF16 [4, 64], elsewhere BF16 [4, 32]"));
}

TEST(Parameters, PackedAloneNeedsNoWeightInMemory) {
  FakeProgram fake;
  fake.function("forward")
      .parameter("w", DType::kU8, {layout().bytes()}, kPacked)
      .body([](FakeCall &) {});
  ParameterStore store;
  ASSERT_TRUE(store.declare(fake.program()).isOk());
  auto source = sourceOf(
      {4, 32}, [](int64_t i) { return static_cast<float>(i % 15) - 7; });
  ASSERT_TRUE(store.initialize(source).isOk());
  EXPECT_EQ(store.bytes(), layout().bytes());
  std::vector<uint16_t> weight(128);
  numerics::dequantizeMatrix(store.tensors().begin()->second.as<uint8_t>(),
                             layout(), weight.data());
  for (int i = 0; i < 128;
       ++i) // -7..7 lies on the grid with scale 1 when the group holds a 7
    EXPECT_EQ(numerics::floatFromBf16(weight[i]),
              static_cast<float>(i % 15) - 7)
        << i;
}

} // namespace
