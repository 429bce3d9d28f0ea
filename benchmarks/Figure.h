// A measured figure and the limit that it stands beside.
#pragma once

#include "lib/Driver/Session.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace nibble::benchmarks {

// Of this machine, with the threads of the run: float32 operations and bytes read a second.
struct Limits {
  double fma = 0, read = 0;
};

// Of one call: the median of the repetitions, which counts, and the best, which says how much the machine was shared.
struct Seconds {
  double median = 0, best = 0;
};

// What to measure, and how.
struct Plan {
  std::string filter = "."; // regular expression on the names of figures
  int threads = 1;
  int repetitions = 5; // measurements of each figure, of which the median counts
  HostOptions host;    // what the code is compiled for, and whether its kernels are timed one by one
  Limits limits;       // of what it is compiled for

  bool wants(const std::string &name) const;
  // The kernels timed since the last call, on standard error under `name`; nothing when they are not timed.
  void printProfile(const std::string &name) const;
};

double secondsNow();

// Two calls to warm up, then `repetitions` that are measured.
Result<Seconds> timeCalls(int repetitions, const std::function<Status()> &call);

// {"name", "unit", "measured", "best"} of `work` units a call.
nlohmann::ordered_json figure(const std::string &name, const std::string &unit, double work, Seconds seconds);

// What whole models do: tokens a second of a rollout, the step of a training, the time that compiling takes.
Result<std::vector<nlohmann::ordered_json>> rolloutFigures(const Plan &plan);
Result<std::vector<nlohmann::ordered_json>> trainingFigures(const Plan &plan);
Result<std::vector<nlohmann::ordered_json>> compileFigures(const Plan &plan);

} // namespace nibble::benchmarks
