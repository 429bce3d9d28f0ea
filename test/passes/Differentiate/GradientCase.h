// A textual function that the pass differentiates. Its gradients are compared
// with finite differences of the float64 reference.
#pragma once

#include "lib/Reference/FiniteDifference.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace nibble {

struct GradientCase {
  std::string name;
  // A module with @f. Unknown extents are 6 tokens. `sequences` has 3 numbers,
  // for two sequences of 3 tokens each.
  std::string text;
  // Arguments to differentiate by, as in wrt=args=. Empty means all float
  // arguments, "parameters" means accumulators.
  std::string wrt = "";
  // Float arguments are random in [center - spread, center + spread].
  double center = 0.0;
  double spread = 1.0;
  std::string recompute = "layer";
};

inline void PrintTo(const GradientCase &value, std::ostream *out) {
  *out << value.name;
}

// Differentiates @f with the gradients of its results as arguments. Every
// gradient must agree with finite differences to 1e-7 of its norm.
void checkGradients(const GradientCase &gradientCase);

// The gradients of @f at `arguments`, in float64. @f is a scalar function of
// float64 scalars. Empty, after a test failure, when @f cannot be
// differentiated.
std::vector<double> gradientsAt(const std::string &text,
                                const std::vector<double> &arguments);

class GradientTest : public ::testing::TestWithParam<GradientCase> {};

inline std::string
caseName(const ::testing::TestParamInfo<GradientCase> &info) {
  return info.param.name;
}

} // namespace nibble
