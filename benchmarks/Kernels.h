// Kernels compiled as programs are, each with the work it does: the cases of
// nibble-bench.
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
  Limit limit; // what it is measured against
  double
      work; // of one call, in units of the figure (operations, bytes, weights)
  double goal; // ratio to the limit; without one, units a second and core
  std::function<Status()> call;
};

// The linears, their gradients and the grid, of an [N, K] as they are in a
// model. `plan` outlives the cases.
Result<std::vector<Case>> kernelCases(const Plan &plan);

} // namespace nibble::benchmarks
