// Creates the task and the reward of a run, and scores responses.
#include "runtime/rl/environment.h"

#include "runtime/rl/rewards/reward_program.h"
#include "runtime/rl/tasks/dataset_task.h"

#include <fmt/format.h>

#include <cmath>

namespace nibble {

static Result<std::unique_ptr<Task>>
loadDataset(const Config &config, const TextCodec &codec, int64_t contextLength,
            const std::function<void(const std::string &)> &say,
            bool supervised) {
  DatasetTaskOptions options;
  options.path = config.task.path;
  options.heldOutPath = config.task.heldOutPath;
  options.data.promptField = config.task.promptField;
  options.data.referenceField = config.task.answerField;
  options.data.maximumPromptTokens =
      contextLength - config.rollout.sampling.maxNewTokens;
  options.seed = config.run.seed;
  options.heldOutOneIn = static_cast<int>(config.task.heldOutOneIn);
  options.isEvaluated = config.eval.every > 0;
  options.promptPrefix = config.task.promptPrefix;
  options.promptSuffix = config.task.promptSuffix;
  if (options.data.maximumPromptTokens < 1)
    return Status::usage(fmt::format("rollout.max_new_tokens: {} leaves no "
                                     "room for a prompt in a context of {}; "
                                     "lower it or raise model.context_length",
                                     config.rollout.sampling.maxNewTokens,
                                     contextLength));
  if (supervised) {
    // The last token is a target but never an input, so a call of max_tokens
    // rows has room for one more token.
    bool isCall = config.train.maxTokens < contextLength - 1;
    options.maximumTokens = isCall ? config.train.maxTokens + 1 : contextLength;
    options.maximumTokensKey =
        isCall ? fmt::format("train.max_tokens = {}", config.train.maxTokens)
        : config.model.contextLength > 0
            ? fmt::format("model.context_length = {}",
                          config.model.contextLength)
            : "the context of the model";
  }
  auto counter = [&](bool isPrompt) {
    return [&codec, isPrompt](std::string_view text) -> Result<int64_t> {
      NIBBLE_ASSIGN(std::vector<int32_t> tokens, codec.encode(text, isPrompt));
      return static_cast<int64_t>(tokens.size());
    };
  };
  NIBBLE_ASSIGN(std::unique_ptr<DatasetTask> task,
                DatasetTask::load(options, counter(true), counter(false)));
  if (say)
    say(task->summary());
  return std::unique_ptr<Task>(std::move(task));
}

Result<std::unique_ptr<Task>>
createTask(const Config &config, const TextCodec &codec, int64_t contextLength,
           const std::function<void(const std::string &)> &say,
           bool supervised) {
  if (config.task.name == "jsonl")
    return loadDataset(config, codec, contextLength, say, supervised);
  TaskOptions options;
  options.seed = config.run.seed;
  options.digits = static_cast<int>(config.task.digits);
  options.minDigits = static_cast<int>(config.task.minDigits);
  options.count = static_cast<int>(config.task.count);
  options.maximum = config.task.maximum;
  options.heldOutOneIn = static_cast<int>(config.task.heldOutOneIn);
  options.promptPrefix = config.task.promptPrefix;
  options.promptSuffix = config.task.promptSuffix;
  return Task::create(config.task.name, options);
}

Result<std::unique_ptr<RewardFunction>> createReward(const Config &config) {
  if (config.reward.command.empty())
    return std::unique_ptr<RewardFunction>();
  RewardProgramOptions options;
  options.command = config.reward.command;
  options.workers = static_cast<int>(config.reward.workers);
  options.timeLimit = std::chrono::milliseconds(
      static_cast<int64_t>(config.reward.timeLimitSeconds * 1000));
  NIBBLE_ASSIGN(std::unique_ptr<RewardProgram> program,
                RewardProgram::create(options));
  return std::unique_ptr<RewardFunction>(std::move(program));
}

Result<std::vector<RewardOutcome>>
scoreResponses(const Environment &environment,
               std::span<const Problem> problems,
               std::span<const std::string> responses) {
  std::vector<RewardOutcome> outcomes;
  if (environment.reward) {
    std::vector<RewardRequest> requests;
    for (size_t i = 0; i < problems.size(); ++i)
      requests.push_back(
          {problems[i].prompt, responses[i], problems[i].reference});
    NIBBLE_ASSIGN(outcomes, environment.reward->score(requests));
  } else {
    for (size_t i = 0; i < problems.size(); ++i)
      outcomes.push_back(
          {environment.task->reward(problems[i], responses[i]), false, {}});
  }
  if (outcomes.size() != problems.size())
    return Status::failed(
        fmt::format("reward: {} answers to {} questions; report this defect",
                    outcomes.size(), problems.size()));
  // Such values must never reach an advantage.
  for (RewardOutcome &outcome : outcomes)
    if (!outcome.isFailed && !std::isfinite(outcome.reward))
      outcome = {0, true, "the reward is not finite"};
  return outcomes;
}

} // namespace nibble
