// What a loop learns from: problems, text and tokens, rewards.
#pragma once

#include "runtime/formats/tokenizer/tokenizer.h"
#include "runtime/rl/config/config.h"
#include "runtime/rl/rewards/reward.h"
#include "runtime/rl/tasks/task.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// The conversion between text and tokens that a loop needs.
class TextCodec {
public:
  virtual ~TextCodec() = default;
  // `isPrompt` adds the tokens that begin a text, if the tokenizer has any.
  virtual Result<std::vector<int32_t>> encode(std::string_view text,
                                              bool isPrompt) const = 0;
  // Decodes without special tokens.
  virtual std::string decode(std::span<const int32_t> tokens) const = 0;
};

// All members are borrowed and must outlive the loop.
struct Environment {
  const Task *task = nullptr;
  const TextCodec *codec = nullptr;
  RewardFunction *reward = nullptr; // null means that the task rewards
  // The first one ends an answer in supervised training.
  std::vector<int32_t> stopTokens;
  // Limit of prompt and response tokens together; 0 means no limit.
  int64_t contextLength = 0;
};

// The codec of a HuggingFace tokenizer, which must outlive it.
class TokenizerCodec final : public TextCodec {
public:
  explicit TokenizerCodec(const Tokenizer &tokenizer) : tokenizer_(tokenizer) {}
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      bool isPrompt) const override {
    return tokenizer_.encode(text, isPrompt);
  }
  std::string decode(std::span<const int32_t> tokens) const override {
    return tokenizer_.decode(tokens, true);
  }

private:
  const Tokenizer &tokenizer_;
};

// Creates the task. `contextLength` limits the tokens of prompt and response
// together. Prompts of a file that leave no room for max_new_tokens are left
// out. With `supervised`, training rows are left out whose length with answer
// exceeds it or one call's rows (train.max_tokens). `say` receives a line about
// any data that was read. Errors are those of Task::create and
// DatasetTask::load.
Result<std::unique_ptr<Task>>
createTask(const Config &config, const TextCodec &codec, int64_t contextLength,
           const std::function<void(const std::string &)> &say,
           bool supervised = false);
// Creates the reward program when the configuration names a command, else
// returns null. Usage error as in its create.
Result<std::unique_ptr<RewardFunction>> createReward(const Config &config);

// Rewards in the order of the requests; failed ones are marked. `responses[i]`
// answers `problems[i]`.
Result<std::vector<RewardOutcome>>
scoreResponses(const Environment &environment,
               std::span<const Problem> problems,
               std::span<const std::string> responses);

} // namespace nibble
