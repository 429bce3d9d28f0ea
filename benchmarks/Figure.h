// A measured figure and its limit.
#pragma once

#include "lib/Driver/Session.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace nibble::benchmarks {

// What this machine reaches with the threads of the run: float32 operations per
// second and bytes read per second.
struct Limits {
  double fma = 0, read = 0;
};

// Time of one call over the repetitions. The median counts; the best shows how
// much the machine was shared.
struct Seconds {
  double median = 0, best = 0;
};

// What to measure, and how.
struct Plan {
  std::string filter = "."; // regular expression for the names of figures
  int threads = 1;
  // Number of measurements for each figure, whose median counts.
  int repetitions = 5;
  // The target of the code, and whether kernels are timed one by one.
  HostOptions host;

  bool wants(const std::string &name) const;
  // Prints the kernel times since the last call to standard error under `name`.
  // Does nothing when kernels are not timed.
  void printProfile(const std::string &name) const;
};

double secondsNow();

// Makes two calls to warm up, then measures `repetitions` calls.
Result<Seconds> timeCalls(int repetitions, const std::function<Status()> &call);

enum class Limit { kNone, kFma, kRead };

// A figure before it enters the report. Once the limits are known it gets its
// `peak`: `share` times one of them.
struct Figure {
  nlohmann::ordered_json line; // contains "measured"
  Limit limit = Limit::kNone;
  double share = 1;
  double goal = 0; // ratio to the peak; 0 when there is no goal

  // Makes {"name", "unit", "threads", "measured", "best"} for `work` units per
  // call.
  static Figure of(const Plan &plan, const std::string &name,
                   const std::string &unit, double work, Seconds seconds);
  // The line with "peak", "ratio", "goal" and "reached" added.
  nlohmann::ordered_json beside(const Limits &limits) const;
};

// Figures of whole models: tokens per second of a rollout, the step of a
// training, the time of compilation.
Result<std::vector<Figure>> rolloutFigures(const Plan &plan);
Result<std::vector<Figure>> trainingFigures(const Plan &plan);
Result<std::vector<Figure>> compileFigures(const Plan &plan);

} // namespace nibble::benchmarks
