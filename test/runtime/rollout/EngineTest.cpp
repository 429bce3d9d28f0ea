// Generation gives the same tokens in every batching.
#include "runtime/rollout/engine.h"
#include "runtime/core/philox.h"
#include "test/runtime/rollout/fake_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace nibble;
using namespace nibble::test;
using testing::HasSubstr;

namespace {

class EngineTest : public testing::Test {
protected:
  EngineTest() : program((addFakeRollout(fake), fake.program())) {
    for (int64_t i = 0; i < table.elements(); ++i)
      table.as<uint16_t>()[i] = toBF16(static_cast<float>(i % 7) * 0.1f);
  }
  Result<RolloutEngine> engine(RolloutOptions options = {}) {
    if (!options.contextLength)
      options.contextLength = 40;
    return RolloutEngine::create(
        program,
        [&](const nibble_value_info &) -> Result<TensorView> {
          return table.view();
        },
        options);
  }
  FakeProgram fake;
  Program program;
  Tensor table = *Tensor::create(DType::kBF16, {16, 16});
};

std::vector<Request> someRequests(int64_t count) {
  std::vector<Request> requests;
  for (int64_t i = 0; i < count; ++i) {
    Request request;
    for (int64_t t = 0; t < 1 + i % 11; ++t)
      request.prompt.push_back(static_cast<int32_t>((i * 5 + t * 3) % 16));
    request.samples = 1 + i % 4;
    request.sampling.maxNewTokens = 5 + i % 20;
    request.sampling.stopTokens = {7, 13};
    request.seed = 42;
    request.step = 3;
    request.firstSample = static_cast<uint64_t>(i * 4);
    if (i % 5 == 1)
      request.sampling.topK = 3;
    if (i % 5 == 2)
      request.sampling.topP = 0.7;
    if (i % 5 == 3)
      request.sampling.temperature = 0.6;
    requests.push_back(request);
  }
  return requests;
}

void expectSame(const Sample &a, const Sample &b) {
  EXPECT_EQ(a.tokens, b.tokens);
  ASSERT_EQ(a.logProbability.size(), b.logProbability.size());
  EXPECT_EQ(std::memcmp(a.logProbability.data(), b.logProbability.data(),
                        a.logProbability.size() * 4),
            0);
  EXPECT_EQ(a.logKeptMass, b.logKeptMass);
  EXPECT_EQ(a.entropy, b.entropy);
  EXPECT_EQ(a.finish, b.finish);
  EXPECT_EQ(a.number, b.number);
}

// Generates token by token without cache or batch. The engine must reproduce
// this.
Sample reference(const Request &request, int64_t index, const uint16_t *table,
                 int64_t context) {
  Sample sample;
  Sampler sampler;
  std::vector<int32_t> tokens = request.prompt;
  while (true) {
    const auto &stops = request.sampling.stopTokens;
    if (!sample.tokens.empty() &&
        std::find(stops.begin(), stops.end(), sample.tokens.back()) !=
            stops.end()) {
      sample.finish = FinishReason::kStop;
      break;
    }
    if (static_cast<int64_t>(sample.tokens.size()) >=
        request.sampling.maxNewTokens) {
      sample.finish = FinishReason::kLength;
      break;
    }
    if (static_cast<int64_t>(tokens.size()) >= context) {
      sample.finish = FinishReason::kContext;
      break;
    }
    auto logits = fakeLogits(tokens, table);
    auto choice = sampler.choose(
        logits, request.sampling,
        randomBits(request.seed, RandomStream::kSampler, request.step,
                   request.firstSample + index, sample.tokens.size()));
    float entropy;
    sample.logProbability.push_back(
        fakeLogProbability(logits.data(), 16, choice->token,
                           request.sampling.recordedTemperature(), &entropy));
    sample.entropy.push_back(entropy);
    sample.logKeptMass.push_back(choice->logKeptMass);
    sample.tokens.push_back(choice->token);
    tokens.push_back(choice->token);
  }
  sample.number = request.firstSample + static_cast<uint64_t>(index);
  return sample;
}

TEST_F(EngineTest, EqualsTokenByTokenGenerationHoweverItIsBatched) {
  auto requests = someRequests(30);
  std::vector<std::vector<Sample>> expected;
  int64_t tokens = 0;
  for (const Request &request : requests) {
    expected.emplace_back();
    for (int64_t i = 0; i < request.samples; ++i)
      tokens += static_cast<int64_t>(
          expected.back()
              .emplace_back(reference(request, i, table.as<uint16_t>(), 40))
              .tokens.size());
  }
  int64_t preemptions = 0, copies = 0;
  for (RolloutOptions options :
       {RolloutOptions{},
        {.maxTokensPerCall = 1},
        {.maxTokensPerCall = 7, .maxRunning = 3},
        {.maxRunning = 2, .pages = 11},
        {.maxRunning = 64, .pages = 12},
        {.maxTokensPerCall = 9, .maxRunning = 20, .pages = 30}}) {
    auto made = engine(options);
    ASSERT_TRUE(made.isOk()) << made.status().message();
    auto samples = made->generate(requests, 9);
    ASSERT_TRUE(samples.isOk()) << samples.status().message();
    for (size_t r = 0; r < requests.size(); ++r)
      for (size_t i = 0; i < expected[r].size(); ++i) {
        expectSame((*samples)[r][i], expected[r][i]);
        EXPECT_EQ((*samples)[r][i].weightVersion, 9u);
      }
    EXPECT_EQ(made->statistics().sampledTokens, tokens);
    preemptions += made->statistics().preemptions;
    copies += made->statistics().pageCopies;
  }
  std::printf("%zu requests, %lld tokens, %lld preemptions, %lld page copies\n",
              requests.size(), static_cast<long long>(tokens),
              static_cast<long long>(preemptions),
              static_cast<long long>(copies));
  EXPECT_GT(preemptions, 0); // otherwise the small caches tested nothing
  EXPECT_GT(copies, 0);
}

TEST_F(EngineTest, ArrivalOrderAndCompanyDoNotMatter) {
  auto requests = someRequests(40);
  auto made = engine({.maxTokensPerCall = 50, .maxRunning = 9});
  auto all = *made->generate(requests, 0);
  auto reversed = requests;
  std::reverse(reversed.begin(), reversed.end());
  auto backwards = *made->generate(reversed, 0);
  for (size_t r = 0; r < requests.size(); ++r) {
    auto alone = *made->generate(std::span(requests).subspan(r, 1), 0);
    for (size_t i = 0; i < all[r].size(); ++i) {
      expectSame(alone[0][i], all[r][i]);
      expectSame(backwards[requests.size() - 1 - r][i], all[r][i]);
    }
  }
}

// The vocabulary is large enough that threads share the rows.
TEST(Engine, ThreadsDoNotMatter) {
  FakeModelOptions model{.vocabulary = 9000, .layers = 1};
  FakeProgram fake;
  addFakeRollout(fake, model);
  Tensor table =
      *Tensor::create(DType::kBF16, {model.vocabulary, model.vocabulary});
  std::vector<Request> requests(8);
  for (size_t i = 0; i < requests.size(); ++i)
    requests[i] = {.prompt = {static_cast<int32_t>(i)},
                   .samples = 2,
                   .sampling = {.maxNewTokens = 3},
                   .firstSample = 2 * i};
  std::vector<std::vector<Sample>> expected;
  for (int64_t threads : {1, 2, 5}) {
    auto made = RolloutEngine::create(
        fake.program(),
        [&](const nibble_value_info &) -> Result<TensorView> {
          return table.view();
        },
        {.contextLength = 16, .threads = threads});
    auto samples = *made->generate(requests, 0);
    if (threads == 1)
      expected = samples;
    for (size_t r = 0; r < samples.size(); ++r)
      for (size_t i = 0; i < samples[r].size(); ++i)
        expectSame(samples[r][i], expected[r][i]);
  }
}

TEST_F(EngineTest, SamplesOfOnePromptDiffer) {
  Request request{.prompt = {1, 2, 3, 4, 5},
                  .samples = 8,
                  .sampling = {.maxNewTokens = 10}};
  auto made = engine();
  auto samples = *made->generate(std::span(&request, 1), 0);
  std::vector<std::vector<int32_t>> distinct;
  for (const Sample &sample : samples[0])
    distinct.push_back(sample.tokens);
  std::sort(distinct.begin(), distinct.end());
  EXPECT_GT(std::unique(distinct.begin(), distinct.end()) - distinct.begin(),
            6);
  // The prompt passed through the model once: 5 tokens, then 9 per sample.
  EXPECT_EQ(made->statistics().computedTokens, 5 + 8 * 9);
}

TEST_F(EngineTest, FinishReasons) {
  auto made = engine({.contextLength = 8});
  std::vector<Request> requests(5);
  requests[0] = {.prompt = {1},
                 .sampling = {.temperature = 0, .maxNewTokens = 3}};
  requests[1] = {.prompt = {1, 2, 3}, .sampling = {.maxNewTokens = 100}};
  requests[2] = {.prompt = {1, 2, 3, 4, 5, 6, 7, 8},
                 .sampling = {.maxNewTokens = 100}};
  requests[3] = {.prompt = {1}, .sampling = {.maxNewTokens = 0}};
  requests[4] = {.prompt = {1}, .sampling = {.maxNewTokens = 5}};
  for (int32_t token = 0; token < 16; ++token)
    requests[4].sampling.stopTokens.push_back(token);
  auto samples = *made->generate(requests, 0);
  EXPECT_EQ(samples[0][0].finish, FinishReason::kLength);
  EXPECT_EQ(samples[0][0].tokens.size(), 3u);
  EXPECT_EQ(samples[1][0].finish, FinishReason::kContext);
  EXPECT_EQ(samples[1][0].tokens.size(), 5u);
  EXPECT_EQ(samples[2][0].finish, FinishReason::kContext);
  EXPECT_TRUE(samples[2][0].tokens.empty());
  EXPECT_TRUE(samples[3][0].tokens.empty());
  EXPECT_EQ(samples[4][0].finish, FinishReason::kStop);
  EXPECT_EQ(samples[4][0].tokens.size(), 1u);
}

TEST_F(EngineTest, SteadyStateAllocatesNothingNew) {
  auto made = engine();
  auto requests = someRequests(12);
  ASSERT_TRUE(made->generate(requests, 0).isOk());
  int64_t bytes = made->statistics().arenaBytes;
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(made->generate(requests, 0).isOk());
  EXPECT_EQ(made->statistics().arenaBytes, bytes);
}

TEST_F(EngineTest, BadRequestsAreNamed) {
  auto made = engine();
  std::vector<Request> requests(1);
  EXPECT_THAT(made->generate(requests, 0).status().message(),
              HasSubstr("request 0 has no prompt"));
  requests[0].prompt = {16};
  EXPECT_THAT(made->generate(requests, 0).status().message(),
              HasSubstr("token 16; the vocabulary has 16"));
  requests[0].prompt = {1};
  requests[0].sampling.topP = 2;
  EXPECT_THAT(made->generate(requests, 0).status().message(),
              HasSubstr("top_p"));
  EXPECT_EQ(engine({.contextLength = 40, .pages = 5}).status().code(),
            Code::kUsage);
}

TEST_F(EngineTest, OneContextFitsWhereItIsAskedFor) {
  auto requests = someRequests(12);
  auto small = engine({.cacheBytes = 1});
  EXPECT_EQ(small.status().code(), Code::kUsage);
  EXPECT_THAT(small.status().message(),
              testing::AllOf(HasSubstr("cannot hold one context of 40 tokens"),
                             HasSubstr("set rollout.cache_megabytes to 1, or "
                                       "model.context_length to")));
  auto grown = engine({.cacheBytes = 1, .holdsOneContext = true});
  ASSERT_TRUE(grown.isOk()) << grown.status().message();
  auto roomy = engine();
  auto one = grown->generate(requests, 0);
  auto many = roomy->generate(requests, 0);
  ASSERT_TRUE(one.isOk()) << one.status().message();
  ASSERT_TRUE(many.isOk());
  EXPECT_LT(grown->statistics().cacheBytes, roomy->statistics().cacheBytes);
  ASSERT_EQ(one->size(), many->size());
  for (size_t r = 0; r < one->size(); ++r)
    for (size_t i = 0; i < (*one)[r].size(); ++i)
      EXPECT_EQ((*one)[r][i].tokens, (*many)[r][i].tokens);
}

TEST_F(EngineTest, NaNStopsTheRunNamingTheSample) {
  table.as<uint16_t>()[3 * 16 + 2] = 0x7FC0;
  auto made = engine();
  Request request{.prompt = {3}, .firstSample = 77};
  EXPECT_EQ(made->generate(std::span(&request, 1), 0).status().message(),
            "rollout: sample 77 token 0: logit of token 2 is nan; check the "
            "weights and the learning rate");
}

TEST_F(EngineTest, StopsWhenAsked) {
  auto made = engine();
  auto requests = someRequests(10);
  int calls = 0;
  EXPECT_EQ(
      made->generate(requests, 0, [&] { return ++calls > 3; }).status().code(),
      Code::kInterrupted);
  EXPECT_TRUE(made->generate(requests, 0).isOk()); // and the engine still works
}

} // namespace
