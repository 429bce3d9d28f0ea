// The value of a response, determined by a generated task or by a program of
// the user.
#pragma once

#include "runtime/core/status.h"
#include "runtime/rl/tasks/task.h"

#include <span>
#include <string>
#include <vector>

namespace nibble {

struct RewardRequest {
  std::string prompt;
  std::string response;
  std::string reference;
};

struct RewardOutcome {
  double reward = 0;
  // The response has no reward, for the reason in `problem`. The sample takes
  // no part in training.
  bool isFailed = false;
  std::string problem;
};

class RewardFunction {
public:
  virtual ~RewardFunction() = default;
  // Returns one outcome per request, in order.
  virtual Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) = 0;
};

// The rewards of a generated task, which never fail. Keeps a reference to the
// task.
class TaskReward final : public RewardFunction {
public:
  explicit TaskReward(const Task &task) : task_(task) {}

  Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) override {
    std::vector<RewardOutcome> outcomes;
    for (const RewardRequest &request : requests)
      outcomes.push_back(
          {task_.reward({request.prompt, request.reference}, request.response),
           false,
           {}});
    return outcomes;
  }

private:
  const Task &task_;
};

} // namespace nibble
