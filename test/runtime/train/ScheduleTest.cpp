// Learning rates, powers and bias corrections.
#include "runtime/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nibble;

namespace {

TEST(Schedule, WarmsUpAndDecays) {
  OptimizerOptions options{.learningRate = 2.0,
                           .warmupSteps = 4,
                           .totalSteps = 104,
                           .finalFraction = 0.1};
  EXPECT_EQ(learningRateAt(options, 0), 0.5);
  EXPECT_EQ(learningRateAt(options, 3), 2.0);
  EXPECT_EQ(learningRateAt(options, 1000), 2.0);
  options.decay = Decay::kLinear;
  EXPECT_EQ(learningRateAt(options, 4), 2.0);
  EXPECT_NEAR(learningRateAt(options, 54), 2.0 * 0.55, 1e-14);
  EXPECT_NEAR(learningRateAt(options, 104), 0.2, 1e-15);
  EXPECT_NEAR(learningRateAt(options, 5000), 0.2, 1e-15);
  options.decay = Decay::kCosine;
  for (int step = 4; step <= 104; ++step) {
    double expected =
        2.0 * (0.1 + 0.9 * 0.5 * (1 + std::cos(M_PI * (step - 4) / 100.0)));
    EXPECT_NEAR(learningRateAt(options, step), expected, 1e-14) << step;
  }
}

TEST(Schedule, PowersBySquaring) {
  EXPECT_EQ(integerPower(0.9, 0), 1.0);
  EXPECT_EQ(integerPower(2.0, 31), 2147483648.0);
  EXPECT_NEAR(integerPower(0.999, 1000), std::pow(0.999, 1000), 1e-14);
}

TEST(Schedule, HyperHoldsTheBiasCorrections) {
  auto hyper = hyperOf({.learningRate = 0.5,
                        .beta1 = 0.5,
                        .beta2 = 0.75,
                        .epsilon = 1e-8,
                        .weightDecay = 0.25},
                       1, 0.125);
  EXPECT_EQ(hyper, (std::array<float, 8>{0.5f, 0.5f, 0.75f, 1e-8f, 0.25f,
                                         0.125f, 0.75f, 0.4375f}));
}

} // namespace
