// Reads the rope fields of a configuration and computes its frequencies.
#include "runtime/formats/model/rope.h"

#include "runtime/formats/io.h"
#include "runtime/formats/model/config_keys.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace nibble {

namespace {

// The factor by which attention grows with the stretch of positions. `weight`
// is mscale or mscale_all_dim.
double yarnMagnitude(double factor, double weight) {
  return factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(factor) + 1.0;
}

// A required number that is at least `least`. The upper bound keeps all
// formulas finite.
Result<double> positiveField(const Json &object, const char *key,
                             const std::string &where, double fallback,
                             double least) {
  NIBBLE_ASSIGN(double value, numberFieldOr(object, key, where, fallback));
  if (!(value >= least && value <= 1e12))
    return Status::badInput(fmt::format(
        "{}: field \"{}\" is {}, not a number from {} to 1e12; correct the "
        "file",
        where, key,
        findField(object, key) ? fmt::format("{}", value) : "missing", least));
  return value;
}

constexpr double kSmallest = 1e-6;
constexpr double kMissing = -1.0; // below every bound

constexpr const char *kOriginal = "original_max_position_embeddings";

// The fields that each type takes, and other fields that a rope may have.
constexpr std::array kOfEveryType = {"rope_type", "type", "rope_theta",
                                     "partial_rotary_factor"};
constexpr std::array kOfLinear = {"factor"};
constexpr std::array kOfLlama3 = {"factor", kOriginal, "low_freq_factor",
                                  "high_freq_factor"};
constexpr std::array kOfYarn = {
    "factor",    kOriginal, "attention_factor", "beta_fast",
    "beta_slow", "mscale",  "mscale_all_dim",   "truncate"};

std::span<const char *const> fieldsOf(const std::string &type) {
  if (type == "linear")
    return kOfLinear;
  if (type == "llama3")
    return kOfLlama3;
  return type == "yarn" ? std::span<const char *const>(kOfYarn)
                        : std::span<const char *const>();
}

// Checks that every field has a meaning for `type`. An empty type stands for
// none. A field that only some types have is then refused, since nothing says
// what it does.
Status checkFields(const Json &fields, const std::string &type,
                   const std::string &file, const std::string &path,
                   std::vector<std::string> &warnings) {
  std::vector<const char *> known(kOfEveryType.begin(), kOfEveryType.end());
  for (const char *other : {"linear", "llama3", "yarn"})
    known.insert(known.end(), fieldsOf(other).begin(), fieldsOf(other).end());
  NIBBLE_TRY(checkUnknownKeys(fields, known, file, path, warnings));
  auto has = [](std::span<const char *const> list, const std::string &key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  for (const auto &[key, value] : fields.items()) {
    if (value.is_null() || has(kOfEveryType, key) || has(fieldsOf(type), key) ||
        !has(known, key))
      continue;
    if (type.empty())
      return Status::badInput(
          fmt::format("{}: field \"{}\" is there but no rope_type, which says "
                      "what it does; add "
                      "\"rope_type\": default, linear, llama3 or yarn",
                      file, keyPath(path, key)));
    warnings.push_back(
        fmt::format("{}: field \"{}\" has no effect with rope_type \"{}\"; "
                    "remove it to silence this",
                    file, keyPath(path, key), type));
  }
  return Status::ok();
}

} // namespace

Result<Rope> readRope(const Json &config, const std::string &where,
                      double defaultTheta, int64_t maxPositions,
                      std::vector<std::string> &warnings) {
  Rope rope;
  const Json *parameters = findField(config, "rope_parameters");
  const Json *scaling = findField(config, "rope_scaling");
  if (parameters && scaling && *parameters != *scaling)
    return Status::badInput(fmt::format("{}: rope_parameters and rope_scaling "
                                        "are both there and differ; remove one",
                                        where));
  const Json &fields = parameters ? *parameters
                       : scaling  ? *scaling
                                  : Json::object();
  const std::string path = parameters ? "rope_parameters" : "rope_scaling";
  const std::string here = where + (parameters || scaling ? ": " + path : "");
  if (!fields.is_object())
    return Status::badInput(here + ": not an object; correct the file");
  for (const auto &[key, value] : fields.items())
    if (value.is_object())
      return Status::badInput(
          fmt::format("{}: \"{}\" has its own rope; models with one rope for "
                      "all layers are supported",
                      here, printable(key)));

  const Json &thetaHolder = findField(fields, "rope_theta") ? fields : config;
  NIBBLE_ASSIGN(rope.theta, positiveField(thetaHolder, "rope_theta", where,
                                          defaultTheta, 1.0 + kSmallest));
  if (findField(fields, "rope_theta") && findField(config, "rope_theta") &&
      *findField(fields, "rope_theta") != *findField(config, "rope_theta"))
    return Status::badInput(fmt::format(
        "{}: rope_theta is there twice and differs; remove one", where));

  NIBBLE_ASSIGN(std::string older, stringFieldOr(fields, "type", here, ""));
  NIBBLE_ASSIGN(std::string type,
                stringFieldOr(fields, "rope_type", here, older));
  if (!older.empty() && type != older)
    return Status::badInput(
        fmt::format("{}: rope_type is \"{}\" and type is \"{}\"; remove one",
                    here, printable(type), printable(older)));
  if (!type.empty() && type != "default" && type != "linear" &&
      type != "llama3" && type != "yarn")
    return Status::badInput(
        fmt::format("{}: rope_type \"{}\" is not supported; default, linear, "
                    "llama3 and yarn are",
                    here, printable(type)));
  NIBBLE_TRY(checkFields(fields, type, where, path, warnings));
  if (type.empty() || type == "default")
    return rope;
  NIBBLE_ASSIGN(rope.factor,
                positiveField(fields, "factor", here, kMissing, kSmallest));
  if (rope.factor < 1.0)
    warnings.push_back(fmt::format("{}: factor is {}, below 1, which shortens "
                                   "the context; is it the inverse?",
                                   here, rope.factor));
  if (type == "linear") {
    rope.type = RopeType::kLinear;
    return rope;
  }
  // This field wins over the rope's own fields, as in transformers.
  const Json &originalHolder = findField(config, kOriginal) ? config : fields;
  bool isYarn = type == "yarn";
  NIBBLE_ASSIGN(
      rope.originalMaxPositions,
      positiveField(originalHolder, kOriginal, here,
                    isYarn ? static_cast<double>(maxPositions) : kMissing,
                    1.0));
  if (!findField(originalHolder, kOriginal))
    warnings.push_back(
        fmt::format("{}: field \"{}\" is missing and max_position_embeddings = "
                    "{} is taken; add it",
                    here, kOriginal, maxPositions));
  if (!isYarn) {
    rope.type = RopeType::kLlama3;
    NIBBLE_ASSIGN(
        rope.lowFrequencyFactor,
        positiveField(fields, "low_freq_factor", here, kMissing, kSmallest));
    NIBBLE_ASSIGN(
        rope.highFrequencyFactor,
        positiveField(fields, "high_freq_factor", here, kMissing, kSmallest));
    if (rope.highFrequencyFactor <= rope.lowFrequencyFactor)
      return Status::badInput(fmt::format(
          "{}: high_freq_factor is not above low_freq_factor; correct the file",
          here));
    return rope;
  }
  rope.type = RopeType::kYarn;
  NIBBLE_ASSIGN(rope.betaFast,
                positiveField(fields, "beta_fast", here, 32.0, kSmallest));
  NIBBLE_ASSIGN(rope.betaSlow,
                positiveField(fields, "beta_slow", here, 1.0, kSmallest));
  if (rope.betaFast <= rope.betaSlow)
    warnings.push_back(fmt::format(
        "{}: beta_fast = {} is not above beta_slow = {}; are they exchanged?",
        here, rope.betaFast, rope.betaSlow));
  NIBBLE_ASSIGN(rope.truncate, boolFieldOr(fields, "truncate", here, true));
  NIBBLE_ASSIGN(double mscale, numberFieldOr(fields, "mscale", here, 0.0));
  NIBBLE_ASSIGN(double mscaleAllDim,
                numberFieldOr(fields, "mscale_all_dim", here, 0.0));
  double natural = mscale != 0.0 && mscaleAllDim != 0.0
                       ? yarnMagnitude(rope.factor, mscale) /
                             yarnMagnitude(rope.factor, mscaleAllDim)
                       : yarnMagnitude(rope.factor, 1.0);
  NIBBLE_ASSIGN(rope.attentionFactor, positiveField(fields, "attention_factor",
                                                    here, natural, kSmallest));
  return rope;
}

static double scaleLlama3(const Rope &rope, double inverse) {
  double wavelength = 2.0 * std::numbers::pi / inverse;
  if (wavelength > rope.originalMaxPositions / rope.lowFrequencyFactor)
    return inverse / rope.factor;
  if (wavelength < rope.originalMaxPositions / rope.highFrequencyFactor)
    return inverse;
  double smooth =
      (rope.originalMaxPositions / wavelength - rope.lowFrequencyFactor) /
      (rope.highFrequencyFactor - rope.lowFrequencyFactor);
  return (1.0 - smooth) * inverse / rope.factor + smooth * inverse;
}

// Dimensions that rotate often keep their frequency. Those that rotate less
// than once have it divided. A ramp joins the two.
static double scaleYarn(const Rope &rope, double inverse, double i,
                        double dim) {
  auto dimensionOf = [&](double turns) {
    return dim *
           std::log(rope.originalMaxPositions /
                    (turns * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(rope.theta));
  };
  double low = dimensionOf(rope.betaFast);
  double high = dimensionOf(rope.betaSlow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high)
    high += 0.001;
  double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
  return inverse / rope.factor * ramp + inverse * (1.0 - ramp);
}

std::vector<float> Rope::inverseFrequencies(int64_t headDim) const {
  std::vector<float> frequencies;
  double dim = static_cast<double>(headDim);
  for (int64_t i = 0; i < headDim / 2; ++i) {
    double inverse = std::pow(theta, -2.0 * static_cast<double>(i) / dim);
    switch (type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
      inverse /= factor;
      break;
    case RopeType::kLlama3:
      inverse = scaleLlama3(*this, inverse);
      break;
    case RopeType::kYarn:
      inverse = scaleYarn(*this, inverse, static_cast<double>(i), dim);
      break;
    }
    frequencies.push_back(static_cast<float>(inverse));
  }
  return frequencies;
}

} // namespace nibble
