// Reads a run's TOML file and checks its values, each alone and together.
#include "runtime/rl/config/config.h"

#include "runtime/core/file.h"
#include "runtime/rl/config/config_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

namespace nibble {

namespace {

// Fills the configuration from a parsed table and keeps the first error.
class Reader {
public:
  Reader(const toml::table &root, std::string where)
      : root_(root), where_(std::move(where)) {}

  void section(const char *name) {
    finishSection();
    section_ = name;
    keys_.clear();
    sections_.insert(name);
    table_ = nullptr;
    if (const toml::node *node = root_.get(name)) {
      table_ = node->as_table();
      if (!table_)
        fail(*node, name, "must be a section [" + std::string(name) + "]");
    }
  }
  void text(const char *key, std::string &value, const char *) {
    if (const toml::node *node = find(key)) {
      if (auto found = node->value_exact<std::string>())
        value = *found;
      else
        fail(*node, key, "must be a text in quotes");
    }
  }
  void texts(const char *key, std::vector<std::string> &value, const char *) {
    const toml::node *node = find(key);
    if (!node)
      return;
    value.clear();
    const toml::array *array = node->as_array();
    if (!array)
      return fail(*node, key, "must be a list of texts");
    for (const toml::node &element : *array) {
      auto found = element.value_exact<std::string>();
      if (!found)
        return fail(element, key, "must be a list of texts");
      value.push_back(*found);
    }
  }
  void choice(const char *key, std::string &value,
              const std::vector<const char *> &names, const char *) {
    const toml::node *node = find(key);
    if (!node)
      return;
    auto found = node->value_exact<std::string>();
    for (const char *name : names)
      if (found && *found == name) {
        value = name;
        return;
      }
    fail(*node, key, fmt::format("must be one of {}", fmt::join(names, ", ")));
  }
  template <typename Enum>
  void named(const char *key, Enum &value, Names<Enum> names, const char *) {
    const toml::node *node = find(key);
    if (!node)
      return;
    auto found = node->value_exact<std::string>();
    std::vector<const char *> known;
    for (auto &[name, meaning] : names) {
      known.push_back(name);
      if (found && *found == name) {
        value = meaning;
        return;
      }
    }
    fail(*node, key, fmt::format("must be one of {}", fmt::join(known, ", ")));
  }
  void flag(const char *key, bool &value, const char *) {
    if (const toml::node *node = find(key)) {
      if (auto found = node->value_exact<bool>())
        value = *found;
      else
        fail(*node, key, "must be true or false");
    }
  }
  template <typename Integer>
  void integer(const char *key, Integer &value, int64_t least, int64_t most,
               const char *) {
    if (const toml::node *node = find(key)) {
      auto found = node->value_exact<int64_t>();
      if (found && *found >= least && *found <= most)
        value = static_cast<Integer>(*found);
      else
        fail(*node, key,
             fmt::format("must be an integer in {} .. {}", least, most));
    }
  }
  void number(const char *key, double &value, double least, double most,
              const char *) {
    if (const toml::node *node = find(key)) {
      auto found = node->is_number() ? node->value<double>() : std::nullopt;
      if (found && *found >= least && *found <= most) // false for NaN
        value = *found;
      else
        fail(*node, key,
             fmt::format("must be a number in {} .. {}", least, most));
    }
  }
  void option(const ObjectiveOption &option,
              std::map<std::string, double> &values, double value) {
    std::string key(option.key);
    bool isSet = table_ && table_->contains(key);
    number(key.c_str(), value, option.least, option.most, "");
    if (isSet)
      values[key] = value;
  }

