// Shows the progress of a run: one line that is redrawn on a terminal, plain
// lines elsewhere.
//
//   train  128/400  32%  reward 0.41  3.1 s/step  left 14 min
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace nibble {

// Formats a duration: "0.25 s", "59 s", "14 min", "2 h 05 min", "3 d 4 h".
std::string formatDuration(double seconds);

class Progress {
public:
  using Clock = std::chrono::steady_clock;
  // The output, its kind and its clock. The default is the process's stderr.
  struct Output {
    std::function<void(std::string_view)> write;
    bool isTerminal = false;
    int columns = 80;
    std::function<Clock::time_point()> now;
  };
  static Output standardError();

  // `label` comes first. In a continued run, `first` of `total` steps are done
  // already. Plain lines appear at most once per `interval`, except for the
  // first and the last step.
  Progress(std::string label, int64_t first, int64_t total,
           Output output = standardError(),
           std::chrono::seconds interval = std::chrono::seconds(10));
  // Ends a line that is being redrawn.
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  // Reports that `done` steps are done; `detail` describes the last one. `done`
  // must ascend.
  void update(int64_t done, std::string_view detail = {});
  // Prints a line of its own that stays and does not collide with the redrawn
  // one.
  void say(std::string_view line);

private:
  std::string line(std::string_view detail) const;
  void draw(const std::string &text);

  std::string label_;
  int64_t done_, total_;
  Output output_;
  std::chrono::seconds interval_;
  Clock::time_point last_, shown_;
  // Smoothed over about ten steps; negative before the first.
  double secondsPerStep_ = -1;
  bool isLineOpen_ = false;
  bool isFirst_ = true;
  std::string current_;
};

} // namespace nibble
