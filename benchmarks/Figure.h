// A measured figure and the limit that it stands beside.
#pragma once

#include "lib/Driver/Session.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace nibble::benchmarks {

// What this machine reaches with the threads of the run: float32 operations
// and bytes read, both a second.
struct Limits {
  double fma = 0, read = 0;
};

// How long one call takes: the median of the repetitions, which counts, and the
// best, which says how much the machine was shared.
struct Seconds {
  double median = 0, best = 0;
};

// What to measure, and how.
struct Plan {
  std::string filter = "."; // regular expression on the names of figures
  int threads = 1;
  int repetitions =
      5;            // measurements of each figure, of which the median counts
  HostOptions host; // what the code is compiled for, and whether its kernels
                    // are timed one by one

  bool wants(const std::string &name) const;
  // The kernels timed since the last call, on standard error under `name`;
  // nothing when they are not timed.
  void printProfile(const std::string &name) const;
};

double secondsNow();

// Two calls to warm up, then `repetitions` that are measured.
Result<Seconds> timeCalls(int repetitions, const std::function<Status()> &call);

enum class Limit { kNone, kFma, kRead };

// A figure on its way into the report. `peak` stands beside it as soon as the
// limits are known: `share` times one of them.
struct Figure {
  nlohmann::ordered_json line; // has "measured"
  Limit limit = Limit::kNone;
  double share = 1;
  double goal = 0; // ratio to the peak; 0: none is set

  // {"name", "unit", "threads", "measured", "best"} of `work` units a call.
  static Figure of(const Plan &plan, const std::string &name,
                   const std::string &unit, double work, Seconds seconds);
  // The line with "peak", "ratio", "goal" and "reached".
  nlohmann::ordered_json beside(const Limits &limits) const;
};

// What whole models do: tokens a second of a rollout, the step of a training,
// the time that compiling takes.
Result<std::vector<Figure>> rolloutFigures(const Plan &plan);
Result<std::vector<Figure>> trainingFigures(const Plan &plan);
Result<std::vector<Figure>> compileFigures(const Plan &plan);

} // namespace nibble::benchmarks
