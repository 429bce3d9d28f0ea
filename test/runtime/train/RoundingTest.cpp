// The values with which training begins from a packed checkpoint. They are the
// stored codes and scales when the grid is the checkpoint's. Otherwise the
// values change, and a line says so.
#include "runtime/train/rounding.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"
#include "runtime/train/model.h"
#include "test/runtime/core/program/fake_program.h"
#include "test/runtime/core/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

using namespace nibble;
using namespace nibble::test;
using numerics::Convention;
using numerics::Kind;
using numerics::Layout;
using numerics::PackedLayout;
using numerics::Scheme;
using testing::HasSubstr;

namespace {

const std::vector<std::string> kNames = {
    "model.layers.0.self_attn.q_proj.weight",
    "model.layers.1.mlp.down_proj.weight"};

class Rounding : public ::testing::Test {
protected:
  // The fixture llama, packed by `scheme`.
  std::unique_ptr<Model> packed(const Scheme &scheme) {
    std::string target = (folder_ / std::to_string(count_++)).string();
    auto report = writeQuantizedCheckpoint(NIBBLE_TEST_DATA "/fixtures/llama",
                                           target, scheme, kNames);
    EXPECT_TRUE(report.isOk()) << report.status().message();
    auto model = Model::open(target);
    EXPECT_TRUE(model.isOk()) << model.status().message();
    return std::move(*model);
  }

  static GridChoice choiceOf(const Scheme &scheme, bool keepsStored = false,
                             const std::vector<std::string> &include = {}) {
    std::string problem;
    auto selection = names::Selection::parse(include, {}, true, {}, problem);
    return {scheme,
            std::move(*selection),
            {"scheme={}", "group={}", "rule={}"},
            keepsStored};
  }

  // The slabs of a store with masters when it begins, in the order of `kNames`.
  static std::vector<std::vector<uint8_t>> begun(Model &model,
                                                 const Scheme &scheme) {
    FakeProgram fake;
    FakeFunction &update = fake.function("update");
    std::vector<std::string> texts;
    for (const std::string &name : kNames)
      texts.push_back(toString(layoutOf(model, name, scheme)));
    for (size_t i = 0; i < kNames.size(); ++i) {
      PackedLayout layout = layoutOf(model, kNames[i], scheme);
      update.state("master:" + kNames[i], DType::kF32, {layout.n, layout.k});
      update.state("packed:" + kNames[i], DType::kU8, {layout.bytes()},
                   texts[i].c_str());
    }
    update.body([](FakeCall &) {});
    Program program = fake.program();
    ParameterStore store;
    EXPECT_TRUE(store.declare(program).isOk());
    EXPECT_TRUE(store.initialize(model).isOk());
    std::vector<std::vector<uint8_t>> slabs;
    for (size_t i = 0; i < kNames.size(); ++i) {
      const ResidentTensor &tensor =
          store.tensors().at("packed:" + kNames[i] + " " + texts[i]);
      slabs.emplace_back(tensor.as<uint8_t>(),
                         tensor.as<uint8_t>() + tensor.bytes());
    }
    return slabs;
  }

  static PackedLayout layoutOf(Model &model, const std::string &name,
                               const Scheme &scheme) {
    PackedLayout layout = *model.checkpoint().packed(name);
    layout.scheme = scheme;
    layout.layout = Layout::kHost;
    return layout;
  }

