// Drawing tokens: distribution, filters and edges.
#include "runtime/rollout/sampler.h"
#include "lib/Numerics/sampling.h"
#include "runtime/core/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

using namespace nibble;
using numerics::exactExp;
using numerics::exactLog;
using testing::HasSubstr;

namespace {

TEST(Math, AgreesWithLibm) {
  double worst = 0, worstLog = 0;
  for (int i = 0; i <= 2000000; ++i) {
    double x = -700.0 * i / 2000000;
    double expected = std::exp(x);
    worst = std::max(worst, std::abs(exactExp(x) - expected) / expected);
    double y = std::exp(-30.0 * i / 2000000);
    worstLog = std::max(worstLog, std::abs(exactLog(y) - std::log(y)));
  }
  std::printf(
      "largest relative error of exp %.3g, absolute error of log %.3g\n", worst,
      worstLog);
  EXPECT_LT(worst, 1e-15);
  EXPECT_LT(worstLog, 1e-14);
  EXPECT_EQ(exactExp(0), 1.0);
  EXPECT_EQ(exactExp(-std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_EQ(exactLog(1), 0.0);
}

int64_t countOf(const std::vector<float> &logits,
                const SamplingOptions &options, int64_t draws,
                std::vector<int64_t> &counts, float *logKept = nullptr) {
  Sampler sampler;
  counts.assign(logits.size(), 0);
  for (int64_t i = 0; i < draws; ++i) {
    auto choice = sampler.choose(
        logits, options, randomBits(3, RandomStream::kSampler, 0, 0, i));
    EXPECT_TRUE(choice.isOk());
    ++counts[choice->token];
    if (logKept)
      *logKept = choice->logKeptMass;
  }
  return draws;
}

std::vector<double> probabilities(const std::vector<float> &logits,
                                  double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (float x : logits)
    sum += p.emplace_back(std::exp(x / temperature));
  for (double &value : p)
    value /= sum;
  return p;
}

const std::vector<float> kLogits = {0.5f, 2.0f, -1.0f, 2.0f, 1.0f, -3.0f};

TEST(Sampler, FollowsTheDistribution) {
  for (double temperature : {0.5, 1.0, 2.0}) {
    SamplingOptions options;
    options.temperature = temperature;
    std::vector<int64_t> counts;
    double draws =
        static_cast<double>(countOf(kLogits, options, 200000, counts));
    auto expected = probabilities(kLogits, temperature);
    for (size_t i = 0; i < kLogits.size(); ++i)
      EXPECT_NEAR(counts[i] / draws, expected[i],
                  5 * std::sqrt(expected[i] / draws))
          << temperature << " " << i;
  }
}

TEST(Sampler, GreedyTakesTheLowerOfTwoEquals) {
  Sampler sampler;
  SamplingOptions options;
  options.temperature = 0;
  for (uint64_t bits : {0ull, ~0ull})
    EXPECT_EQ(sampler.choose(kLogits, options, bits)->token, 1);
  EXPECT_EQ(options.recordedTemperature(), 1.0f);
}

TEST(Sampler, FiltersKeepWhatTheySay) {
  auto p = probabilities(kLogits, 1.0);
  auto kept = [&](SamplingOptions options, std::vector<int> expected) {
    std::vector<int64_t> counts;
    float logKept = 0;
    countOf(kLogits, options, 20000, counts, &logKept);
    double mass = 0;
    for (size_t i = 0; i < kLogits.size(); ++i) {
      bool wanted =
          std::count(expected.begin(), expected.end(), static_cast<int>(i)) > 0;
      EXPECT_EQ(counts[i] > 0, wanted) << i;
      mass += wanted ? p[i] : 0;
    }
    EXPECT_NEAR(logKept, std::log(mass), 1e-6);
  };
  kept({.topK = 1}, {1}); // the lower of two equal ones
  kept({.topK = 3}, {1, 3, 4});
  kept({.topK = 100}, {0, 1, 2, 3, 4, 5});
  kept({.topP = 0.1}, {1});
  kept({.topP = p[1] + 0.5 * p[3]}, {1, 3});
  kept({.topP = p[1] + p[3] + 0.5 * p[4]}, {1, 3, 4});
  kept({.minP = 0.99}, {1, 3});
  kept({.minP = 0.3}, {1, 3, 4});
  // top_p counts the mass that top_k kept.
  kept({.topK = 3, .topP = 0.5}, {1, 3});
  EXPECT_EQ(Sampler().choose(kLogits, {.topK = 100}, 5)->logKeptMass, 0.0f);
}

TEST(Sampler, TheEdgesOfTheRandomNumberStayInside) {
  Sampler sampler;
  std::vector<float> logits = {-std::numeric_limits<float>::infinity(), 0, 0,
                               -std::numeric_limits<float>::infinity()};
  EXPECT_EQ(sampler.choose(logits, {}, 0)->token, 1);
  EXPECT_EQ(sampler.choose(logits, {}, ~0ull)->token, 2);
  EXPECT_EQ(sampler.choose(logits, {.topP = 0.999}, ~0ull)->token, 2);
}

TEST(Sampler, NaNAndInfinityAreErrors) {
  Sampler sampler;
  std::vector<float> logits = {0, std::nanf(""), 1};
  EXPECT_EQ(sampler.choose(logits, {}, 0).status().message(),
            "logit of token 1 is nan; check the weights and the learning rate");
  logits[1] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(sampler.choose(logits, {}, 0).status().message(),
            "logit of token 1 is inf; check the weights and the learning rate");
  std::vector<float> none(3, -std::numeric_limits<float>::infinity());
  EXPECT_EQ(sampler.choose(none, {}, 0).status().message(),
            "logits: none is finite; check the weights and the learning rate");
}

// The definition (docs/numerics.md, N16) without regard to speed: rank
// everything, then walk.
Choice slowly(const std::vector<float> &logits, const SamplingOptions &options,
              uint64_t randomBits) {
  float largest = *std::max_element(logits.begin(), logits.end());
  float temperature = static_cast<float>(options.temperature);
  std::vector<uint64_t> mass;
  for (float x : logits) {
    double distance = x == largest
                          ? 0
                          : static_cast<double>(x / temperature) -
                                static_cast<double>(largest / temperature);
    mass.push_back(
        static_cast<uint64_t>(std::nearbyint(exactExp(distance) * 0x1p44)));
  }
  std::vector<size_t> ranking(logits.size());
  std::iota(ranking.begin(), ranking.end(), 0);
  std::sort(ranking.begin(), ranking.end(), [&](size_t a, size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  if (options.topK > 0 && options.topK < static_cast<int64_t>(ranking.size()))
    ranking.resize(options.topK);
  uint64_t left = 0;
  uint64_t sum = 0;
  uint64_t all = std::accumulate(mass.begin(), mass.end(), uint64_t{0});
  for (size_t token : ranking)
    left += mass[token];
  std::vector<bool> isKept(logits.size());
  for (size_t token : ranking) {
    if (options.topP < 1 && sum > 0 &&
        static_cast<double>(sum) >= options.topP * static_cast<double>(left))
      break;
    sum += mass[token];
    isKept[token] = static_cast<double>(mass[token]) >= options.minP * 0x1p44;
  }
  uint64_t kept = 0, threshold = 0;
  for (size_t i = 0; i < mass.size(); ++i)
    kept += isKept[i] ? mass[i] : 0;
  threshold = toBelow(randomBits, kept);
  size_t token = 0;
  for (sum = 0; (sum += isKept[token] ? mass[token] : 0) <= threshold;)
    ++token;
  return {static_cast<int32_t>(token),
          static_cast<float>(
              exactLog(static_cast<double>(kept) / static_cast<double>(all)))};
}

TEST(Sampler, FollowsItsDefinition) {
  Sampler sampler;
  for (uint64_t row = 0; row < 3000; ++row) {
    auto random = [&](uint64_t what) {
      return toUnit(randomBits(9, RandomStream::kTask, 0, row, what));
    };
    std::vector<float> logits;
    auto count = static_cast<size_t>(1 + 1500 * random(0));
    for (size_t i = 0; i < count; ++i) {
      auto x = static_cast<float>(10 * random(100 + i) - 5);
      logits.push_back(row % 3 == 0 ? std::round(x)
                       : row % 7 == 1 && i % 2
                           ? -std::numeric_limits<float>::infinity()
                           : x);
    }
    logits[0] = row % 5 == 0 ? -0.0f : 1.0f;
    SamplingOptions options;
    options.temperature = 0.1 + 2 * random(1);
    // Quotients overflow.
    if (row % 11 == 4)
      options.temperature = 1e-38;
    if (random(2) < 0.5)
      options.topK =
          1 + static_cast<int64_t>(random(3) * static_cast<double>(count));
    if (random(4) < 0.5)
      options.topP = 1 - random(5);
    if (random(6) < 0.5)
      options.minP = random(7) * random(8);
    uint64_t bits = randomBits(8, RandomStream::kSampler, 0, row, 0);
    Choice expected = slowly(logits, options, bits);
    auto choice = sampler.choose(logits, options, bits);
    ASSERT_TRUE(choice.isOk());
    EXPECT_EQ(choice->token, expected.token) << row;
    EXPECT_EQ(choice->logKeptMass, expected.logKeptMass) << row;
  }
}

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  EXPECT_TRUE(check(SamplingOptions{}).isOk());
  EXPECT_THAT(check({.temperature = -1}).message(), HasSubstr("temperature"));
  EXPECT_THAT(check({.temperature = std::nan("")}).message(),
              HasSubstr("temperature"));
  EXPECT_THAT(check({.topK = -1}).message(), HasSubstr("top_k"));
  EXPECT_THAT(check({.topP = 0}).message(), HasSubstr("top_p"));
  EXPECT_THAT(check({.minP = 1.5}).message(), HasSubstr("min_p"));
  EXPECT_THAT(check({.maxNewTokens = -1}).message(),
              HasSubstr("max_new_tokens"));
}

} // namespace
