// What a run measured, step by step: one JSON object a line.
//
// `metrics.jsonl` holds what is a function of configuration, seed and data, and
// is the same bytes however often the run was stopped and continued;
// `timings.jsonl` beside it holds what the clock and the machine said
// (isTiming).
#pragma once

#include "runtime/core/file.h"
#include "runtime/core/status.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

struct StepMetrics {
  int64_t step = 0;
  // By key, such as "reward_mean"; a key that was not measured in this step is
  // absent. NaN and infinities become null.
  std::map<std::string, double> values;
};

// Whether a key belongs into timings.jsonl: time_*, memory_* and
// tokens_per_second. Times are in seconds, memory in bytes.
bool isTiming(std::string_view key);

// The line of a step, without newline: "step", then the known keys in their
// order, then others by name. A number that is read back is the same double.
std::string formatMetrics(const StepMetrics &metrics);
// Bad input naming `where` when the line is not such an object.
Result<StepMetrics> parseMetrics(std::string_view line,
                                 const std::string &where);

// Appends to both files of a run's folder.
class MetricsWriter {
public:
  // Creates the files, or continues them: lines of `firstStep` and later, which
  // the run is about to write again, are cut off, and so is a line that a crash
  // left unfinished. Bad input when a kept line is not one of ours.
  static Result<MetricsWriter> open(const std::filesystem::path &folder,
                                    int64_t firstStep);

  // On the disk when it returns. Steps must ascend (usage error).
  Status write(const StepMetrics &metrics);

private:
  MetricsWriter(FileWriter metrics, FileWriter timings, int64_t firstStep)
      : metrics_(std::move(metrics)), timings_(std::move(timings)),
        nextStep_(firstStep) {}
  FileWriter metrics_, timings_;
  int64_t nextStep_;
};

// A run's measurements with a name for the legend.
struct RunSeries {
  std::string name;
  std::vector<StepMetrics> steps;
};

// Both files of a folder, joined by step; the timings may be absent. An
// unfinished last line is left out, so that a run can be looked at while it
// goes on. Bad input naming file and line for anything else.
Result<RunSeries> readRun(const std::filesystem::path &folder,
                          std::string name);

} // namespace nibble