  Status finish() {
    finishSection();
    for (auto &&[name, node] : root_)
      if (!sections_.contains(std::string(name.str())))
        fail(node, nullptr,
             fmt::format("unknown section '{}'; known are {}", name.str(),
                         fmt::join(sections_, ", ")));
    return std::move(status_);
  }

private:
  const toml::node *find(const char *key) {
    keys_.insert(key);
    return table_ ? table_->get(key) : nullptr;
  }
  void finishSection() {
    if (table_)
      for (auto &&[name, node] : *table_)
        if (!keys_.contains(std::string(name.str())))
          fail(node, nullptr,
               fmt::format("unknown key '{}.{}'; known are {}", section_,
                           name.str(), fmt::join(keys_, ", ")));
  }
  void fail(const toml::node &node, const char *key, const std::string &why) {
    if (!status_.isOk())
      return;
    std::string name = !key              ? ""
                       : section_ == key ? section_ + ": "
                                         : section_ + "." + key + ": ";
    status_ = Status::usage(fmt::format("{}:{}: {}{}", where_,
                                        node.source().begin.line, name, why));
  }

  const toml::table &root_;
  std::string where_, section_;
  const toml::table *table_ = nullptr;
  std::set<std::string> sections_, keys_;
  Status status_;
};

// Writes every value as JSON, together with the facts about its key.
class Writer {
public:
  Json json = Json::object();
  std::vector<ConfigKey> keys;