  // Number of values in a slab that differ from the checkpoint's.
  static int64_t changed(Model &model, const std::string &name,
                         const Scheme &scheme,
                         const std::vector<uint8_t> &slab) {
    PackedLayout layout = layoutOf(model, name, scheme);
    Tensor stored = *model.checkpoint().readAs(name, DType::kBF16);
    std::vector<uint16_t> values(static_cast<size_t>(layout.n * layout.k));
    numerics::dequantizeMatrix(slab.data(), layout, values.data());
    int64_t count = 0;
    for (size_t i = 0; i < values.size(); ++i)
      count += numerics::floatFromBf16(values[i]) !=
               numerics::floatFromBf16(stored.as<uint16_t>()[i]);
    return count;
  }

private:
  TemporaryFolder folder_;
  int count_ = 0;
};

TEST_F(Rounding,
       TrainingBeginsWithTheStoredCodesAndScalesWhereTheGridIsTheCheckpoints) {
  for (int64_t group : {16, 32, 0}) {
    Scheme scheme{Kind::kInt4, group};
    auto model = packed(scheme);
    auto slabs = begun(*model, scheme);
    int64_t bytes = 0;
    for (size_t i = 0; i < kNames.size(); ++i) {
      Tensor stored = *model->checkpoint().readSlab(kNames[i], Layout::kHost);
      ASSERT_EQ(static_cast<size_t>(stored.bytes()), slabs[i].size());
      EXPECT_EQ(std::memcmp(stored.data(), slabs[i].data(), slabs[i].size()), 0)
          << kNames[i] << ", group " << group;
      bytes += stored.bytes();
    }
    std::printf("group %ld: %ld bytes of codes and scales are those of the "
                "checkpoint\n",
                long(group), long(bytes));
    auto report = roundAgain(model->checkpoint(), choiceOf(scheme));
    ASSERT_TRUE(report.isOk());
    EXPECT_EQ(report->tensors, 2);
    EXPECT_EQ(report->changedValues, 0);
    EXPECT_EQ(*roundingWarning(model->checkpoint(), choiceOf(scheme)), "");
  }
}

// The count equals that of the weights with which the programs then compute.
TEST_F(Rounding, CountsWhatTheGridChanges) {
  const Scheme theirs{Kind::kInt4, 32, Convention::kCompressedTensors};
  struct Case {
    Scheme stored, run;
  } cases[] = {{theirs, {Kind::kInt4, 32}},
               {theirs, {Kind::kInt4, 16}},
               {{Kind::kInt4, 0}, {Kind::kInt4, 32}},
               {{Kind::kInt4, 32}, {Kind::kInt8, 32}},
               {{Kind::kInt4, 32}, {Kind::kFp8, 128}}};
  for (const Case &c : cases) {
    auto model = packed(c.stored);
    auto slabs = begun(*model, c.run);
    int64_t expected = 0;
    for (size_t i = 0; i < kNames.size(); ++i)
      expected += changed(*model, kNames[i], c.run, slabs[i]);
    auto report = roundAgain(model->checkpoint(), choiceOf(c.run));
    ASSERT_TRUE(report.isOk());
    std::printf("%s to %s: %ld of %ld values change\n",
                toString(c.stored).c_str(), toString(c.run).c_str(),
                long(report->changedValues), long(report->values));
    EXPECT_GT(expected, 0);
    EXPECT_EQ(report->changedValues, expected);
  }
}

// The count equals that of a comparison between the written and the original
// checkpoint.
TEST_F(Rounding, CountsWhatWritingChanges) {
  const Scheme theirs{Kind::kInt4, 32, Convention::kCompressedTensors};
  struct Case {
    Scheme stored, written;
  } cases[] = {{{Kind::kInt4, 32}, {Kind::kInt4, 32}},
               {{Kind::kInt4, 32}, {Kind::kInt4, 16}},
               {{Kind::kInt4, 0}, {Kind::kInt4, 32}},
               {theirs, {Kind::kInt4, 32}},
               {theirs, theirs}};
  for (const Case &c : cases) {
    auto model = packed(c.stored);
    TemporaryFolder folder;
    ASSERT_TRUE(writeQuantizedCheckpoint(model->checkpoint().folder(),
                                         folder / "again", c.written, kNames)
                    .isOk());
    auto again = Model::open(folder / "again");
    ASSERT_TRUE(again.isOk());
    int64_t expected = 0;
    for (const std::string &name : kNames) {
      Tensor before = *model->checkpoint().readAs(name, DType::kF32);
      Tensor after = *(*again)->checkpoint().readAs(name, DType::kF32);
      for (int64_t i = 0; i < before.elements(); ++i)
        expected += before.as<float>()[i] != after.as<float>()[i];
    }
    GridChoice choice = choiceOf(c.written);
    choice.isWritten = true;
    auto report = roundAgain(model->checkpoint(), choice);
    ASSERT_TRUE(report.isOk());
    std::printf("%s written as %s: %ld of %ld values change\n",
                toString(c.stored).c_str(), toString(c.written).c_str(),
                long(report->changedValues), long(report->values));
    EXPECT_EQ(report->changedValues, expected);
    // The largest code of compressed-tensors is not the scale's own, so that
    // its grid rounded again is another one.
    EXPECT_EQ(expected > 0, !(c.stored == c.written) ||
                                c.written.convention ==
                                    numerics::Convention::kCompressedTensors);
  }
}

TEST_F(Rounding, SaysHowToKeepThem) {
  Scheme own{Kind::kInt4, 16};
  auto model = packed(own);
  auto line = [&](const Scheme &scheme, bool keepsStored = false,
                  const std::vector<std::string> &include = {}) {
    return *roundingWarning(model->checkpoint(),
                            choiceOf(scheme, keepsStored, include));
  };
  EXPECT_THAT(line({Kind::kInt4, 32}),
              HasSubstr("to the grid <int4, group_size = 32>: "));
  EXPECT_THAT(line({Kind::kInt4, 32}),
              HasSubstr(" in 2 of 2 tensors change; group=16 keeps them all"));
  EXPECT_THAT(line({Kind::kInt8, 32}),
              HasSubstr("scheme=int4 and group=16 keeps them all"));
  EXPECT_THAT(line({Kind::kInt4, 16, Convention::kSlime}),
              HasSubstr("rule=nibble keeps them all"));
  EXPECT_THAT(line({Kind::kInt4, 32}, false, {"down_proj"}),
              HasSubstr("in 1 of 1 tensors"));
  EXPECT_EQ(line({Kind::kInt4, 32}, false, {"up_proj"}), "") << "not packed";
  model = packed({Kind::kInt4, 32, Convention::kCompressedTensors});
  EXPECT_THAT(
      line({Kind::kInt4, 32}),
      HasSubstr("change; its scales were chosen by another rule: start from"));
  EXPECT_THAT(line({Kind::kInt4, 16}),
              HasSubstr("its own grid <int4, group_size = 32> would change "));
  // A program that uses stored codes keeps them, however the scales were
  // chosen.
  EXPECT_EQ(line({Kind::kInt4, 32}, true), "");
  EXPECT_THAT(line({Kind::kInt4, 16}, true),
              HasSubstr("change; group=32 keeps them all"));
  // K = 96 of down_proj does not divide by 64. No program accepts such a grid,
  // and the compilation says so.
  EXPECT_EQ(
      roundAgain(model->checkpoint(), choiceOf({Kind::kInt4, 64}))->tensors, 1);
}

} // namespace
