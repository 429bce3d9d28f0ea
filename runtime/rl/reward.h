// What a response is worth, whoever says so: a generated task or a program of the user.
#pragma once

#include "runtime/core/status.h"

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
  // No reward could be had, for the reason in `problem`: the sample takes no part in training.
  bool isFailed = false;
  std::string problem;
};

class RewardFunction {
public:
  virtual ~RewardFunction() = default;
  // One outcome per request, in their order.
  virtual Result<std::vector<RewardOutcome>> score(std::span<const RewardRequest> requests) = 0;
};

} // namespace nibble
