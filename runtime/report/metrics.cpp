// Writes and reads the lines of metrics.jsonl and timings.jsonl.
#include "runtime/report/metrics.h"

#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace nibble {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMetricsFile = "metrics.jsonl";
constexpr std::string_view kTimingsFile = "timings.jsonl";
constexpr int64_t kLargestFile = int64_t{4} << 30;

// The keys that matter most to a reader come first.
constexpr std::array<std::string_view, 22> kOrder = {
    "reward_mean",
    "reward_std",
    "heldout_reward",
    "train_rollout_logprob_abs_diff",
    "train_rollout_logprob_mismatches",
    "response_length_mean",
    "truncated_fraction",
    "entropy",
    "gradient_norm",
    "loss",
    "kl",
    "clip_fraction",
    "learning_rate",
    "tokens",
    "weight_version",
    "tokens_per_second",
    "time_rollout",
    "time_reward",
    "time_train",
    "time_update",
    "time_eval",
    "memory_peak_bytes"};

std::string formatNumber(double value) {
  if (!std::isfinite(value))
    return "null";
  // "-0" would be read back as the integer 0.
  if (value == 0 && std::signbit(value))
    return "-0.0";
  // Write counts without an exponent, which is easier to read.
  if (value == std::trunc(value) && std::abs(value) < 0x1p53)
    return std::to_string(static_cast<int64_t>(value));
  char text[32];
  auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

// The lines of one file and the bytes that they take.
struct Lines {
  std::vector<StepMetrics> steps;
  // The offset of each line, and of the end of the last one.
  std::vector<int64_t> offsets = {0};
};

Result<Lines> readLines(const fs::path &path) {
  Lines lines;
  NIBBLE_ASSIGN(std::string content, readFile(path, kLargestFile));
  size_t begin = 0;
  for (size_t end; (end = content.find('\n', begin)) != std::string::npos;
       begin = end + 1) {
    std::string where =
        fmt::format("{}:{}", path.string(), lines.steps.size() + 1);
    NIBBLE_ASSIGN(
        StepMetrics step,
        parseMetrics(std::string_view(content).substr(begin, end - begin),
                     where));
    if (!lines.steps.empty() && step.step <= lines.steps.back().step)
      return Status::badInput(fmt::format(
          "metrics {}: step {} does not come after step {}; the "
          "file was changed by "
          "hand or by a second run; restore the file or begin another run",
          where, step.step, lines.steps.back().step));
    lines.steps.push_back(std::move(step));
    lines.offsets.push_back(static_cast<int64_t>(end + 1));
  }
  return lines;
}

Result<FileWriter> continueFile(const fs::path &path, int64_t firstStep) {
  std::error_code error;
  if (!fs::exists(path, error))
    return FileWriter::create(path);
  NIBBLE_ASSIGN(Lines lines, readLines(path));
  auto kept =
      std::ranges::lower_bound(lines.steps, firstStep, {}, &StepMetrics::step) -
      lines.steps.begin();
  return FileWriter::append(path, lines.offsets[kept]);
}

} // namespace

bool isTiming(std::string_view key) {
  return key.starts_with("time_") || key.starts_with("memory_") ||
         key == "tokens_per_second";
}

std::string formatMetrics(const StepMetrics &metrics) {
  std::string line = fmt::format("{{\"step\":{}", metrics.step);
  auto add = [&](std::string_view key, double value) {
    line += fmt::format(
        ",{}:{}",
        Json(key).dump(-1, ' ', false, Json::error_handler_t::replace),
        formatNumber(value));
  };
  for (std::string_view key : kOrder)
    if (auto it = metrics.values.find(std::string(key));
        it != metrics.values.end())
      add(key, it->second);
  for (const auto &[key, value] : metrics.values)
    if (std::ranges::find(kOrder, key) == kOrder.end())
      add(key, value);
  return line + "}";
}

Result<StepMetrics> parseMetrics(std::string_view line,
                                 const std::string &where) {
  NIBBLE_ASSIGN(Json object, parseJson(line, where));
  if (!object.is_object())
    return Status::badInput(fmt::format(
        "metrics {}: not an object; want lines as a run writes them", where));
  StepMetrics metrics;
  NIBBLE_ASSIGN(metrics.step,
                integerField(object, "step", where, 0,
                             std::numeric_limits<int64_t>::max()));
  for (const auto &[key, value] : object.items()) {
    if (key == "step")
      continue;
    if (!value.is_number() && !value.is_null())
      return Status::badInput(fmt::format(
          "metrics {}: field '{}' is not a number; restore the file", where,
          key));
    metrics.values[key] = value.is_null()
                              ? std::numeric_limits<double>::quiet_NaN()
                              : value.get<double>();
  }
  return metrics;
}

Result<MetricsWriter> MetricsWriter::open(const fs::path &folder,
                                          int64_t firstStep) {
  NIBBLE_TRY(makeFolders(folder));
  NIBBLE_ASSIGN(FileWriter metrics,
                continueFile(folder / kMetricsFile, firstStep));
  NIBBLE_ASSIGN(FileWriter timings,
                continueFile(folder / kTimingsFile, firstStep));
  NIBBLE_TRY(syncFolder(folder));
  return MetricsWriter(std::move(metrics), std::move(timings), firstStep);
}

Status MetricsWriter::write(const StepMetrics &metrics) {
  if (metrics.step < nextStep_)
    return Status::usage(fmt::format("cannot write metrics of step {}: step {} "
                                     "is next; write the steps in order",
                                     metrics.step, nextStep_));
  StepMetrics exact{metrics.step, {}}, timings{metrics.step, {}};
  for (const auto &[key, value] : metrics.values)
    (isTiming(key) ? timings : exact).values.emplace(key, value);
  NIBBLE_TRY(metrics_.write(formatMetrics(exact) + "\n"));
  NIBBLE_TRY(timings_.write(formatMetrics(timings) + "\n"));
  NIBBLE_TRY(metrics_.sync());
  NIBBLE_TRY(timings_.sync());
  nextStep_ = metrics.step + 1;
  return Status::ok();
}

Result<RunSeries> readRun(const fs::path &folder, std::string name) {
  NIBBLE_ASSIGN(Lines metrics, readLines(folder / kMetricsFile));
  RunSeries run{std::move(name), std::move(metrics.steps)};
  std::error_code error;
  if (!fs::exists(folder / kTimingsFile, error))
    return run;
  NIBBLE_ASSIGN(Lines timings, readLines(folder / kTimingsFile));
  for (const StepMetrics &timing : timings.steps) {
    auto it = std::ranges::lower_bound(run.steps, timing.step, {},
                                       &StepMetrics::step);
    if (it != run.steps.end() && it->step == timing.step)
      it->values.insert(timing.values.begin(), timing.values.end());
  }
  return run;
}

} // namespace nibble
