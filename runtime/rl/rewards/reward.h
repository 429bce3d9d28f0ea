// What a response is worth, whoever says so: a generated task or a program of
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
  // No reward could be had, for the reason in `problem`: the sample takes no
  // part in training.
  bool isFailed = false;
  std::string problem;
};

class RewardFunction {
public:
  virtual ~RewardFunction() = default;
  // One outcome per request, in their order.
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
