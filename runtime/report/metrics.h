// The measurements of a run's steps, one JSON object per line.
//
// `metrics.jsonl` holds functions of configuration, seed and data. Its bytes
// are the same however often the run was stopped and continued. `timings.jsonl`
// next to it holds what depends on the clock and the machine (isTiming).
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
  // Values by key, such as "reward_mean". A key that this step did not measure
  // is absent. NaN and infinities become null.
  std::map<std::string, double> values;
};

// Whether a key belongs in timings.jsonl: time_*, memory_* and
// tokens_per_second. Times are in seconds, memory in bytes.
bool isTiming(std::string_view key);

// Formats a step as a line without newline: "step", then the known keys in
// fixed order, then others by name. Reading a number back gives the same
// double.
std::string formatMetrics(const StepMetrics &metrics);
// Parses a line. Bad input naming `where` when it is not such an object.
Result<StepMetrics> parseMetrics(std::string_view line,
                                 const std::string &where);

// Appends to both files of a run's folder.
class MetricsWriter {
public:
  // Creates the files, or continues them. Lines of `firstStep` and later are
  // cut off, since the run is about to write them again. A line that a crash
  // left unfinished is cut off too. Bad input when a remaining line does not
  // have our format.
  static Result<MetricsWriter> open(const std::filesystem::path &folder,
                                    int64_t firstStep);

  // Writes a step; the line is on disk when it returns. Steps must ascend
  // (usage error).
  Status write(const StepMetrics &metrics);

private:
  MetricsWriter(FileWriter metrics, FileWriter timings, int64_t firstStep)
      : metrics_(std::move(metrics)), timings_(std::move(timings)),
        nextStep_(firstStep) {}
  FileWriter metrics_, timings_;
  int64_t nextStep_;
};

// A run's measurements and its name for the legend.
struct RunSeries {
  std::string name;
  std::vector<StepMetrics> steps;
};

// Reads both files of a folder and joins them by step; timings may be absent.
// An unfinished last line is ignored, so that a running run can be viewed. Bad
// input naming file and line for any other defect.
Result<RunSeries> readRun(const std::filesystem::path &folder,
                          std::string name);

} // namespace nibble
