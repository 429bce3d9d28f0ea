// Times calls and prints each figure beside its limit.
#include "benchmarks/Figure.h"

#include "runtime/core/program/profile.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <regex>
#include <vector>

namespace nibble::benchmarks {

bool Plan::wants(const std::string &name) const {
  return std::regex_search(name, std::regex(filter));
}

void Plan::printProfile(const std::string &name) const {
  if (host.profile)
    fmt::print(stderr, "{}\n{}", name, describeProfile(takeProfile()));
}

double secondsNow() {
  return std::chrono::duration<double>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<Seconds> timeCalls(int repetitions,
                          const std::function<Status()> &call) {
  std::vector<double> times;
  for (int run = -2; run < repetitions; ++run) {
    double begin = secondsNow();
    NIBBLE_TRY(call());
    if (run >= 0)
      times.push_back(secondsNow() - begin);
  }
  std::sort(times.begin(), times.end());
  return Seconds{times[times.size() / 2], times.front()};
}

Figure Figure::of(const Plan &plan, const std::string &name,
                  const std::string &unit, double work, Seconds seconds) {
  return Figure{{{"name", name},
                 {"unit", unit},
                 {"threads", plan.threads},
                 {"measured", work / seconds.median},
                 {"best", work / seconds.best}}};
}

nlohmann::ordered_json Figure::beside(const Limits &limits) const {
  nlohmann::ordered_json full = line;
  if (limit == Limit::kNone)
    return full;
  double peak = share * (limit == Limit::kFma ? limits.fma : limits.read);
  double ratio = full["measured"].get<double>() / peak;
  full["limit"] = limit == Limit::kFma ? "fma" : "read";
  full["peak"] = peak;
  full["ratio"] = ratio;
  if (goal > 0) {
    full["goal"] = goal;
    full["reached"] = ratio >= goal;
  }
  return full;
}

} // namespace nibble::benchmarks
