// Generates answers to held-out problems and averages their rewards.
#include "runtime/rl/evaluate.h"

#include <algorithm>

namespace nibble {

namespace {
// Sample numbers of evaluations begin here and those of training at 0, so they
// share no draw (N16).
constexpr uint64_t kFirstEvaluationSample = uint64_t{1} << 31;
} // namespace

std::string responseText(const Environment &environment, const Sample &sample) {
  std::span<const int32_t> tokens = sample.tokens;
  if (sample.finish == FinishReason::kStop)
    tokens = tokens.first(tokens.size() - 1);
  return environment.codec->decode(tokens);
}

Result<Evaluation> evaluateHeldOut(const Config &config,
                                   const Environment &environment,
                                   RolloutEngine &rollout, int64_t step,
                                   uint64_t weightVersion,
                                   const std::function<bool()> &stop) {
  std::vector<Problem> problems;
  std::vector<Request> requests;
  int64_t wanted = config.eval.problems;
  // Each problem counts once.
  if (auto there = environment.task->count(Split::kHeldOut))
    wanted = std::min(wanted, static_cast<int64_t>(*there));
  for (int64_t i = 0; i < wanted; ++i) {
    problems.push_back(
        environment.task->problem(Split::kHeldOut, static_cast<uint64_t>(i)));
    Request &request = requests.emplace_back();
    NIBBLE_ASSIGN(request.prompt,
                  environment.codec->encode(problems.back().prompt, true));
    request.sampling.temperature = config.eval.temperature;
    request.sampling.maxNewTokens = config.rollout.sampling.maxNewTokens;
    request.sampling.stopTokens = environment.stopTokens;
    request.seed = config.run.seed;
    request.step = static_cast<uint64_t>(step);
    request.firstSample = kFirstEvaluationSample + static_cast<uint64_t>(i);
  }
  NIBBLE_ASSIGN(auto samples, rollout.generate(requests, weightVersion, stop));
  std::vector<std::string> responses;
  double tokens = 0, reward = 0;
  for (const auto &group : samples) {
    responses.push_back(responseText(environment, group[0]));
    tokens += static_cast<double>(group[0].tokens.size());
  }
  NIBBLE_ASSIGN(auto outcomes,
                scoreResponses(environment, problems, responses));
  Evaluation evaluation;
  evaluation.problems = wanted;
  for (const RewardOutcome &outcome : outcomes) {
    reward += outcome.isFailed ? 0.0 : outcome.reward;
    if (outcome.isFailed && evaluation.failed++ == 0)
      evaluation.rewardProblem = outcome.problem;
  }
  double count = static_cast<double>(problems.size());
  evaluation.reward = reward / count;
  evaluation.length = tokens / count;
  return evaluation;
}

} // namespace nibble
