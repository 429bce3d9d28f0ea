// Writes the report page with the series of its runs.
#include "runtime/report/report.h"

#include "runtime/core/file.h"
#include "runtime/report/page.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <set>

namespace nibble {
namespace {

// Keys keep their order of insertion, so the page lists runs and columns as
// given.
using Json = nlohmann::ordered_json;

// {"name": ..., "columns": {"step": [...], "<key>": [number or null, ...]}}
Json columnsOf(const RunSeries &run) {
  std::set<std::string> keys;
  for (const StepMetrics &step : run.steps)
    for (const auto &[key, value] : step.values)
      keys.insert(key);
  Json columns = Json::object();
  columns["step"] = Json::array();
  for (const StepMetrics &step : run.steps)
    columns["step"].push_back(step.step);
  for (const std::string &key : keys) {
    Json &column = columns[key] = Json::array();
    for (const StepMetrics &step : run.steps) {
      auto it = step.values.find(key);
      bool isNumber = it != step.values.end() && std::isfinite(it->second);
      column.push_back(isNumber ? Json(it->second) : Json());
    }
  }
  return {{"name", run.name}, {"columns", std::move(columns)}};
}

std::string dataOf(std::span<const RunSeries> runs) {
  Json data = {{"runs", Json::array()}};
  for (const RunSeries &run : runs)
    data["runs"].push_back(columnsOf(run));
  std::string text = data.dump(-1, ' ', false, Json::error_handler_t::replace);
  // '<' occurs in strings only. Escaping it keeps a run's name from ending the
  // script element that holds the data.
  std::string escaped;
  for (char c : text)
    c == '<' ? escaped += "\\u003c" : escaped += c;
  return escaped;
}

} // namespace

std::string renderReport(std::span<const RunSeries> runs) {
  std::string page;
  std::string_view frame = page::kFrame;
  // The frame marks its parts as {{style}}, {{data}} and {{script}}.
  while (!frame.empty()) {
    size_t begin = frame.find("{{"), end = frame.find("}}");
    page += frame.substr(0, begin);
    if (begin == std::string_view::npos)
      break;
    std::string_view part = frame.substr(begin + 2, end - begin - 2);
    page += part == "style"    ? std::string(page::kStyle)
            : part == "script" ? std::string(page::kScript)
                               : dataOf(runs);
    frame.remove_prefix(end + 2);
  }
  return page;
}

Status writeReport(std::span<const RunSeries> runs,
                   const std::filesystem::path &path) {
  if (runs.empty())
    return Status::usage("cannot write a report: no run is given; give one");
  return writeFileAtomically(path, renderReport(runs));
}

} // namespace nibble
