#include "runtime/rl/environment.h"

#include <fmt/format.h>

#include <cmath>

namespace nibble {

Result<std::vector<RewardOutcome>> scoreResponses(const Environment &environment, std::span<const Problem> problems,
                                                  std::span<const std::string> responses) {
  std::vector<RewardOutcome> outcomes;
  if (environment.reward) {
    std::vector<RewardRequest> requests;
    for (size_t i = 0; i < problems.size(); ++i)
      requests.push_back({problems[i].prompt, responses[i], problems[i].reference});
    NIBBLE_ASSIGN(outcomes, environment.reward->score(requests));
  } else {
    for (size_t i = 0; i < problems.size(); ++i)
      outcomes.push_back({environment.task->reward(problems[i], responses[i]), false, {}});
  }
  if (outcomes.size() != problems.size())
    return Status::failed(fmt::format("reward: {} answers to {} questions", outcomes.size(), problems.size()));
  for (RewardOutcome &outcome : outcomes)
    if (!outcome.isFailed && !std::isfinite(outcome.reward)) // never into an advantage
      outcome = {0, true, "the reward is not finite"};
  return outcomes;
}

} // namespace nibble
