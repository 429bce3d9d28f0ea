// One step of supervised training, and its metrics.
#include "runtime/rl/sft.h"

#include <fmt/format.h>

namespace nibble {

Result<std::unique_ptr<SftLoop>> SftLoop::create(const Config &config,
                                                 const LoopParts &parts,
                                                 LoopCallbacks callbacks) {
  if (!parts.trainer || !parts.store || !parts.environment.task ||
      !parts.environment.codec)
    return Status::usage("sft: needs a trainer, a task and a tokenizer");
  if (parts.environment.stopTokens.empty())
    return Status::usage("sft: the model names no end-of-text token; set "
                         "eos_token_id in its config.json");
  if (config.task.name == "jsonl" && config.task.answerField.empty())
    return Status::usage("sft: task.answer_field is empty; supervised training "
                         "needs an answer to each prompt");
  return std::unique_ptr<SftLoop>(new SftLoop(
      config, parts, std::move(callbacks), config.sft.steps, "sft"));
}

// Usage error when a problem with its answer is longer than the model's context
// or the rows of one call. Only generated problems can be that long, since such
// rows of a file are left out beforehand.
static Status checkLength(const TrainSequence &sequence, const Problem &problem,
                          int64_t contextLength, int64_t maxTokens) {
  int64_t tokens = std::ssize(sequence.tokens);
  auto tooLong = [&](const std::string &limit) {
    return Status::usage(fmt::format("sft: the problem '{}' has {} tokens with "
                                     "its answer, more than {}; raise that or "
                                     "make the problems of the task smaller",
                                     problem.prompt, tokens, limit));
  };
  if (contextLength > 0 && tokens > contextLength)
    return tooLong(
        fmt::format("the context of {} (model.context_length)", contextLength));
  if (sequence.rows() > maxTokens) // the last token is a target but no input
    return tooLong(
        fmt::format("train.max_tokens = {} has room for", maxTokens));
  return Status::ok();
}

Status SftLoop::takeStep(StepMetrics &line, std::string &noUpdate) {
  const Environment &environment = parts().environment;
  StopWatch watch;
  std::vector<TrainSequence> sequences;
  double answers = 0;
  uint64_t problemIndex = nextProblem_;
  for (int64_t i = 0; i < config().sft.sequencesPerStep; ++i) {
    Problem problem = environment.task->problem(Split::kTrain, problemIndex++);
    NIBBLE_ASSIGN(std::vector<int32_t> prompt,
                  environment.codec->encode(problem.prompt, true));
    if (prompt.empty())
      return Status::failed(fmt::format(
          "sft: the prompt '{}' has no token; give a prompt with text",
          problem.prompt));
    Sample answer;
    NIBBLE_ASSIGN(answer.tokens,
                  environment.codec->encode(problem.reference, false));
    answer.tokens.push_back(environment.stopTokens.front());
    TrainSequence &sequence =
        sequences.emplace_back(toSequence(prompt, answer));
    sequence.oldLogProbability.clear();
    NIBBLE_TRY(checkLength(sequence, problem, environment.contextLength,
                           config().train.maxTokens));
    answers += static_cast<double>(answer.tokens.size());
  }
  for (TrainSequence &sequence : sequences) {
    sequence.weight = sequence.mask;
    for (float &weight : sequence.weight)
      weight *= static_cast<float>(1.0 / answers);
  }
  NIBBLE_ASSIGN(StepResult result, parts().trainer->step(sequences));
  nextProblem_ = problemIndex;
  if (!movesWeights(result))
    noUpdate = fmt::format("what the update makes of {} answers is 0",
                           sequences.size());
  double seconds = watch.lap();
  line.values["loss"] = result.loss;
  line.values["gradient_norm"] = result.gradientNorm;
  line.values["clip_scale"] = result.clipScale;
  line.values["learning_rate"] = result.learningRate;
  line.values["tokens"] = static_cast<double>(result.rows);
  line.values["trained_tokens"] = answers;
  line.values["time_train"] = seconds;
  line.values["tokens_per_second"] = static_cast<double>(result.rows) / seconds;
  return Status::ok();
}

} // namespace nibble
