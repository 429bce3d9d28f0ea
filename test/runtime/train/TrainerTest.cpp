// Optimizer steps on a small program. The split into calls changes no bit.
#include "runtime/train/trainer.h"
#include "test/runtime/train/fake_source.h"
#include "test/runtime/train/fake_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

std::vector<TrainSequence> someSequences(int count) {
  std::vector<TrainSequence> sequences;
  for (int i = 0; i < count; ++i) {
    TrainSequence &sequence = sequences.emplace_back();
    for (int t = 0; t < 3 + i % 7; ++t)
      sequence.tokens.push_back((i * 3 + t * 5) % 16);
    for (int t = 0; t < sequence.rows(); ++t) {
      sequence.mask.push_back(t > 0 ? 1.0f : 0.0f);
      sequence.weight.push_back(0.01f);
    }
  }
  return sequences;
}

class TrainerTest : public testing::Test {
protected:
  explicit TrainerTest(FakeObjective objective = FakeObjective::kSft)
      : program((addFakeTraining(fake, objective), fake.program())) {
    EXPECT_TRUE(store.declare(program).isOk());
    auto source = sourceOf(
        {16, 16}, [](int64_t i) { return 0.1f * static_cast<float>(i % 5); });
    EXPECT_TRUE(store.initialize(source).isOk());
  }
  std::vector<std::byte> bytesOf(const char *key) const {
    const ResidentTensor &tensor = store.tensors().at(key);
    return {tensor.data(), tensor.data() + tensor.bytes()};
  }
  FakeProgram fake;
  Program program;
  ParameterStore store;
};

TEST_F(TrainerTest, LearnsAndReportsWhatItDid) {
  auto trainer = Trainer::create(
      program, store, {.optimizer = {.learningRate = 0.05, .clipNorm = 0.05}});
  ASSERT_TRUE(trainer.isOk()) << trainer.status().message();
  auto sequences = someSequences(10);
  double first = 0, last = 0;
  for (int i = 0; i < 50; ++i) {
    auto result = trainer->step(sequences);
    ASSERT_TRUE(result.isOk()) << result.status().message();
    (i == 0 ? first : last) = result->loss;
    if (i == 0) {
      EXPECT_GT(result->gradientNorm, 0.05);
      EXPECT_DOUBLE_EQ(result->clipScale, 0.05 / result->gradientNorm);
      double loss = 0;
      size_t row = 0;
      for (const TrainSequence &sequence : sequences)
        for (int64_t t = 0; t < sequence.rows(); ++t, ++row)
          loss -= sequence.mask[t] * sequence.weight[t] *
                  result->values.logProbability[row];
      EXPECT_EQ(result->values.logProbability.size(), row);
      EXPECT_EQ(result->values.entropy.size(), row);
      EXPECT_NEAR(result->loss, loss, 1e-5);
    }
  }
  std::printf("loss %.4f -> %.4f\n", first, last);
  EXPECT_LT(last, 0.5 * first);
  EXPECT_EQ(trainer->steps(), 50);
}

// N10: gradients are summed in ascending order across calls, so the split of
// rows into calls changes no bit.
TEST_F(TrainerTest, TheSplitIntoCallsChangesNoBit) {
  auto sequences = someSequences(20);
  std::vector<std::byte> expected;
  std::vector<int64_t> calls;
  std::vector<double> losses;
  for (int64_t maxTokens : {10000, 1, 7, 30}) {
    auto source = sourceOf(
        {16, 16}, [](int64_t i) { return 0.1f * static_cast<float>(i % 5); });
    ASSERT_TRUE(store.initialize(source).isOk());
    auto trainer = Trainer::create(program, store, {.maxTokens = maxTokens});
    for (int i = 0; i < 3; ++i) {
      auto result = trainer->step(sequences);
      ASSERT_TRUE(result.isOk());
      if (i == 0)
        calls.push_back(result->microbatches);
      losses.push_back(result->loss);
      // Rows are added one by one.
      EXPECT_EQ(losses.back(), losses[i]) << maxTokens;
      EXPECT_FALSE(result->rowMetrics.contains("rows:loss"));
    }
    if (expected.empty())
      expected = bytesOf("master:table");
    EXPECT_EQ(bytesOf("master:table"), expected) << maxTokens;
  }
  EXPECT_EQ(calls[0], 1);
  EXPECT_EQ(calls[1], 20);
  EXPECT_GT(calls[2], calls[3]);
}

