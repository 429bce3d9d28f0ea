// One run of supervised training or of reinforcement learning: all parts of its
// loop. The caller compiles or opens the programs.
#pragma once

#include "runtime/core/program/program.h"
#include "runtime/formats/tokenizer/tokenizer.h"
#include "runtime/rl/config/config.h"
#include "runtime/rl/loop.h"
#include "runtime/train/model.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

struct TrainingPrograms {
  Program training;
  Program rollout; // shares the residence of `training`
};

// The requirements on the programs of a run.
struct ProgramRequest {
  const Config &config;
  const ModelConfig &model;
  bool supervised = false;
  // Quantize in the update instead of in every forward pass.
  bool hoist = true;
  bool planOnly = false; // nothing will run, so no device is needed
};
using ProgramSource =
    std::function<Result<TrainingPrograms>(const ProgramRequest &)>;

struct RunOptions {
  bool supervised = false;
  bool resume = false;   // continue from the newest checkpoint of the run
  bool hoist = true;     // as in ProgramRequest
  bool planOnly = false; // opens no run folder; only `describe` may follow
};

// Receives a run's messages, as lines without line ends. `note` gets what was
// read, `warn` what may be wrong.
struct RunMessages {
  std::function<void(const std::string &)> note;
  std::function<void(const std::string &)> warn;
};

class TrainingRun {
public:
  // Opens the checkpoint, its tokenizer, the task, the reward, the folder of
  // the run (config.run.out) and the programs, in this order. Errors that are
  // found quickly come before compilation, which takes seconds.
  static Result<std::unique_ptr<TrainingRun>>
  create(Config config, const RunOptions &options,
         const ProgramSource &programs, RunMessages messages);

  // Trains. At its end a run writes report.html, and `model` when any step
  // changed a weight. Progress goes to standard error. Errors are those of
  // Loop::run.
  Status run();
  // Whether the run ended in good order, with or without learning.
  bool hasEnded() const { return loop_ && loop_->hasEnded(); }
  // Describes, line by line, what the run would do and what it needs.
  Status describe(const std::function<void(const std::string &)> &line) const;

private:
  TrainingRun(Config config, const RunOptions &options, RunMessages messages)
      : config_(std::move(config)), options_(options),
        messages_(std::move(messages)) {}

  Status build(const ProgramSource &programs);
  Status warnOfRounding() const;
  Status createRollout();
  Status runLoop();
  Status finish(bool withModel) const;
  LoopParts loopParts();
  // Whether the run samples, and so has a cache of keys and values. Supervised
  // training samples when it evaluates.
  bool generates() const;
  Status
  describeDevice(const Residence &device,
                 const std::function<void(const std::string &)> &line) const;

  const Config config_;
  const RunOptions options_;
  RunMessages messages_;
  // The order of the members ensures that a borrowed object outlives its
  // borrowers.
  std::optional<RunFolder> folder_; // locked as long as the run lives
  std::unique_ptr<Model> model_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<TokenizerCodec> codec_;
  std::unique_ptr<Task> task_;
  std::unique_ptr<RewardFunction> reward_;
  std::optional<Program> training_;
  std::optional<Program> rollout_;
  ParameterStore store_;
  ParameterStore initial_; // the initial weights of the run
  std::optional<Trainer> trainer_;
  std::optional<RolloutEngine> engine_;
  std::optional<LogProbability> reference_;
  std::vector<int32_t> stopTokens_;
  int64_t contextLength_ = 0; // limit of prompt and response tokens together
  std::unique_ptr<Loop> loop_;
};

} // namespace nibble
