// Computes a step's learning rate and bias corrections with the same bits on
// every machine.
#include "runtime/train/schedule.h"

#include <algorithm>

namespace nibble {

namespace {

// cos(pi x) for x in 0..1, computed as sin(pi/2 - pi x) by its Taylor series,
// within 1e-15. libm is not used, because its last bit differs between
// versions.
double cosineOfPi(double x) {
  constexpr double kPi = 0x1.921fb54442d18p1;
  double y = kPi * (0.5 - x);
  double square = y * y;
  double term = y;
  double sum = y;
  for (int i = 1; i <= 12; ++i) {
    term *= -square / static_cast<double>((2 * i) * (2 * i + 1));
    sum += term;
  }
  return sum;
}

} // namespace

double learningRateAt(const OptimizerOptions &options, int64_t step) {
  if (step < options.warmupSteps)
    return options.learningRate * static_cast<double>(step + 1) /
           static_cast<double>(options.warmupSteps);
  if (options.decay == Decay::kConstant)
    return options.learningRate;
  int64_t length =
      std::max<int64_t>(options.totalSteps - options.warmupSteps, 1);
  double done = std::min(1.0, static_cast<double>(step - options.warmupSteps) /
                                  static_cast<double>(length));
  double left = options.decay == Decay::kLinear
                    ? 1.0 - done
                    : 0.5 * (1.0 + cosineOfPi(done));
  return options.learningRate *
         (options.finalFraction + (1.0 - options.finalFraction) * left);
}

double integerPower(double base, int64_t exponent) {
  double result = 1.0;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1)
      result *= base;
  return result;
}

std::array<float, 8> hyperOf(const OptimizerOptions &options, int64_t step,
                             double clipScale) {
  return {static_cast<float>(learningRateAt(options, step)),
          static_cast<float>(options.beta1),
          static_cast<float>(options.beta2),
          static_cast<float>(options.epsilon),
          static_cast<float>(options.weightDecay),
          static_cast<float>(clipScale),
          static_cast<float>(1.0 - integerPower(options.beta1, step + 1)),
          static_cast<float>(1.0 - integerPower(options.beta2, step + 1))};
}

} // namespace nibble
