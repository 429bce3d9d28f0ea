// The configuration of a run: one TOML file in which every key is known and
// every value is in range.
//
// config_fields.h defines the keys, their ranges and their one-line meanings.
// The reader, the canonical text and the documented list of keys all come from
// it.
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
  std::string path; // folder of the checkpoint
  std::string dtype = "bfloat16";
  int64_t contextLength = 0; // 0: the model's own
};

struct QuantizeConfig {
  // Names from numerics::schemeNames(). docs/recipes.md compares the pairs.
  std::string train = "int4";
  std::string rollout = "int4";
  int64_t groupSize = 32;
  std::string convention = "nibble";
  // Patterns for names of weights, see lib/Names/selection.h.
  std::vector<std::string> include, exclude;
  bool defaultExclude = true;
  bool strict = false;
};

// How messages spell the patterns.
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
  // Name of a built-in objective, or path of an MLIR file.
  std::string objective = "grpo";
  std::vector<std::string> objectiveOptions = {};
  // The values that were set for options of built-in objectives, by key
  // (lib/Objectives/Objectives.h).
  std::map<std::string, double> optionValues = {};
  double untilReward = 0; // 0: all steps

  // The value of an option that some objective declares. It is the set value,
  // else the objective's default, else the default of the first objective that
  // has the option.
  double option(std::string_view key) const;
  // Whether the loss keeps the model near its initial weights.
  bool usesReference() const { return option("kl_coefficient") > 0; }
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
  std::string answerField = "answer"; // for jsonl
};

struct RewardConfig {
  std::vector<std::string> command; // when empty, the task rewards itself
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
  std::string target = "host"; // where programs run: host, cuda or simt
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

// Reads a configuration. Usage error naming file, line and key for a syntax
// error, a wrong type or a value out of range. An unknown key is a usage error
// too, with the known keys. Each override is "section.key=value" in TOML's
// spelling and is applied after the file.
Result<Config> loadConfig(const std::string &path,
                          std::span<const std::string> overrides = {});
// Parses a text. `where` stands in messages.
Result<Config> parseConfig(std::string_view text, const std::string &where,
                           std::span<const std::string> overrides = {});

// Usage error naming the key when a run of this configuration cannot learn
// anything, whatever the rewards are. `supervised` selects the loop.
Status checkCanLearn(const Config &config, bool supervised);

// Every value, by section and key. Options of other objectives than the run's
// own have their defaults.
Json toJson(const Config &config);
// Whether an objective is the path of an MLIR file, not the name of a built-in
// one.
bool isObjectiveFile(const std::string &objective);

// The options of config.rl.objective under their names in lib/Objectives. For
// an objective in a file, only those of objective_options.
std::map<std::string, double> objectiveConstants(const RLConfig &config);

struct ConfigKey {
  std::string section, key, type, defaultValue, meaning;
};
// All keys, in the order of the sections.
std::vector<ConfigKey> configKeys();

} // namespace nibble
