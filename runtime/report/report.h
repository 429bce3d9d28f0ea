// The report of one or several runs: one HTML file that needs nothing else, to
// look at with any browser.
#pragma once

#include "runtime/core/status.h"
#include "runtime/report/metrics.h"

#include <filesystem>
#include <span>
#include <string>

namespace nibble {

// The page as text: the runs laid over each other in charts of reward, mismatch
// between training and rollout, responses, optimization, time and memory, with
// a summary table. The same bytes for the same runs. What a run did not measure
// is left out.
std::string renderReport(std::span<const RunSeries> runs);

// Writes it, whole or not at all. Usage error when there is no run.
Status writeReport(std::span<const RunSeries> runs,
                   const std::filesystem::path &path);

} // namespace nibble