  void section(const char *name) { section_ = name; }
  void text(const char *key, const std::string &value, const char *meaning) {
    put(key, value, "text", meaning);
  }
  void texts(const char *key, const std::vector<std::string> &value,
             const char *meaning) {
    put(key, value, "list of texts", meaning);
  }
  void choice(const char *key, const std::string &value,
              const std::vector<const char *> &names, const char *meaning) {
    put(key, value, fmt::format("{}", fmt::join(names, ", ")), meaning);
  }
  template <typename Enum>
  void named(const char *key, Enum value, Names<Enum> names,
             const char *meaning) {
    std::vector<const char *> known;
    const char *text = "?";
    for (auto &[name, each] : names) {
      known.push_back(name);
      text = each == value ? name : text;
    }
    put(key, text, fmt::format("{}", fmt::join(known, ", ")), meaning);
  }
  void flag(const char *key, bool value, const char *meaning) {
    put(key, value, "true, false", meaning);
  }
  template <typename Integer>
  void integer(const char *key, Integer value, int64_t least, int64_t most,
               const char *meaning) {
    put(key, value, fmt::format("integer {} .. {}", least, most), meaning);
  }
  void number(const char *key, double value, double least, double most,
              const char *meaning) {
    put(key, value, fmt::format("number {} .. {}", least, most), meaning);
  }
  void option(const ObjectiveOption &option,
              const std::map<std::string, double> &, double value) {
    number(std::string(option.key).c_str(), value, option.least, option.most,
           meaningOf(option).c_str());
  }

private:
  void put(const char *key, Json value, std::string type, const char *meaning) {
    keys.push_back({section_, key, std::move(type), value.dump(), meaning});
    json[section_][key] = std::move(value);
  }
  std::string section_;
};

Result<toml::table> parseToml(std::string_view text, const std::string &where) {
  try {
    return toml::parse(text, where);
  } catch (const toml::parse_error &error) {
    return Status::usage(fmt::format("{}:{}: {}; correct the file", where,
                                     error.source().begin.line,
                                     std::string_view(error.description())));
  }
}

// Parses "clip_low=0.1"; nullopt for any other text.
std::optional<std::pair<std::string, double>>
parseOption(const std::string &text) {
  size_t equals = text.find('=');
  double value = 0;
  if (equals == std::string::npos || equals == 0)
    return std::nullopt;
  auto [end, error] = std::from_chars(text.data() + equals + 1,
                                      text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      !std::isfinite(value))
    return std::nullopt;
  return std::pair(text.substr(0, equals), value);
}

// Checks that the objective exists and that the options belong to it. The
// options of an objective's file are only known when it is compiled.
Status checkObjective(const RLConfig &rl) {
  if (isObjectiveFile(rl.objective))
    return Status::ok();
  const Objective *objective = builtinObjective(rl.objective);
  if (!objective || !objective->takes("advantage"))
    return Status::usage(fmt::format(
        "rl.objective: '{}' is neither {} nor the path of an .mlir file; "
        "choose one of these",
        rl.objective, objectiveNames(" nor ", " nor ", "advantage")));
  for (const ObjectiveOption &option : objectiveKeys()) {
    std::string key(option.key);
    auto set = rl.optionValues.find(key);
    if (objective->optionOf(key) || set == rl.optionValues.end() ||
        set->second == option.value)
      continue;
    std::vector<std::string_view> keys;
    for (const ObjectiveOption &own : objective->options)
      keys.push_back(own.key);
    return Status::usage(fmt::format(
        "rl.{}: {} has no effect on objective {}, whose options are {}; remove "
        "it or choose another rl.objective",
        key, set->second, rl.objective, fmt::join(keys, ", ")));
  }
  return Status::ok();
}

// Checks conditions that involve several values.
Status checkTogether(const Config &config, const std::string &where) {
  int64_t group = config.quantize.groupSize;
  std::vector<int64_t> sizes = numerics::groupSizes();
  if (std::find(sizes.begin(), sizes.end(), group) == sizes.end())
    return Status::usage(
        fmt::format("{}: quantize.group_size: must be {} or 0, not {} (N2)",
                    where, numerics::groupSizeChoices(), group));
  bool isTaken = false;
  std::string kinds;
  for (const std::string &name :
       {config.quantize.train, config.quantize.rollout})
    if (auto kind = numerics::kindNamed(name)) {
      isTaken |= numerics::takesGroupSize(*kind, group);
      kinds = name;
    }
  if (!isTaken && !kinds.empty())
    return Status::usage(fmt::format(
        "{}: quantize.group_size: {} is no group size of scheme {}; remove it",
        where, group, kinds));
  std::string problem;
  if (!names::Selection::parse(config.quantize.include, config.quantize.exclude,
                               config.quantize.defaultExclude,
                               kQuantizeSpelling, problem))
    return Status::usage(where + ": " + problem);
  if (config.rl.updatesPerStep > config.rl.promptsPerStep)
    return Status::usage(
        fmt::format("{}: rl.updates_per_step: {} updates need "
                    "as many prompts_per_step, there are {}; raise "
                    "them or lower it",
                    where, config.rl.updatesPerStep, config.rl.promptsPerStep));
  NIBBLE_TRY(checkObjective(config.rl).within(where));
  for (const std::string &option : config.rl.objectiveOptions)
    if (!parseOption(option))
      return Status::usage(
          fmt::format("{}: rl.objective_options: '{}' is not name=number; "
                      "write it like clip_low=0.2",
                      where, option));
  bool isDataset = config.task.name == "jsonl";
  if (isDataset == config.task.path.empty())
    return Status::usage(
        isDataset
            ? where + ": task.path: name \"jsonl\" needs the file of prompts"
            : where + ": task.path: only name \"jsonl\" reads a file; set it "
                      "or remove the path");
  if (isDataset && config.task.promptField.empty())
    return Status::usage(
        where +
        ": task.prompt_field: a prompt must have a name; give it a name");
  if (isDataset && config.task.answerField.empty() &&
      config.reward.command.empty())
    return Status::usage(where + ": task.answer_field: without an answer "
                                 "nothing says what a response is worth; name "
                                 "its field or set reward.command");
  return Status::ok();
}

} // namespace

double RLConfig::option(std::string_view key) const {
  if (auto set = optionValues.find(std::string(key)); set != optionValues.end())
    return set->second;
  if (const Objective *own = builtinObjective(objective))
    if (const ObjectiveOption *option = own->optionOf(key))
      return option->value;
  for (const ObjectiveOption &option : objectiveKeys())
    if (option.key == key)
      return option.value;
  return 0;
}

bool isObjectiveFile(const std::string &objective) {
  return objective.ends_with(".mlir");
}

Result<Config> parseConfig(std::string_view text, const std::string &where,
                           std::span<const std::string> overrides) {
  NIBBLE_ASSIGN(toml::table root, parseToml(text, where));
  Config config;
  Reader reader(root, where);
  visitConfig(reader, config);
  NIBBLE_TRY(reader.finish());
  for (const std::string &override : overrides) {
    NIBBLE_ASSIGN(toml::table one, parseToml(override, "'" + override + "'"));
    Reader overrider(one, "'" + override + "'");
    visitConfig(overrider, config);
    NIBBLE_TRY(overrider.finish());
  }
  NIBBLE_TRY(checkTogether(config, where));
  return config;
}

Result<Config> loadConfig(const std::string &path,
                          std::span<const std::string> overrides) {
  auto text = readFile(path, 1 << 20);
  if (!text.isOk()) // the path comes from the command line
    return Status::usage(text.status().message());
  return parseConfig(*text, path, overrides);
}

Status checkCanLearn(const Config &config, bool supervised) {
  const OptimizerOptions &optimizer = config.train.optimizer;
  // The update takes the learning rate in float32.
  if (static_cast<float>(optimizer.learningRate) == 0)
    return Status::usage(
        fmt::format("train.learning_rate: {} changes no weight; raise it",
                    optimizer.learningRate));
  if (optimizer.clipNorm > 0 && static_cast<float>(optimizer.clipNorm) == 0)
    return Status::usage(
        fmt::format("train.clip_norm: {} leaves nothing of a gradient; raise "
                    "it, or set 0 for no limit",
                    optimizer.clipNorm));
  if ((supervised ? config.sft.steps : config.rl.steps) == 0)
    return Status::usage(
        fmt::format("{}.steps: 0 steps train nothing; raise it",
                    supervised ? "sft" : "rl"));
  if ((supervised ? config.sft.untilReward : config.rl.untilReward) > 0 &&
      config.eval.every == 0)
    return Status::usage(fmt::format("{}.until_reward: no reward ends the run, "
                                     "since eval.every = 0 evaluates nothing; "
                                     "set eval.every, or until_reward to 0",
                                     supervised ? "sft" : "rl"));
  if (supervised)
    return Status::ok();
  const RLConfig &rl = config.rl;
  const SamplingOptions &sampling = config.rollout.sampling;
  // A user's objective need not use advantages, when groups without any are
  // kept.
  bool needsAdvantages =
      rl.filterEqualRewards || !isObjectiveFile(rl.objective);
  if (rl.samplesPerPrompt == 1 && needsAdvantages)
    return Status::usage("rl.samples_per_prompt: a group of 1 has no "
                         "advantage, which is relative to the group; "
                         "raise it to 2 or more");
  const std::pair<bool, const char *> equal[] = {
      {sampling.greedy(), "rollout.temperature: 0"},
      {sampling.topK == 1, "rollout.top_k: 1"},
      {sampling.minP == 1, "rollout.min_p: 1"}};
  for (const auto &[isEqual, key] : equal)
    if (isEqual && needsAdvantages)
      return Status::usage(
          fmt::format("{} makes all samples of a prompt equal, and equal "
                      "rewards have no advantage; "
                      "let it leave more than one token",
                      key));
  if (rl.maskTruncated && sampling.maxNewTokens == 1)
    return Status::usage("rl.mask_truncated: with rollout.max_new_tokens = 1 "
                         "every response but the empty one is "
                         "truncated and left out; raise max_new_tokens");
  return Status::ok();
}

Json toJson(const Config &config) {
  Writer writer;
  Config copy = config; // an archive may write, but this one does not
  visitConfig(writer, copy);
  return std::move(writer.json);
}

std::map<std::string, double> objectiveConstants(const RLConfig &config) {
  std::map<std::string, double> constants;
  if (const Objective *objective = builtinObjective(config.objective))
    for (const ObjectiveOption &option : objective->options)
      constants[std::string(option.name)] = config.option(option.key);
  for (const std::string &option : config.objectiveOptions)
    if (auto parsed = parseOption(option))
      constants[parsed->first] = parsed->second;
  return constants;
}

std::vector<ConfigKey> configKeys() {
  Writer writer;
  Config config;
  visitConfig(writer, config);
  return std::move(writer.keys);
}

} // namespace nibble
