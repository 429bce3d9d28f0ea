// nibble-bench: compares kernels and whole models with the limits of the
// machine, as JSON.
#include "benchmarks/Figure.h"
#include "benchmarks/Kernels.h"
#include "benchmarks/Peak.h"
#include "lib/Target/Host/Machine.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <omp.h>
#include <thread>

namespace {

using namespace nibble;
using namespace nibble::benchmarks;

// Keeps the times of each case's repetitions.
class Times final : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context &) override { return true; }
  void ReportRuns(const std::vector<Run> &runs) override {
    for (const Run &run : runs) {
      double each = run.real_accumulated_time /
                    static_cast<double>(std::max<int64_t>(run.iterations, 1));
      if (run.run_type == Run::RT_Iteration)
        seconds[run.run_name.function_name].push_back(each);
      if (run.error_occurred)
        failures.push_back(run.run_name.function_name + ": " +
                           run.error_message);
    }
  }
  std::map<std::string, std::vector<double>> seconds;
  std::vector<std::string> failures;
};

Figure describe(const Case &c, std::vector<double> times, const Plan &plan) {
  std::sort(times.begin(), times.end());
  Figure figure = Figure::of(plan, c.name, c.unit, c.work,
                             {times[times.size() / 2], times.front()});
  figure.limit = c.limit;
  figure.goal = c.goal;
  if (c.limit == Limit::kNone) { // the goal is a rate of one core
    double each = figure.line["measured"].get<double>() / plan.threads;
    figure.line["measured_per_core"] = each;
    figure.line["goal_per_core"] = c.goal;
    figure.line["reached"] = each >= c.goal;
  }
  return figure;
}

void registerCase(const Case &c, int repetitions, double seconds) {
  benchmark::RegisterBenchmark(c.name.c_str(),
                               [call = c.call](benchmark::State &state) {
                                 for (auto _ : state)
                                   if (Status status = call(); !status.isOk())
                                     return state.SkipWithError(
                                         status.message().c_str());
                               })
      ->Repetitions(repetitions)
      ->UseRealTime()
      ->MinTime(seconds)
      ->MinWarmUpTime(seconds / 4);
}

} // namespace

int main(int argc, char **argv) {
  CLI::App app("Measures kernels and whole models beside this machine's own "
               "limits; prints JSON with times.");
  Plan plan;
  plan.threads = omp_get_num_procs();
  double seconds = 0.2;
  app.add_option("--filter", plan.filter,
                 "regular expression on the names of cases");
  app.add_option("--threads", plan.threads, "threads");
  app.add_option("--repetitions", plan.repetitions,
                 "measurements of each case, of which the median counts");
  app.add_option("--seconds", seconds, "length of one measurement of a kernel");
  app.add_option(
      "--cpu", plan.host.cpu,
      "CPU to compile for: host, or a name LLVM knows (haswell: AVX2)");
  app.add_flag(
      "--profile", plan.host.profile,
      "list the time of each kernel of whole models on standard error");
  CLI11_PARSE(app, argc, argv);

  omp_set_num_threads(plan.threads);
  bool wide = host::describeCpu(plan.host.cpu).target.vectorFloats == 16;
  // The limits are measured around every figure, and the largest counts. On a
  // shared machine a figure must not be compared with a slow moment.
  Limits limits;
  auto measureLimits = [&] {
    // libomp's threads spin for 200 ms after their last work.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    limits.fma = std::max(limits.fma, fmaPeak(plan.threads, wide));
    limits.read = std::max(limits.read, readBandwidth(plan.threads));
  };
  measureLimits();
  auto cases = kernelCases(plan);
  if (!cases.isOk()) {
    fmt::print(stderr, "nibble-bench: {}\n", cases.status().message());
    return cases.status().exitCode();
  }
  Times times;
  std::vector<Figure> figures;
  auto append = [&](Result<std::vector<Figure>> more) {
    measureLimits();
    if (!more.isOk())
      times.failures.push_back(more.status().message());
    else
      figures.insert(figures.end(), more->begin(), more->end());
  };
  for (const Case &c : *cases) {
    registerCase(c, plan.repetitions, seconds);
    benchmark::RunSpecifiedBenchmarks(&times);
    benchmark::ClearRegisteredBenchmarks();
    if (auto found = times.seconds.find(c.name); found != times.seconds.end())
      append(std::vector{describe(c, found->second, plan)});
  }
  append(rolloutFigures(plan));
  append(trainingFigures(plan));
  append(compileFigures(plan));
  nlohmann::ordered_json report{{"threads", plan.threads},
                                {"fma_peak", limits.fma},
                                {"read_bandwidth", limits.read}};
  for (const Figure &figure : figures)
    report["cases"].push_back(figure.beside(limits));
  fmt::print("{}\n", report.dump(2));
  for (const std::string &failure : times.failures)
    fmt::print(stderr, "nibble-bench: {}\n", failure);
  return times.failures.empty() ? 0 : 1;
}
