// Samples groups of responses until a step has enough of them.
#include "runtime/rl/collect.h"

#include "runtime/rl/evaluate.h"
#include "runtime/rl/loop.h"

namespace nibble {

namespace {

// One round: generates and scores `count` groups.
Result<std::vector<Group>>
collectRound(const Config &config, const Environment &environment,
             RolloutEngine &rollout, int64_t step, uint64_t firstSample,
             uint64_t firstProblem, int64_t count, uint64_t weightVersion,
             const std::function<bool()> &stop, Collected &totals) {
  std::vector<Group> groups(count);
  std::vector<Request> requests(count);
  std::vector<Problem> problems;
  StopWatch watch;
  for (int64_t i = 0; i < count; ++i) {
    groups[i].problem = firstProblem + static_cast<uint64_t>(i);
    problems.push_back(
        environment.task->problem(Split::kTrain, groups[i].problem));
    NIBBLE_ASSIGN(groups[i].prompt,
                  environment.codec->encode(problems.back().prompt, true));
    requests[i].prompt = groups[i].prompt;
    requests[i].samples = config.rl.samplesPerPrompt;
    requests[i].sampling = config.rollout.sampling;
    requests[i].sampling.stopTokens = environment.stopTokens;
    requests[i].seed = config.run.seed;
    requests[i].step = static_cast<uint64_t>(step);
    requests[i].firstSample =
        firstSample + static_cast<uint64_t>(i * config.rl.samplesPerPrompt);
  }
  NIBBLE_ASSIGN(auto samples, rollout.generate(requests, weightVersion, stop));
  totals.rolloutSeconds += watch.lap();
  totals.sampledTokens += rollout.statistics().sampledTokens;

  std::vector<Problem> asked;
  std::vector<std::string> responses;
  for (int64_t i = 0; i < count; ++i)
    for (Sample &sample : samples[i]) {
      asked.push_back(problems[i]);
      responses.push_back(responseText(environment, sample));
      groups[i].samples.push_back({std::move(sample), responses.back()});
    }
  NIBBLE_ASSIGN(auto outcomes, scoreResponses(environment, asked, responses));
  size_t next = 0;
  for (Group &group : groups) {
    for (ScoredSample &sample : group.samples) {
      sample.reward = outcomes[next].isFailed ? 0.0 : outcomes[next].reward;
      sample.failed = outcomes[next].isFailed;
      if (sample.failed && totals.rewardProblem.empty())
        totals.rewardProblem = outcomes[next].problem;
      ++next;
    }
    assignAdvantages(group, config.rl.advantage, config.rl.advantageEpsilon,
                     config.rl.negativeWeight);
  }
  totals.rewardSeconds += watch.lap();
  return groups;
}

} // namespace

Result<Collected> collectGroups(const Config &config,
                                const Environment &environment,
                                RolloutEngine &rollout, int64_t step,
                                uint64_t nextProblem, uint64_t weightVersion,
                                const std::function<bool()> &stop) {
  Collected result;
  result.nextProblem = nextProblem;
  while (result.rounds < config.rl.maxSamplingRounds) {
    int64_t missing =
        config.rl.promptsPerStep - static_cast<int64_t>(result.kept.size());
    if (missing <= 0)
      break;
    uint64_t firstSample = (result.nextProblem - nextProblem) *
                           static_cast<uint64_t>(config.rl.samplesPerPrompt);
    NIBBLE_ASSIGN(auto groups,
                  collectRound(config, environment, rollout, step, firstSample,
                               result.nextProblem, missing, weightVersion, stop,
                               result));
    result.nextProblem += static_cast<uint64_t>(missing);
    ++result.rounds;
    for (Group &group : groups)
      (config.rl.filterEqualRewards && isUniform(group) ? result.dropped
                                                        : result.kept)
          .push_back(std::move(group));
  }
  return result;
}

} // namespace nibble
