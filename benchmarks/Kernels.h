// The cases of nibble-bench: kernels that are compiled like programs, each with
// its amount of work.
#pragma once

#include "benchmarks/Figure.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nibble::benchmarks {

// One figure.
struct Case {
  std::string name;
  std::string unit;
  Limit limit; // the limit to compare with
  // Work of one call, in units of the figure (operations, bytes, weights).
  double work;
  double goal; // ratio to the limit; without a limit, units per second and core
  std::function<Status()> call;
};

// The linears, their gradients and quantization for an [N, K] as in a model.
// `plan` must outlive the cases.
Result<std::vector<Case>> kernelCases(const Plan &plan);

} // namespace nibble::benchmarks
