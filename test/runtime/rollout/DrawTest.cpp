// A program that draws tokens itself, like a device program, gives the same
// samples as the host's threads.
#include "runtime/rollout/engine.h"
#include "test/runtime/rollout/fake_model.h"

#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

// Adds `sample` beside `forward`, and counts the rows with filters.
void addFakeSample(FakeProgram &fake, int64_t vocabulary,
                   int64_t &filteredRows) {
  FakeFunction &sample = fake.function("sample");
  sample.input("logits", DType::kF32, {-1, vocabulary});
  for (const char *name : {"temperature", "recorded_temperature"})
    sample.input(name, DType::kF32, {-1});
  sample.input("bits", DType::kI64, {-1})
      .input("filtered", DType::kI32, {-1})
      .input("top_k", DType::kI32, {-1});
  sample.input("top_p", DType::kF64, {-1}).input("min_p", DType::kF64, {-1});
  for (auto [name, dtype] : {std::pair{"tokens", DType::kI32},
                             {"log_kept_mass", DType::kF32},
                             {"status", DType::kI32},
                             {"logp", DType::kF32},
                             {"entropy", DType::kF32}})
    sample.result(name, dtype, {-1});
  sample.body([vocabulary, &filteredRows](FakeCall &call) {
    int64_t rows = call.size("logits");
    std::vector<SamplingOptions> options(rows);
    for (int64_t r = 0; r < rows; ++r)
      options[r].temperature = call.as<float>("temperature")[r];
    for (int64_t f = 0; f < call.size("filtered"); ++f, ++filteredRows) {
      SamplingOptions &of = options[call.as<int32_t>("filtered")[f]];
      of.topK = call.as<int32_t>("top_k")[f];
      of.topP = call.as<double>("top_p")[f];
      of.minP = call.as<double>("min_p")[f];
    }
    TensorView tokens = call.result("tokens", {rows});
    TensorView kept = call.result("log_kept_mass", {rows});
    TensorView status = call.result("status", {rows});
    TensorView logp = call.result("logp", {rows});
    TensorView entropy = call.result("entropy", {rows});
    for (int64_t r = 0; r < rows; ++r) {
      const float *logits = call.as<float>("logits") + r * vocabulary;
      auto choice =
          Sampler().choose(std::span(logits, vocabulary), options[r],
                           static_cast<uint64_t>(call.as<int64_t>("bits")[r]));
      if (!choice.isOk()) {
        status.as<int32_t>()[r] = 1 + 4 * 2; // token 2 is NaN in the test below
        continue;
      }
      tokens.as<int32_t>()[r] = choice->token;
      kept.as<float>()[r] = choice->logKeptMass;
      logp.as<float>()[r] = fakeLogProbability(
          logits, vocabulary, choice->token,
          call.as<float>("recorded_temperature")[r], entropy.as<float>() + r);
    }
  });
}

class DrawTest : public testing::Test {
protected:
  DrawTest() {
    addFakeRollout(host);
    addFakeRollout(device);
    addFakeSample(device, 16, filteredRows);
    for (int64_t i = 0; i < table.elements(); ++i)
      table.as<uint16_t>()[i] = toBF16(static_cast<float>(i % 7) * 0.1f);
  }
  Result<std::vector<std::vector<Sample>>>
  generate(FakeProgram &fake, std::span<const Request> requests) {
    Program program = fake.program();
    auto engine = RolloutEngine::create(
        program,
        [&](const nibble_value_info &) -> Result<TensorView> {
          return table.view();
        },
        {.maxTokensPerCall = 9, .contextLength = 40});
    return engine.isOk() ? engine->generate(requests, 0)
                         : std::move(engine).takeStatus();
  }
  FakeProgram host, device;
  Tensor table = *Tensor::create(DType::kBF16, {16, 16});
  int64_t filteredRows = 0;
};

TEST_F(DrawTest, AProgramThatDrawsGivesTheSameSamples) {
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) {
    Request request{.prompt = {i, 3, 2 * i % 16},
                    .samples = 1 + i % 3,
                    .seed = 5,
                    .firstSample = static_cast<uint64_t>(4 * i)};
    request.sampling.maxNewTokens = 9;
    request.sampling.temperature = i % 4 == 1 ? 0.0 : i % 4 == 2 ? 0.6 : 1.0;
    // More than there are.
    if (i % 3 == 0)
      request.sampling.topK = 100;
    if (i % 5 == 2)
      request.sampling.topP = 0.8;
    if (i % 5 == 3)
      request.sampling.minP = 0.2;
    requests.push_back(request);
  }
  auto expected = generate(host, requests);
  auto samples = generate(device, requests);
  ASSERT_TRUE(expected.isOk() && samples.isOk()) << samples.status().message();
  for (size_t r = 0; r < requests.size(); ++r)
    for (size_t i = 0; i < (*expected)[r].size(); ++i) {
      const Sample &a = (*samples)[r][i];
      const Sample &b = (*expected)[r][i];
      EXPECT_EQ(a.tokens, b.tokens);
      EXPECT_EQ(a.logProbability, b.logProbability);
      EXPECT_EQ(a.logKeptMass, b.logKeptMass);
      EXPECT_EQ(a.entropy, b.entropy);
    }
  EXPECT_GT(filteredRows, 0);
}

TEST_F(DrawTest, ABadRowIsNamedAsOnTheHost) {
  table.as<uint16_t>()[3 * 16 + 2] = 0x7FC0;
  Request request{.prompt = {3}, .firstSample = 77};
  std::span requests(&request, 1);
  EXPECT_EQ(generate(device, requests).status().message(),
            "rollout: sample 77 token 0: logit of token 2 is nan; check the "
            "weights and the learning rate");
  EXPECT_EQ(generate(host, requests).status().message(),
            "rollout: sample 77 token 0: logit of token 2 is nan; check the "
            "weights and the learning rate");
}

TEST_F(DrawTest, AProgramThatLacksAResultIsRefused) {
  FakeProgram fake;
  addFakeRollout(fake);
  fake.function("sample")
      .input("logits", DType::kF32, {-1, 16})
      .result("tokens", DType::kI32, {-1})
      .body([](FakeCall &) {});
  EXPECT_EQ(
      generate(fake, {}).status().message(),
      "program: 'sample' has no result 'log_kept_mass'; compile it again");
}

} // namespace
