// The report of one or several runs: one self-contained HTML file for any
// browser.
#pragma once

#include "runtime/core/status.h"
#include "runtime/report/metrics.h"

#include <filesystem>
#include <span>
#include <string>

namespace nibble {

// The page as text. Charts overlay the runs: reward, mismatch between training
// and rollout, responses, optimization, time and memory. A table summarizes
// them. Measurements that a run lacks are left out. The same runs give the same
// bytes.
std::string renderReport(std::span<const RunSeries> runs);

// Writes the page, whole or not at all. Usage error when there is no run.
Status writeReport(std::span<const RunSeries> runs,
                   const std::filesystem::path &path);

} // namespace nibble
