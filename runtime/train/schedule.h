// The learning rate of a step and the related numbers of the optimizer.
#pragma once

#include "runtime/core/status.h"

#include <array>
#include <cstdint>
#include <string>

namespace nibble {

enum class Decay { kConstant, kLinear, kCosine };

struct OptimizerOptions {
  double learningRate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weightDecay = 0.0;
  // Gradients are scaled down to this norm; 0 disables clipping.
  double clipNorm = 1.0;
  Decay decay = Decay::kConstant;
  // Linear from 0; step 0 has 1/warmupSteps of the rate.
  int64_t warmupSteps = 0;
  int64_t totalSteps = 0; // where a decay reaches finalFraction of the rate
  double finalFraction = 0.0;
};

// Learning rate of step number `step`, from 0.
double learningRateAt(const OptimizerOptions &options, int64_t step);

// base^exponent by squaring. It uses multiplications only, so the bits are the
// same everywhere. exponent >= 0.
double integerPower(double base, int64_t exponent);

// The `hyper` argument of the program's `update`: learning rate, beta1, beta2,
// epsilon, weight decay, clip scale, 1 - beta1^t, 1 - beta2^t with t = step +
// 1.
std::array<float, 8> hyperOf(const OptimizerOptions &options, int64_t step,
                             double clipScale);

} // namespace nibble
