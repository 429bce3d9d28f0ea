// Problems from files of JSON lines (runtime/rl/tasks/prompt_dataset.h): a row
// asks, its answer is the reference.
#pragma once

#include "runtime/rl/tasks/prompt_dataset.h"
#include "runtime/rl/tasks/task.h"

namespace nibble {

struct DatasetTaskOptions {
  std::filesystem::path path = {};
  // Held-out problems; empty: rows of `path`, by `heldOutOneIn`, if the run
  // evaluates.
  std::filesystem::path heldOutPath = {};
  DataOptions data = {};
  uint64_t seed = 0; // of the order of training
  // One prompt of this many, by its hash, is held out: equal prompts stand in
  // one split; 2 .. 1000.
  int heldOutOneIn = 8;
  // Whether anything is evaluated. If not, no row of `path` is held out for it.
  bool isEvaluated = true;
  // Put before and behind every prompt, and counted into its tokens.
  std::string promptPrefix = {}, promptSuffix = {};
  // Tokens of a prompt, its answer and the end of a text together, for rows
  // whose answers are trained on: training rows of more are left out and
  // counted. 0: no limit.
  int64_t maximumTokens = 0;
  // What sets this limit, for messages: "train.max_tokens = 2048".
  std::string maximumTokensKey = {};
};

class DatasetTask final : public Task {
public:
  // Bad input as of PromptDataset::load, and when a split that is needed has no
  // problem. A row of `path` whose prompt is held out in `heldOutPath` is left
  // out and counted. `countAnswer` counts the tokens of an answer; it is asked
  // only when there is a limit of them.
  static Result<std::unique_ptr<DatasetTask>>
  load(const DatasetTaskOptions &options,
       const PromptDataset::CountTokens &countTokens = {},
       const PromptDataset::CountTokens &countAnswer = {});

  // Training takes every row once in each epoch, in an order of its own;
  // held-out rows come as they stand in the file.
  Problem problem(Split split, uint64_t index) const override;
  std::optional<uint64_t> count(Split split) const override;
  std::string fingerprint() const override { return fingerprint_; }
  double reward(const Problem &problem,
                std::string_view response) const override;

  // What there is and what was left out: one line for the log.
  const std::string &summary() const { return summary_; }

private:
  DatasetTask(const DatasetTaskOptions &options,
              std::vector<PromptRow> training, std::vector<PromptRow> heldOut);

  DatasetTaskOptions options_;
  std::vector<PromptRow> training_, heldOut_;
  EpochRows order_; // of training_
  std::string fingerprint_, summary_;
};

} // namespace nibble
