// The configuration of a run: one TOML file, every key known, every value in
// range.
//
// The keys, their ranges and their one-line meanings stand in one place,
// config_fields.h; the reader, the canonical text and the list of keys for the
// documentation come from it.
#pragma once

#include "lib/Names/selection.h"
#include "runtime/core/status.h"
#include "runtime/formats/json.h"
#include "runtime/rollout/sampler.h"
#include "runtime/train/schedule.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace nibble {

struct ModelSection {
  std::string path; // checkpoint folder
  std::string dtype = "bfloat16";
  int64_t contextLength = 0; // 0: the model's own
};

struct QuantizeConfig {
  std::string train = "int4",
              rollout = "int4"; // int4, int8, fp8, none: the arms of rl.md
  int64_t groupSize = 32;
  std::string convention = "nibble";
  std::vector<std::string> include,
      exclude; // patterns on names of weights, see lib/Names/selection.h
  bool defaultExclude = true;
  bool strict = false;
};

// How messages spell its patterns.
inline const names::Selection::Spelling kQuantizeSpelling = {
    "quantize.include", "quantize.exclude", "quantize.default_exclude = false"};

struct RolloutConfig {
  SamplingOptions sampling = {};
  int64_t maxTokensPerCall = 512;
  int64_t maxRunning = 64;
  int64_t cacheMegabytes = 1024;
};

struct TrainConfig {
  OptimizerOptions optimizer = {};
  int64_t maxTokens = 2048;
  int64_t maxStepsWithoutUpdate = 10; // 0: no limit
};

enum class Advantage { kGroupStd, kGroupMean };
enum class LossNormalization { kToken, kSequence, kConstant };
enum class Comparison { kAll, kTrained, kNone };

struct RLConfig {
  int64_t steps = 100;
  int64_t promptsPerStep = 16;
  int64_t samplesPerPrompt = 8;
  Advantage advantage = Advantage::kGroupStd;
  double advantageEpsilon = 1e-6;
  double negativeWeight = 1;
  bool filterEqualRewards = true;
  int64_t maxSamplingRounds = 3;
  int64_t updatesPerStep = 1;
  bool maskTruncated = false;
  LossNormalization lossNormalization = LossNormalization::kToken;
  Comparison compare = Comparison::kAll;
  std::string objective = "grpo"; // a built-in one, or the path of an MLIR file
  std::vector<std::string> objectiveOptions = {};
  double clipLow = 0.2;
  double clipHigh = 0.2;
  double dualClip = 0;
  double klCoefficient = 0;
  double entropyCoefficient = 0;
  double untilReward = 0; // 0: all steps
};

struct SftConfig {
  int64_t steps = 100;
  int64_t sequencesPerStep = 32;
  double untilReward = 0; // 0: all steps
};

struct TaskConfig {
  std::string name = "addition";
  int64_t digits = 2;
  int64_t minDigits = 1;
  int64_t count = 4;
  int64_t maximum = 99;
  int64_t heldOutOneIn = 8;
  std::string promptPrefix, promptSuffix;
  std::string path;
  std::string heldOutPath;
  std::string promptField = "prompt";
  std::string answerField = "answer"; // of jsonl
};

struct RewardConfig {
  std::vector<std::string> command; // empty: the task's own reward
  int64_t workers = 1;
  double timeLimitSeconds = 10;
};

struct EvalConfig {
  int64_t every = 10;
  int64_t problems = 128;
  double temperature = 0;
};

struct RunConfig {
  uint64_t seed = 0;
  std::string out;
  int64_t threads = 0;         // 0: as many as the machine has cores
  std::string target = "host"; // where programs run: host, cuda, simt
  int64_t checkpointEvery = 10;
  int64_t keepCheckpoints = 2;
};

struct Config {
  ModelSection model;
  QuantizeConfig quantize;
  RolloutConfig rollout;
  TrainConfig train;
  RLConfig rl;
  SftConfig sft;
  TaskConfig task;
  RewardConfig reward;
  EvalConfig eval;
  RunConfig run;
};

// Usage error naming file, line and key: a syntax error, an unknown key (with
// the known ones), a wrong type, a value out of range. Each override is
// "section.key=value" with the value as TOML spells it, and comes after the
// file.
Result<Config> loadConfig(const std::string &path,
                          std::span<const std::string> overrides = {});
// `where` stands in messages.
Result<Config> parseConfig(std::string_view text, const std::string &where,
                           std::span<const std::string> overrides = {});

// Usage error naming the key when a run of this configuration cannot learn
// anything, whatever the rewards are: `supervised` says which loop it is for.
Status checkCanLearn(const Config &config, bool supervised);

// Every value, by section and key.
Json toJson(const Config &config);
// Whether an objective is the path of an MLIR file rather than the name of a
// built-in one.
bool isObjectiveFile(const std::string &objective);

// The constants of config.rl.objective by the names they have in
// lib/Objectives; of a file only those of objective_options.
std::map<std::string, double> objectiveConstants(const RLConfig &config);

struct ConfigKey {
  std::string section, key, type, defaultValue, meaning;
};
// In the order of the sections.
std::vector<ConfigKey> configKeys();

} // namespace nibble
