#include "lib/Frontend/HuggingFace/Rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

using namespace nibble::huggingface;

// Llama 3.1: long wavelengths are stretched by the factor, short ones stay, those between are blended.
static float scaleLlama3(float inverse, const RopeConfig &config) {
  double original = static_cast<double>(config.originalMaxPositions);
  double wavelength = 2.0 * std::numbers::pi / inverse;
  if (wavelength > original / config.lowFreqFactor)
    return static_cast<float>(inverse / config.factor);
  if (wavelength < original / config.highFreqFactor)
    return inverse;
  double smooth = (original / wavelength - config.lowFreqFactor) / (config.highFreqFactor - config.lowFreqFactor);
  return static_cast<float>((1.0 - smooth) * inverse / config.factor + smooth * inverse);
}

// The dimension that turns `rotations` times within the original context.
static double correctionDimension(double rotations, const RopeConfig &config, int64_t headDim) {
  double original = static_cast<double>(config.originalMaxPositions);
  return static_cast<double>(headDim) * std::log(original / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(config.theta));
}

static double magnitudeScale(double factor, double mscale) { return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0; }

static float yarnAttentionFactor(const RopeConfig &config) {
  if (config.attentionFactor)
    return static_cast<float>(*config.attentionFactor);
  // Zero means "not set" for both, as in transformers.
  if (config.mscale.value_or(0.0) != 0.0 && config.mscaleAllDim.value_or(0.0) != 0.0)
    return static_cast<float>(magnitudeScale(config.factor, *config.mscale) / magnitudeScale(config.factor, *config.mscaleAllDim));
  return static_cast<float>(magnitudeScale(config.factor, 1.0));
}

static void scaleYarn(std::vector<float> &inverse, const RopeConfig &config, int64_t headDim) {
  double low = correctionDimension(config.betaFast, config, headDim);
  double high = correctionDimension(config.betaSlow, config, headDim);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(headDim - 1));
  if (low == high)
    high += 0.001; // no division by zero
  // float32, operation by operation as there: a blended frequency keeps only what its ramp has of precision.
  for (size_t i = 0; i < inverse.size(); ++i) {
    float ramp = std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0f, 1.0f);
    float kept = 1.0f - ramp;
    float stretched = static_cast<float>(inverse[i] / config.factor);
    inverse[i] = stretched * (1.0f - kept) + inverse[i] * kept;
  }
}

RopeFrequencies nibble::huggingface::ropeFrequencies(const RopeConfig &config, int64_t headDim) {
  RopeFrequencies result;
  for (int64_t i = 0; i < headDim; i += 2) {
    float exponent = static_cast<float>(i) / static_cast<float>(headDim);
    result.inverse.push_back(1.0f / static_cast<float>(std::pow(config.theta, static_cast<double>(exponent))));
  }
  switch (config.type) {
  case RopeType::kDefault:
    break;
  case RopeType::kLinear:
    for (float &inverse : result.inverse)
      inverse = static_cast<float>(inverse / config.factor);
    break;
  case RopeType::kLlama3:
    for (float &inverse : result.inverse)
      inverse = scaleLlama3(inverse, config);
    break;
  case RopeType::kYarn:
    scaleYarn(result.inverse, config, headDim);
    result.attentionFactor = yarnAttentionFactor(config);
    break;
  }
  return result;
}
