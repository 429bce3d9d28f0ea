#include "runtime/rl/sft.h"

#include <fmt/format.h>

namespace nibble {

Result<std::unique_ptr<SftLoop>> SftLoop::create(const Config &config, const LoopParts &parts,
                                                 LoopCallbacks callbacks) {
  if (!parts.trainer || !parts.store || !parts.environment.task || !parts.environment.codec)
    return Status::usage("sft: needs a trainer, a task and a tokenizer");
  if (parts.environment.stopTokens.empty())
    return Status::usage("sft: the model names no end-of-text token; set eos_token_id in its config.json");
  return std::unique_ptr<SftLoop>(new SftLoop(config, parts, std::move(callbacks), config.sft.steps, "sft"));
}

Status SftLoop::takeStep(int64_t, Json &metrics, Json &timings) {
  const Environment &environment = parts().environment;
  StopWatch watch;
  std::vector<TrainSequence> sequences;
  double answers = 0;
  uint64_t problemIndex = nextProblem_;
  for (int64_t i = 0; i < config().sft.sequencesPerStep; ++i) {
    Problem problem = environment.task->problem(Split::kTrain, problemIndex++);
    NIBBLE_ASSIGN(std::vector<int32_t> prompt, environment.codec->encode(problem.prompt, true));
    if (prompt.empty())
      return Status::failed(fmt::format("sft: the prompt '{}' has no token", problem.prompt));
    Sample answer;
    NIBBLE_ASSIGN(answer.tokens, environment.codec->encode(problem.reference, false));
    answer.tokens.push_back(environment.stopTokens.front());
    TrainSequence &sequence = sequences.emplace_back(toSequence(prompt, answer));
    sequence.oldLogProbability.clear();
    answers += static_cast<double>(answer.tokens.size());
  }
  for (TrainSequence &sequence : sequences) {
    sequence.weight = sequence.mask;
    for (float &weight : sequence.weight)
      weight *= static_cast<float>(1.0 / answers);
  }
  NIBBLE_ASSIGN(StepResult result, parts().trainer->step(sequences));
  nextProblem_ = problemIndex;
  metrics["loss"] = result.loss;
  metrics["gradient_norm"] = result.gradientNorm;
  metrics["clip_scale"] = result.clipScale;
  metrics["learning_rate"] = result.learningRate;
  metrics["trained_tokens"] = static_cast<int64_t>(answers);
  double seconds = watch.lap();
  timings["train_seconds"] = seconds;
  timings["train_tokens_per_second"] = static_cast<double>(result.rows) / seconds;
  return Status::ok();
}

} // namespace nibble
