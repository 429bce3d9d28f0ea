// Rewards from a program of the user. It reads one JSON object per line and
// writes one per line:
//
//   {"id": 7, "prompt": "...", "response": "...", "reference": "..."}
//     -> {"id": 7, "reward": 0.5}
//
// A reward is a finite number, or true or false, which count as 1 and 0. A
// program that crashes, hangs, answers nonsense or floods its output costs one
// sample, never the run. It is killed and restarted for the next sample. The
// message contains its last line on stderr.
#pragma once

#include "runtime/rl/rewards/child_process.h"
#include "runtime/rl/rewards/reward.h"

#include <atomic>
#include <memory>
#include <optional>

namespace nibble {

struct RewardProgramOptions {
  // The program and its arguments, run without a shell.
  std::vector<std::string> command;
  // Number of copies that run in parallel (1 .. 256). Each handles one request
  // at a time.
  int workers = 1;
  // Limit from request to answer.
  std::chrono::milliseconds timeLimit{10000};
  ChildLimits limits;
};

class RewardProgram final : public RewardFunction {
public:
  // Starts the first worker, so that a command that cannot be started is a
  // usage error now.
  static Result<std::unique_ptr<RewardProgram>>
  create(const RewardProgramOptions &options);

  // Never fails as a whole. Invalid UTF-8 in texts is replaced by U+FFFD.
  Result<std::vector<RewardOutcome>>
  score(std::span<const RewardRequest> requests) override;

  // Number of programs started so far, including the first ones.
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
