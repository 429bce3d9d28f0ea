// Problems from files of JSON lines (runtime/rl/tasks/prompt_dataset.h). A row
// is a question, and its answer is the reference.
#pragma once

#include "runtime/rl/tasks/prompt_dataset.h"
#include "runtime/rl/tasks/task.h"

namespace nibble {

struct DatasetTaskOptions {
  std::filesystem::path path = {};
  // Held-out problems. When empty and the run evaluates, `heldOutOneIn` selects
  // them from the rows of `path`.
  std::filesystem::path heldOutPath = {};
  DataOptions data = {};
  uint64_t seed = 0; // seed for the order of training
  // One in this many prompts is held out, selected by hash, so equal prompts
  // are in one split; 2 .. 1000.
  int heldOutOneIn = 8;
  // Whether anything is evaluated. If not, no row of `path` is held out.
  bool isEvaluated = true;
  // Text put before and after every prompt. It counts towards the prompt's
  // tokens.
  std::string promptPrefix = {}, promptSuffix = {};
  // Limit of tokens for rows whose answers are trained on: prompt, answer and
  // the end of a text together. Longer training rows are left out and counted.
  // 0 means no limit.
  int64_t maximumTokens = 0;
  // The key that sets this limit, for messages: "train.max_tokens = 2048".
  std::string maximumTokensKey = {};
};

class DatasetTask final : public Task {
public:
  // Loads the files. Bad input as in PromptDataset::load, and when a required
  // split has no problem. A row of `path` whose prompt is held out in
  // `heldOutPath` is left out and counted. `countAnswer` counts the tokens of
  // an answer; it is called only when there is a limit.
  static Result<std::unique_ptr<DatasetTask>>
  load(const DatasetTaskOptions &options,
       const PromptDataset::CountTokens &countTokens = {},
       const PromptDataset::CountTokens &countAnswer = {});

  // Training takes every row once per epoch, in an order that depends on the
  // epoch. Held-out rows come in file order.
  Problem problem(Split split, uint64_t index) const override;
  std::optional<uint64_t> count(Split split) const override;
  std::string fingerprint() const override { return fingerprint_; }
  double reward(const Problem &problem,
                std::string_view response) const override;

  // One line for the log: what was read and what was left out.
  const std::string &summary() const { return summary_; }

private:
  DatasetTask(const DatasetTaskOptions &options,
              std::vector<PromptRow> training, std::vector<PromptRow> heldOut);

  DatasetTaskOptions options_;
  std::vector<PromptRow> training_, heldOut_;
  EpochRows order_; // order of training_
  std::string fingerprint_, summary_;
};

} // namespace nibble
