// nibble-bench: kernels and whole models beside the limits of the machine they run on, as JSON.
#include "benchmarks/Figure.h"
#include "benchmarks/Kernels.h"
#include "benchmarks/Peak.h"
#include "lib/Target/Host/Machine.h"

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <omp.h>

namespace {

using namespace nibble;
using namespace nibble::benchmarks;

// Keeps the times of the repetitions of each case.
class Medians final : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context &) override { return true; }
  void ReportRuns(const std::vector<Run> &runs) override {
    for (const Run &run : runs) {
      double each = run.real_accumulated_time / static_cast<double>(std::max<int64_t>(run.iterations, 1));
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name == "median")
        seconds[run.run_name.function_name].median = each;
      if (run.run_type == Run::RT_Iteration) {
        double &best = seconds[run.run_name.function_name].best;
        best = best == 0 ? each : std::min(best, each);
      }
      if (run.error_occurred)
        failures.push_back(run.run_name.function_name + ": " + run.error_message);
    }
  }
  std::map<std::string, Seconds> seconds;
  std::vector<std::string> failures;
};

nlohmann::ordered_json describe(const Case &c, const Seconds &seconds, const Plan &plan) {
  double measured = c.work / seconds.median;
  nlohmann::ordered_json line{{"name", c.name},
                              {"unit", c.unit},
                              {"threads", plan.threads},
                              {"measured", measured},
                              {"best", c.work / seconds.best}};
  if (c.limit == Limit::kDecode) { // the goal is a rate of one core
    line["measured_per_core"] = measured / plan.threads;
    line["goal_per_core"] = c.goal;
    line["reached"] = measured / plan.threads >= c.goal;
    return line;
  }
  double peak = c.limit == Limit::kFma ? plan.limits.fma : plan.limits.read;
  line["peak"] = peak;
  line["ratio"] = measured / peak;
  line["goal"] = c.goal;
  line["reached"] = measured / peak >= c.goal;
  return line;
}

void registerCase(const Case &c, int repetitions, double seconds) {
  benchmark::RegisterBenchmark(c.name.c_str(),
                               [call = c.call](benchmark::State &state) {
                                 for (auto _ : state)
                                   if (Status status = call(); !status.isOk())
                                     return state.SkipWithError(status.message().c_str());
                               })
      ->Repetitions(repetitions)
      ->UseRealTime()
      ->MinTime(seconds)
      ->MinWarmUpTime(seconds / 4);
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Measures kernels and whole models beside this machine's own limits; prints JSON with medians.");
  Plan plan;
  plan.threads = omp_get_num_procs();
  double seconds = 0.2;
  app.add_option("--filter", plan.filter, "regular expression on the names of cases");
  app.add_option("--threads", plan.threads, "threads");
  app.add_option("--repetitions", plan.repetitions, "measurements of each case, of which the median counts");
  app.add_option("--seconds", seconds, "length of one measurement of a kernel");
  app.add_option("--cpu", plan.host.cpu, "CPU to compile for: host, or a name LLVM knows (haswell: AVX2)");
  app.add_flag("--profile", plan.host.profile, "list the time of each kernel of whole models on standard error");
  CLI11_PARSE(app, argc, argv);

  omp_set_num_threads(plan.threads);
  bool wide = host::describeCpu(plan.host.cpu).machine.vectorFloats == 16;
  plan.limits = {fmaPeak(plan.threads, wide), readBandwidth(plan.threads)};
  auto cases = kernelCases(plan);
  if (!cases.isOk()) {
    fmt::print(stderr, "nibble-bench: {}\n", cases.status().message());
    return cases.status().exitCode();
  }
  for (const Case &c : *cases)
    registerCase(c, plan.repetitions, seconds);
  Medians medians;
  benchmark::RunSpecifiedBenchmarks(&medians);

  nlohmann::ordered_json report{
      {"threads", plan.threads}, {"fma_peak", plan.limits.fma}, {"read_bandwidth", plan.limits.read}};
  auto &lines = report["cases"] = nlohmann::ordered_json::array();
  for (const Case &c : *cases)
    for (const auto &[name, time] : medians.seconds)
      if (name == c.name)
        lines.push_back(describe(c, time, plan));
  auto append = [&](Result<std::vector<nlohmann::ordered_json>> figures) {
    if (!figures.isOk())
      medians.failures.push_back(figures.status().message());
    else
      for (auto &line : *figures)
        lines.push_back(std::move(line));
  };
  append(rolloutFigures(plan));
  append(trainingFigures(plan));
  append(compileFigures(plan));
  fmt::print("{}\n", report.dump(2));
  for (const std::string &failure : medians.failures)
    fmt::print(stderr, "nibble-bench: {}\n", failure);
  return medians.failures.empty() ? 0 : 1;
}
