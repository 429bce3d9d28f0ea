// Reads the files of a task, and leaves out rows that are too long.
#include "runtime/rl/tasks/dataset_task.h"

#include "runtime/core/hash.h"
#include "runtime/formats/io.h"
#include "runtime/rl/tasks/task_random.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace nibble {
namespace {

// Hashes texts and the places of their ends, so that different lists of rows
// give different bytes.
void addRows(Hasher &hasher, const std::vector<PromptRow> &rows) {
  for (const PromptRow &row : rows) {
    std::string text = fmt::format("{}:{}{}:{}", row.prompt.size(), row.prompt,
                                   row.reference.size(), row.reference);
    hasher.add(std::as_bytes(std::span(text)));
  }
  hasher.add(std::as_bytes(std::span("end", 3)));
}

// Removes rows that are too long with their answers. Returns one line about
// them, or an empty text.
Result<std::string>
leaveOutLong(std::vector<PromptRow> &rows, const DatasetTaskOptions &options,
             const PromptDataset::CountTokens &countPrompt,
             const PromptDataset::CountTokens &countAnswer) {
  if (!countPrompt || !countAnswer)
    return Status::usage(
        "data has a limit of tokens but no tokenizer; give one");
  std::vector<PromptRow> kept;
  int64_t longest = 0;
  std::string number; // the first numeric answer that makes a row too long
  for (PromptRow &row : rows) {
    auto where = [&] {
      return fmt::format("data {}:{}", options.path.string(), row.line);
    };
    Result<int64_t> prompt = countPrompt(row.prompt);
    Result<int64_t> answer = countAnswer(row.reference);
    for (Result<int64_t> *tokens : {&prompt, &answer})
      if (!tokens->isOk())
        return std::move(*tokens).takeStatus().within(where());
    int64_t tokens = *prompt + *answer + 1; // plus the end of the text
    longest = std::max(longest, tokens);
    if (tokens <= options.maximumTokens) {
      kept.push_back(std::move(row));
    } else if (!row.number.empty() && number.empty()) {
      NIBBLE_ASSIGN(int64_t asWritten, countAnswer(row.number));
      if (*prompt + asWritten + 1 <= options.maximumTokens)
        number = fmt::format("; the answer of line {} is the number {}, which "
                             "is {} characters written out: put the text that "
                             "is wanted in quotes",
                             row.line, printable(row.number, 40),
                             row.reference.size());
    }
  }
  size_t before = std::exchange(rows, std::move(kept)).size();
  if (before == rows.size())
    return std::string();
  return fmt::format("{} left out of training as longer than {} tokens with "
                     "their answers (longest {}; {}){}",
                     before - rows.size(), options.maximumTokens, longest,
                     options.maximumTokensKey, number);
}

// Moves some rows out of the list. Both lists keep their order.
std::vector<PromptRow> takeIf(std::vector<PromptRow> &rows, auto &&isTaken) {
  std::vector<PromptRow> taken, kept;
  for (PromptRow &row : rows)
    (isTaken(row) ? taken : kept).push_back(std::move(row));
  rows = std::move(kept);
  return taken;
}

} // namespace

DatasetTask::DatasetTask(const DatasetTaskOptions &options,
                         std::vector<PromptRow> training,
                         std::vector<PromptRow> heldOut)
    : options_(options), training_(std::move(training)),
      heldOut_(std::move(heldOut)),
      order_(static_cast<int64_t>(training_.size()), options.seed) {
  Hasher hasher;
  addRows(hasher, training_);
  addRows(hasher, heldOut_);
  fingerprint_ = hasher.digest();
}

Result<std::unique_ptr<DatasetTask>>
DatasetTask::load(const DatasetTaskOptions &options,
                  const PromptDataset::CountTokens &countTokens,
                  const PromptDataset::CountTokens &countAnswer) {
  PromptDataset::CountTokens count;
  if (countTokens)
    count = [&](std::string_view prompt) {
      return countTokens(fmt::format("{}{}{}", options.promptPrefix, prompt,
                                     options.promptSuffix));
    };
  NIBBLE_ASSIGN(PromptDataset data,
                PromptDataset::load(options.path, options.data, count));
  std::string summary = data.report().summary;
  std::vector<PromptRow> training = std::move(data).takeRows();
  std::vector<PromptRow> heldOut;
  if (options.heldOutPath.empty() && options.isEvaluated) {
    heldOut = takeIf(training, [&](const PromptRow &row) {
      ContentHash hash;
      hash.add(row.prompt);
      return hash.value() % static_cast<uint64_t>(options.heldOutOneIn) == 0;
    });
    summary += fmt::format(", {} of them held out", heldOut.size());
  } else if (!options.heldOutPath.empty()) {
    NIBBLE_ASSIGN(
        PromptDataset other,
        PromptDataset::load(options.heldOutPath, options.data, count));
    summary += "; held out: " + other.report().summary;
    heldOut = std::move(other).takeRows();
    std::set<std::string_view> prompts;
    for (const PromptRow &row : heldOut)
      prompts.insert(row.prompt);
    auto shared = takeIf(training, [&](const PromptRow &row) {
      return prompts.contains(row.prompt);
    });
    if (!shared.empty())
      summary += fmt::format(
          "; {} left out of training because they are held out", shared.size());
  }
  bool hadTraining = !training.empty();
  if (options.maximumTokens > 0) {
    NIBBLE_ASSIGN(std::string leftOut,
                  leaveOutLong(training, options, count, countAnswer));
    if (!leftOut.empty())
      summary += "; " + leftOut;
  }
  if (hadTraining && training.empty())
    return Status::badInput(
        fmt::format("{}: nothing is left to train on; raise the limit or give "
                    "shorter answers",
                    summary));
  if (training.empty() || (heldOut.empty() && options.isEvaluated))
    return Status::badInput(fmt::format(
        "{}: nothing is left to {}; give more prompts{}", summary,
        training.empty() ? "train on" : "hold out",
        options.heldOutPath.empty() && !training.empty()
            ? ", a held_out_path, or eval.every = 0 to evaluate nothing"
            : ""));
  std::unique_ptr<DatasetTask> task(
      new DatasetTask(options, std::move(training), std::move(heldOut)));
  task->summary_ = std::move(summary);
  return task;
}

Problem DatasetTask::problem(Split split, uint64_t index) const {
  const PromptRow &row = split == Split::kTrain
                             ? training_[order_.at(index)]
                             : heldOut_[index % heldOut_.size()];
  return {options_.promptPrefix + row.prompt + options_.promptSuffix,
          row.reference};
}

std::optional<uint64_t> DatasetTask::count(Split split) const {
  return split == Split::kTrain ? training_.size() : heldOut_.size();
}

double DatasetTask::reward(const Problem &problem,
                           std::string_view response) const {
  return exactMatch(response, problem.reference);
}

} // namespace nibble
