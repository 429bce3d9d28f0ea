// A complete small world for the loops: a table model, letters as tokens, and a
// task that the table can learn.
#pragma once

#include "runtime/core/file.h"
#include "runtime/core/philox.h"
#include "runtime/rl/evaluate.h"
#include "runtime/rl/grpo.h"
#include "runtime/rl/sft.h"
#include "test/runtime/train/fake_source.h"
#include "test/runtime/train/fake_trainer.h"

#include <map>
#include <memory>
#include <sstream>

namespace nibble::test {

// "a".."n" are tokens 0..13, and 15 ends a text.
class LetterCodec : public TextCodec {
public:
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool) const override {
    std::vector<int32_t> tokens;
    for (char letter : text)
      tokens.push_back(letter - 'a');
    return tokens;
  }
  std::string decode(std::span<const int32_t> tokens) const override {
    std::string text;
    for (int32_t token : tokens)
      text += static_cast<char>('a' + token);
    return text;
  }
};

// Prompts of one to four of the letters a..g. The answer is the letter 7 places
// after the last one.
class LetterTask : public Task {
public:
  Problem problem(Split split, uint64_t index) const override {
    auto draw = [&](uint64_t i) {
      return toBelow(
          randomBits(5, RandomStream::kTask, split == Split::kTrain, index, i),
          7);
    };
    std::string prompt;
    for (uint64_t i = 0; i < 1 + draw(0) % 4; ++i)
      prompt += static_cast<char>('a' + draw(i + 1));
    return {prompt, std::string(1, static_cast<char>(prompt.back() + 7))};
  }
  double reward(const Problem &problem,
                std::string_view response) const override {
    return response == problem.reference ? 1.0 : 0.0;
  }
};

struct FakeWorldOptions {
  FakeObjective objective = FakeObjective::kGrpo;
  // Any value except 0.5 makes the rollout's graph differ from the trained one.
  float rolloutHistoryScale = 0.5f;
  int64_t pages = 0;
};

// Everything that a loop borrows.
class FakeWorld {
public:
  explicit FakeWorld(const Config &config, FakeWorldOptions options = {})
      : config_(config) {
    FakeModelOptions model{.vocabulary = 16, .layers = 2, .historyScale = 0.5f};
    addFakeTraining(training_, options.objective, model);
    model.historyScale = options.rolloutHistoryScale;
    addFakeRollout(rollout_, model);
    Program train = training_.program();
    Program roll = rollout_.program();
    check(store_.declare(train));
    check(store_.declare(roll));
    // The model knows that an answer is one letter, but not which. It is right
    // sometimes, as after a supervised warm-up.
    auto source = sourceOf({16, 16}, [](int64_t i) {
      int64_t from = i / 16;
      int64_t to = i % 16;
      bool answers = from < 7 ? to >= 7 && to < 14 : to == 15;
      return (answers ? 2.5f : 0.0f) + 0.02f * static_cast<float>(i * 7 % 11);
    });
    check(store_.initialize(source));
    int64_t updates = options.objective == FakeObjective::kSft
                          ? config.sft.steps
                          : config.rl.steps * config.rl.updatesPerStep;
    trainer_ = std::make_unique<Trainer>(
        *Trainer::create(train, store_,
                         {.optimizer = optimizerFor(config, updates),
                          .maxTokens = config.train.maxTokens}));
    engine_ = std::make_unique<RolloutEngine>(*RolloutEngine::create(
        roll, store_.lookupFunction(),
        {.maxTokensPerCall = config.rollout.maxTokensPerCall,
         .maxRunning = config.rollout.maxRunning,
         .contextLength = 32,
         .pages = options.pages}));
    parts = {trainer_.get(),
             &store_,
             engine_.get(),
             nullptr,
             {&task, &codec, nullptr, {15}}};
  }

  Status grpo(LoopCallbacks callbacks = {}, bool resume = false) {
    auto loop = GrpoLoop::create(config_, parts, std::move(callbacks));
    return loop.isOk() ? (*loop)->run(resume) : loop.status();
  }
  Status sft(LoopCallbacks callbacks = {}, bool resume = false) {
    auto loop = SftLoop::create(config_, parts, std::move(callbacks));
    return loop.isOk() ? (*loop)->run(resume) : loop.status();
  }
  // The bytes of everything in a checkpoint.
  std::map<std::string, std::string> bytes() const {
    std::map<std::string, std::string> result;
    for (const auto &[key, tensor] : store_.tensors())
      if (!key.starts_with("gradient:"))
        result[key] = std::string(reinterpret_cast<const char *>(tensor.data()),
                                  tensor.bytes());
    return result;
  }

  LetterTask task;
  LetterCodec codec;
  LoopParts parts;

private:
  static void check(const Status &status) {
    if (!status.isOk())
      throw std::runtime_error(status.message());
  }
  Config config_;
  FakeProgram training_, rollout_;
  ParameterStore store_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<RolloutEngine> engine_;
};

// A run that learns the task in about 40 steps.
inline Config letterConfig(const std::filesystem::path &out) {
  Config config;
  config.run.out = out.string();
  config.run.seed = 11;
  config.run.checkpointEvery = 3;
  config.rl.steps = 40;
  config.rl.promptsPerStep = 8;
  config.rl.samplesPerPrompt = 8;
  config.rollout.sampling.maxNewTokens = 4;
  config.train.optimizer.learningRate = 0.1;
  config.train.optimizer.clipNorm = 0;
  config.train.optimizer.warmupSteps = 2;
  config.train.optimizer.decay = Decay::kCosine;
  config.eval.every = 10;
  config.eval.problems = 40;
  config.sft.steps = 40;
  config.sft.sequencesPerStep = 16;
  return config;
}

// The lines of metrics.jsonl or timings.jsonl.
inline std::vector<Json> linesOf(const std::filesystem::path &path) {
  std::vector<Json> lines;
  std::istringstream text(*readFile(path));
  for (std::string line; std::getline(text, line);)
    lines.push_back(Json::parse(line));
  return lines;
}

} // namespace nibble::test
