// A function in text, differentiated by the pass and compared with finite
// differences of the float64 reference.
#pragma once

#include "lib/Reference/FiniteDifference.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace nibble {

struct GradientCase {
  std::string name;
  // A module with @f. Unknown extents are 6 tokens (sequences: 3 numbers, two
  // sequences of 3 and 3).
  std::string text;
  // Arguments to differentiate by, as in wrt=args=; all float arguments when
  // empty; "parameters" for accumulators.
  std::string wrt = "";
  // Float arguments are random in [center - spread, center + spread].
  double center = 0.0;
  double spread = 1.0;
  std::string recompute = "layer";
};

inline void PrintTo(const GradientCase &value, std::ostream *out) {
  *out << value.name;
}

// Differentiates @f, with the gradients of its results as arguments, and
// expects every gradient to agree with finite differences to 1e-7 of its norm.
void checkGradients(const GradientCase &gradientCase);

// The gradients of @f, a scalar function of float64 scalars, at `arguments`, in
// float64. Empty, after a failure of the test, when it cannot be
// differentiated.
std::vector<double> gradientsAt(const std::string &text,
                                const std::vector<double> &arguments);

class GradientTest : public ::testing::TestWithParam<GradientCase> {};

inline std::string
caseName(const ::testing::TestParamInfo<GradientCase> &info) {
  return info.param.name;
}

} // namespace nibble
