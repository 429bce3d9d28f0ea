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

// Text to tokens and back, as the loop needs it.
class TextCodec {
public:
  virtual ~TextCodec() = default;
  // `isPrompt`: with the tokens that begin a text, if the tokenizer has any.
  virtual Result<std::vector<int32_t>> encode(std::string_view text,
                                              bool isPrompt) const = 0;
  // Without special tokens.
  virtual std::string decode(std::span<const int32_t> tokens) const = 0;
};

// Everything is borrowed and outlives the loop.
struct Environment {
  const Task *task = nullptr;
  const TextCodec *codec = nullptr;
  RewardFunction *reward = nullptr; // null: the task's own
  std::vector<int32_t>
      stopTokens; // the first one ends an answer in supervised training
  int64_t contextLength =
      0; // tokens of prompt and response together; 0: no limit
};

// The codec of a HuggingFace tokenizer, which outlives it.
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

// The task. `contextLength`: tokens of prompt and response together; prompts of
// a file that leave no room for max_new_tokens are left out, and with
// `supervised` training rows that are longer with their answers than this or
// than one call computes (train.max_tokens). `say` gets a line about what was
// read, if anything was. Errors as of Task::create and DatasetTask::load.
Result<std::unique_ptr<Task>>
createTask(const Config &config, const TextCodec &codec, int64_t contextLength,
           const std::function<void(const std::string &)> &say,
           bool supervised = false);
// The reward program, when the configuration names a command; else null. Usage
// error as of its create.
Result<std::unique_ptr<RewardFunction>> createReward(const Config &config);

// Rewards in order of the requests; failed ones are marked. `problems[i]` asked
// for `responses[i]`.
Result<std::vector<RewardOutcome>>
scoreResponses(const Environment &environment,
               std::span<const Problem> problems,
               std::span<const std::string> responses);

} // namespace nibble
