// Hashes what a run's results depend on, and describes the differences between
// two runs.
#include "runtime/rl/config/run_identity.h"

#include "runtime/core/file.h"
#include "runtime/core/hash.h"

#include <fmt/format.h>

namespace nibble {

namespace {

namespace fs = std::filesystem;

// The content's hash; null when there is no readable file.
Json contentOfFile(const fs::path &path) {
  std::error_code none;
  if (!fs::is_regular_file(path, none))
    return nullptr;
  auto hash = hashFile(path);
  return hash.isOk() ? Json(hash->hash) : Json();
}

// Hashes everything that is read from a checkpoint folder.
Json contentOfModel(const fs::path &folder) {
  std::error_code none;
  if (!fs::is_directory(folder, none))
    return nullptr;
  auto names = listFolder(folder);
  if (!names.isOk())
    return nullptr;
  Json files = Json::object();
  for (const std::string &name : *names)
    if (name.ends_with(".json") || name.ends_with(".safetensors"))
      files[name] = contentOfFile(folder / name);
  return hash128(files.dump());
}

bool decays(const Config &config) {
  return config.train.optimizer.decay != Decay::kConstant;
}

void erase(Json &json, const char *section,
           std::initializer_list<const char *> keys) {
  for (const char *key : keys)
    json[section].erase(key);
}

// The hash in checkpoints of state format 1. Later keys are not part of it.
std::string legacyHashOf(const Config &config) {
  Json json = toJson(config);
  erase(json, "run",
        {"out", "threads", "checkpoint_every", "keep_checkpoints"});
  erase(json, "rollout",
        {"max_tokens_per_call", "max_running", "cache_megabytes"});
  erase(json, "train", {"max_steps_without_update"});
  erase(json, "quantize", {"strict"});
  // The user's lists replaced the default.
  if (config.quantize.defaultExclude ==
      (config.quantize.include.empty() && config.quantize.exclude.empty()))
    erase(json, "quantize", {"default_exclude"});
  erase(json, "reward", {"workers"});
  if (config.run.target == "host")
    erase(json, "train", {"max_tokens"});
  if (isObjectiveFile(config.rl.objective))
    if (auto text = readFile(config.rl.objective, 1 << 20); text.isOk())
      json["rl"]["objective"] = *text;
  return hash128(json.dump());
}

// Keys whose path stands for its content: if the content was replaced, it is
// another run. The words of a reward command are different: a program may be
// repaired in place (docs/recipes.md).
bool isContentStrict(const std::string &name) {
  return name == "model.path" || name == "rl.objective";
}

// Whether two values mean the same. With `strict`, only the content of files
// counts, even at the same path.
bool isSame(const Json &began, const Json &now, const Json &contentBegan,
            const Json &contentNow, bool strict) {
  if (began.is_array() && now.is_array() && contentBegan.is_array() &&
      contentNow.is_array() && began.size() == contentBegan.size() &&
      now.size() == contentNow.size()) {
    if (began.size() != now.size())
      return false;
    for (size_t i = 0; i < now.size(); ++i)
      if (!isSame(began[i], now[i], contentBegan[i], contentNow[i], strict))
        return false;
    return true;
  }
  bool sameContent = !contentNow.is_null() && contentBegan == contentNow;
  return sameContent ||
         (began == now && (!strict || contentBegan == contentNow));
}

const Json &at(const Json &object, const std::string &key) {
  static const Json null;
  auto found = object.find(key);
  return found == object.end() ? null : *found;
}

} // namespace

RunIdentity identityOf(const Config &config, bool supervised) {
  RunIdentity identity;
  identity.legacyHash = legacyHashOf(config);
  identity.contents["model.path"] = contentOfModel(config.model.path);
  for (const std::string &word : config.reward.command)
    identity.contents["reward.command"].push_back(contentOfFile(word));
  if (!supervised && isObjectiveFile(config.rl.objective))
    identity.contents["rl.objective"] = contentOfFile(config.rl.objective);

  Json json = toJson(config);
  erase(json, "run",
        {"out", "threads", "checkpoint_every", "keep_checkpoints"});
  erase(json, "rollout",
        {"max_tokens_per_call", "max_running", "cache_megabytes"});
  erase(json, "train", {"max_steps_without_update"});
  erase(json, "quantize", {"strict"});
  erase(json, "reward", {"workers", "time_limit_seconds"});
  // On a device, sums over tokens depend on where a step was cut
  // (docs/numerics.md).
  if (config.run.target == "host")
    erase(json, "train", {"max_tokens"});
  const char *loop = supervised ? "sft" : "rl";
  json.erase(supervised ? "rl" : "sft");
  erase(json, loop, {"until_reward"});
  if (!decays(config))
    erase(json, loop, {"steps"});
  if (supervised) // only evaluations sample, and with settings of their own
    erase(json, "rollout", {"temperature", "top_k", "top_p", "min_p"});
  if (config.eval.every == 0)
    erase(json, "eval", {"problems", "temperature"});
  if (config.task.name == "jsonl")
    erase(json, "task",
          {"path", "held_out_path", "prompt_field", "answer_field",
           "held_out_one_in"});
  identity.config = std::move(json);
  return identity;
}

std::vector<std::string> differences(const RunIdentity &began,
                                     const RunIdentity &now) {
  static const Json defaults = toJson(Config());
  std::vector<std::string> lines;
  auto compare = [&](const std::string &name, const Json &before,
                     const Json &after) {
    if (isSame(before, after, at(began.contents, name), at(now.contents, name),
               isContentStrict(name)))
      return;
    if (before == after)
      lines.push_back(fmt::format("{}: the content of {} has changed since the "
                                  "run began (put back what it was)",
                                  name, after.dump()));
    else
      lines.push_back(
          fmt::format("{} was {}, is {}", name, before.dump(), after.dump()));
    if (name == "rl.steps" || name == "sft.steps")
      lines.back() +=
          fmt::format(" (train.schedule {} ends at the last step)",
                      at(at(now.config, "train"), "schedule").dump());
    if (name == "train.max_tokens")
      lines.back() +=
          " (on a device it shows in the last bits of weight gradients)";
  };
  // Then compare keys that are new since the run began, whose old value is the
  // default. (A key may also be absent because it did not count beside another
  // key, which then differs.)
  for (bool isNew : {false, true})
    if (!isNew || lines.empty())
      for (const auto &[section, values] : now.config.items())
        for (const auto &[key, value] : values.items())
          if (const Json &was = at(at(began.config, section), key);
              was.is_null() == isNew)
            compare(section + "." + key,
                    isNew ? at(at(defaults, section), key) : was, value);
  return lines;
}

} // namespace nibble