TEST_F(TrainerTest, LogProbabilityIsThatOfTheStep) {
  auto trainer = Trainer::create(program, store, {.maxTokens = 11});
  auto sequences = someSequences(9);
  auto before = trainer->logProbability(sequences);
  auto result = trainer->step(sequences);
  ASSERT_TRUE(before.isOk() && result.isOk());
  EXPECT_EQ(before->logProbability, result->values.logProbability);
  EXPECT_NE(trainer->logProbability(sequences)->logProbability,
            before->logProbability);
}

TEST_F(TrainerTest, SteadyStateAllocatesNothingNew) {
  auto trainer = Trainer::create(program, store, {});
  auto sequences = someSequences(9);
  ASSERT_TRUE(trainer->step(sequences).isOk());
  int64_t bytes = trainer->arenaBytes();
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(trainer->step(sequences).isOk());
  EXPECT_EQ(trainer->arenaBytes(), bytes);
}

TEST_F(TrainerTest, NaNStopsTheRunNamingTheTensorAndKeepsTheWeights) {
  auto trainer = Trainer::create(program, store, {});
  auto sequences = someSequences(5);
  auto before = bytesOf("master:table");
  auto poisoned = sequences;
  poisoned[2].weight[1] = NAN;
  auto result = trainer->step(poisoned);
  EXPECT_EQ(result.status().code(), Code::kFailed);
  EXPECT_THAT(result.status().message(), HasSubstr("step 0: the loss is nan"));
  EXPECT_EQ(bytesOf("master:table"), before);
  // The loss is finite, but the squared gradient overflows float32.
  poisoned[2].weight[1] = 1e30f;
  EXPECT_THAT(trainer->step(poisoned).status().message(),
              HasSubstr("the gradient norm overflows"));
  EXPECT_EQ(bytesOf("master:table"), before);
  EXPECT_EQ(trainer->steps(), 0);
  store.tensors().at("weight:table").as<uint16_t>()[5 * 16] = 0x7FC0;
  EXPECT_THAT(trainer->step(sequences).status().message(),
              HasSubstr("logp holds nan at index"));
}

TEST_F(TrainerTest, BadSequencesAreNamed) {
  auto trainer = Trainer::create(program, store, {});
  auto sequences = someSequences(3);
  sequences[1].tokens = {4};
  EXPECT_THAT(trainer->step(sequences).status().message(),
              HasSubstr("sequence 1 has 1 tokens"));
  sequences = someSequences(3);
  sequences[2].mask.pop_back();
  EXPECT_THAT(trainer->step(sequences).status().message(),
              HasSubstr("sequence 2 of"));
}

TEST(TrainBatch, SplitsInOrder) {
  std::vector<TrainSequence> sequences(4);
  for (size_t i = 0; i < 4; ++i)
    sequences[i].tokens.resize(i == 2 ? 21 : 6);
  auto split = splitByTokens(sequences, 10);
  ASSERT_EQ(split.size(), 3u);
  EXPECT_EQ(split[0].end, 2);
  // 20 rows exceed the limit, but the sequence cannot be split.
  EXPECT_EQ(split[1].begin, 2);
  EXPECT_EQ(split[1].end, 3);
  EXPECT_EQ(split[2].end, 4);
  EXPECT_TRUE(splitByTokens({}, 10).empty());
}

} // namespace
