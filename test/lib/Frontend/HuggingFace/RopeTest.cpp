// Against the numbers of transformers 5.23 (modeling_rope_utils), equal but for the last bit of float32.
#include "lib/Frontend/HuggingFace/Rope.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace nibble::huggingface;

static void expectFrequencies(const RopeConfig &config, const std::vector<float> &expected, float attentionFactor) {
  RopeFrequencies rope = ropeFrequencies(config, 2 * static_cast<int64_t>(expected.size()));
  ASSERT_EQ(rope.inverse.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(rope.inverse[i], expected[i], 1.3e-7f * expected[i]) << "frequency " << i;
  EXPECT_NEAR(rope.attentionFactor, attentionFactor, 1.3e-7f * attentionFactor);
}

TEST(Rope, Default) {
  expectFrequencies({.theta = 1e6},
                    {0x1.000000p+0f, 0x1.6c310ep-3f, 0x1.030dc6p-5f, 0x1.708938p-8f, 0x1.0624dep-10f, 0x1.74eea6p-13f, 0x1.094564p-15f,
                     0x1.796182p-18f},
                    1.0f);
}

TEST(Rope, Linear) {
  expectFrequencies({.type = RopeType::kLinear, .theta = 1e4, .factor = 4.0},
                    {0x1.000000p-2f, 0x1.99999ap-6f, 0x1.47ae14p-9f, 0x1.0624dep-12f}, 1.0f);
}

TEST(Rope, Llama3) {
  expectFrequencies({.type = RopeType::kLlama3,
                     .theta = 5e5,
                     .factor = 8.0,
                     .lowFreqFactor = 1.0,
                     .highFreqFactor = 4.0,
                     .originalMaxPositions = 8192},
                    {0x1.000000p+0f,  0x1.c2ef78p-2f,  0x1.8d2760p-3f,  0x1.5dc95ap-4f,  0x1.341190p-5f,  0x1.0f5386p-6f,
                     0x1.ddee9ep-8f,  0x1.a4ee40p-9f,  0x1.132ba4p-11f, 0x1.46831ap-14f, 0x1.1f91f0p-15f, 0x1.fa8b86p-17f,
                     0x1.be2188p-18f, 0x1.88ec20p-19f, 0x1.5a0f4ep-20f, 0x1.30c94ep-21f},
                    1.0f);
}

TEST(Rope, Yarn) {
  expectFrequencies({.type = RopeType::kYarn, .theta = 1e6, .factor = 4.0, .originalMaxPositions = 32768},
                    {0x1.000000p+0f,  0x1.afd136p-2f,  0x1.6c310ep-3f,  0x1.33281ap-4f,  0x1.030dc6p-5f,  0x1.b4f7e4p-7f,
                     0x1.394170p-8f,  0x1.b32624p-10f, 0x1.205bc0p-11f, 0x1.61bea0p-13f, 0x1.74eea6p-15f, 0x1.3a8748p-16f,
                     0x1.094564p-17f, 0x1.bf749ep-19f, 0x1.796182p-20f, 0x1.3e47c8p-21f},
                    1.138629436111989f);
}

TEST(Rope, YarnWithMscale) {
  expectFrequencies({.type = RopeType::kYarn, .theta = 5e4, .factor = 32.0, .originalMaxPositions = 4096, .mscale = 1.0, .mscaleAllDim = 0.5},
                    {0x1.000000p+0f, 0x1.08ce7ap-2f, 0x1.11ea82p-4f, 0x1.7fb026p-7f, 0x1.9f347cp-10f, 0x1.2f2b10p-15f, 0x1.3998eep-17f,
                     0x1.4462a2p-19f},
                    1.1476934674947155f);
}

TEST(Rope, YarnNotTruncatedWithItsOwnBetasAndFactor) {
  expectFrequencies({.type = RopeType::kYarn,
                     .theta = 5e4,
                     .factor = 32.0,
                     .originalMaxPositions = 4096,
                     .betaFast = 16.0,
                     .betaSlow = 2.0,
                     .truncate = false,
                     .attentionFactor = 1.25},
                    {0x1.000000p+0f, 0x1.08ce7ap-2f, 0x1.11ea82p-4f, 0x1.da3f64p-7f, 0x1.e4ea48p-11f, 0x1.2f2b10p-15f, 0x1.3998eep-17f,
                     0x1.4462a2p-19f},
                    1.25f);
}
