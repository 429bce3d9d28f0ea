// A measured figure and the limit that it stands beside.
#pragma once

#include "runtime/core/status.h"

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

double secondsNow();

// Two calls to warm up, then `repetitions` that are measured.
Result<Seconds> timeCalls(int repetitions, const std::function<Status()> &call);

// {"name", "unit", "measured", "best"} of `work` units a call.
nlohmann::ordered_json figure(const std::string &name, const std::string &unit, double work, Seconds seconds);

// What whole models do: tokens a second of a rollout, the step of a training, the time that compiling takes. Only
// figures whose name matches the regular expression `filter`.
Result<std::vector<nlohmann::ordered_json>> rolloutFigures(const std::string &filter, int threads, int repetitions,
                                                           const Limits &limits);
Result<std::vector<nlohmann::ordered_json>> trainingFigures(const std::string &filter, int threads, int repetitions,
                                                            const Limits &limits);
Result<std::vector<nlohmann::ordered_json>> compileFigures(const std::string &filter, int repetitions);

} // namespace nibble::benchmarks
