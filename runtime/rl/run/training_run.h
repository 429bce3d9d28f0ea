// One run of supervised training or of reinforcement learning: everything its
// loop is made of, on programs that the caller compiles or opens.
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
  Program rollout; // of the same residence as `training`
};

// What the programs of a run are made for.
struct ProgramRequest {
  const Config &config;
  const ModelConfig &model;
  bool supervised = false;
  bool hoist = true;     // quantize in the update instead of in every forward
  bool planOnly = false; // nothing will run: no device is needed
};
using ProgramSource =
    std::function<Result<TrainingPrograms>(const ProgramRequest &)>;

struct RunOptions {
  bool supervised = false;
  bool resume = false;   // go on from the newest checkpoint of the run
  bool hoist = true;     // as in ProgramRequest
  bool planOnly = false; // opens no folder of the run; only `describe` follows
};

// Where a run's lines go, without an end of line. `note` tells what was read,
// `warn` what may be wrong.
struct RunMessages {
  std::function<void(const std::string &)> note;
  std::function<void(const std::string &)> warn;
};

class TrainingRun {
public:
  // Opens the checkpoint, its tokenizer, the task, the reward, the folder of
  // the run (config.run.out) and the programs, in this order: what is quick to
  // find wrong comes before the seconds of compiling.
  static Result<std::unique_ptr<TrainingRun>>
  create(Config config, const RunOptions &options,
         const ProgramSource &programs, RunMessages messages);

  // Trains. A run that came to its end has written report.html, and `model`
  // when any step changed a weight. Progress is drawn on standard error. Errors
  // as of Loop::run.
  Status run();
  // Whether the run came to its end in good order, learned or not.
  bool hasEnded() const { return loop_ && loop_->hasEnded(); }
  // What the run would do and what it takes, line by line.
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
  // training does where it evaluates.
  bool generates() const;
  Status
  describeDevice(const Residence &device,
                 const std::function<void(const std::string &)> &line) const;

  const Config config_;
  const RunOptions options_;
  RunMessages messages_;
  // In an order in which what is borrowed outlives who borrows it.
  std::optional<RunFolder> folder_; // locked as long as the run lives
  std::unique_ptr<Model> model_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<TokenizerCodec> codec_;
  std::unique_ptr<Task> task_;
  std::unique_ptr<RewardFunction> reward_;
  std::optional<Program> training_;
  std::optional<Program> rollout_;
  ParameterStore store_;
  ParameterStore initial_; // the weights that the run began with
  std::optional<Trainer> trainer_;
  std::optional<RolloutEngine> engine_;
  std::optional<LogProbability> reference_;
  std::vector<int32_t> stopTokens_;
  int64_t contextLength_ = 0; // tokens of prompt and response
  std::unique_ptr<Loop> loop_;
};

} // namespace nibble
