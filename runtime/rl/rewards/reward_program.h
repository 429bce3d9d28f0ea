// Rewards from a program of the user's: one JSON object a line in, one a line
// out.
//
//   {"id": 7, "prompt": "...", "response": "...", "reference": "..."}   ->
//   {"id": 7, "reward": 0.5}
//
// A reward is a finite number, or true or false, which count 1 and 0. A program
// that crashes, hangs, answers nonsense or floods us costs the sample it was
// asked about, never the run; it is killed and started anew for the next one.
// What it last wrote to stderr stands in the message.
#pragma once

#include "runtime/rl/rewards/child_process.h"
#include "runtime/rl/rewards/reward.h"

#include <atomic>
#include <memory>
#include <optional>

namespace nibble {

struct RewardProgramOptions {
  // The program and its arguments; no shell looks at them.
  std::vector<std::string> command;
  // Copies that run side by side (1 .. 256); each is asked one thing at a time.
  int workers = 1;
  // From request to answer.
  std::chrono::milliseconds timeLimit{10000};
  ChildLimits limits;
};

class RewardProgram final : public RewardFunction {
public:
  // Starts the first worker, so that a command that cannot be started is a
  // usage error now.
  static Result<std::unique_ptr<RewardProgram>>
  create(const RewardProgramOptions &options);

  // Never fails as a whole. Text that is not UTF-8 arrives with U+FFFD where it
  // is not.
  Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) override;

  // Programs started so far, the first ones included.
  int64_t starts() const { return starts_; }

private:
  explicit RewardProgram(RewardProgramOptions options);
  RewardOutcome ask(std::optional<ChildProcess> &worker, uint64_t id,
                    const RewardRequest &request);
  Result<double> exchange(std::optional<ChildProcess> &worker, uint64_t id,
                          const RewardRequest &request);

  RewardProgramOptions options_;
  std::vector<std::optional<ChildProcess>> workers_;
  uint64_t nextId_ = 0;
  std::atomic<int64_t> starts_ = 0;
};

} // namespace nibble
