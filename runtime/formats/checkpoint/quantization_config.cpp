// Writes and reads quantization_config, with the lists of modules that are not
// quantized.
#include "runtime/formats/checkpoint/quantization_config.h"

#include "runtime/formats/io.h"
#include "runtime/formats/model/config_keys.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>

namespace nibble {

namespace {

constexpr const char *kSupported =
    "symmetric 4-bit integers, pack-quantized, are supported";

constexpr std::array kConfigKeys = {"quant_method",
                                    "format",
                                    "quantization_status",
                                    "kv_cache_scheme",
                                    "global_compression_ratio",
                                    "ignore",
                                    "config_groups",
                                    "version",
                                    "sparsity_config",
                                    "transform_config",
                                    "run_compressed"};
constexpr std::array kGroupKeys = {"targets", "weights", "input_activations",
                                   "output_activations", "format"};
// Keys that are not read say how scales were found, or their type in the file.
constexpr std::array kWeightKeys = {
    "num_bits",    "type",     "symmetric",
    "group_size",  "strategy", "block_structure",
    "dynamic",     "actorder", "observer",
    "scale_dtype", "zp_dtype", "observer_kwargs"};

std::string lowered(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return text;
}

// A field whose value is null, false or a name, in any case. Returns "" for
// null and false.
Result<std::string> nameOrNone(const Json &object, const char *key,
                               const std::string &where) {
  const Json *field = findField(object, key);
  if (!field || (field->is_boolean() && !field->get<bool>()))
    return std::string();
  if (field->is_boolean())
    return std::string("true");
  NIBBLE_ASSIGN(std::string name, stringField(object, key, where));
  return lowered(std::move(name));
}

// A field with content; null for absent fields, {} and null.
const Json *contentOf(const Json &object, const char *key) {
  const Json *field = findField(object, key);
  return field && !(field->is_object() && field->empty()) ? field : nullptr;
}

// Reads the scheme of a group, or its problem, from `weights`.
Status readWeights(const Json &weights, const std::string &where,
                   QuantizationGroup &group) {
  NIBBLE_ASSIGN(int64_t bits,
                integerFieldOr(weights, "num_bits", where, 1, 64, 8));
  NIBBLE_ASSIGN(std::string type, stringFieldOr(weights, "type", where, "int"));
  NIBBLE_ASSIGN(bool isSymmetric,
                boolFieldOr(weights, "symmetric", where, true));
  NIBBLE_ASSIGN(int64_t size, integerFieldOr(weights, "group_size", where, -1,
                                             int64_t{1} << 20, 0));
  NIBBLE_ASSIGN(std::string strategy, nameOrNone(weights, "strategy", where));
  NIBBLE_ASSIGN(std::string order, nameOrNone(weights, "actorder", where));
  NIBBLE_ASSIGN(std::string dynamic, nameOrNone(weights, "dynamic", where));
  if (strategy.empty())
    strategy = size > 0 ? "group" : size == -1 ? "channel" : "tensor";
  group.scheme = {numerics::Kind::kInt4, strategy == "group" ? size : 0,
                  numerics::Convention::kNibble};
  if (bits != 4 || lowered(type) != "int")
    group.problem =
        fmt::format("weights are {} bits of type {}", bits, printable(type));
  else if (!isSymmetric)
    group.problem = "weights are asymmetric (zero points)";
  else if (strategy != "group" && strategy != "channel")
    group.problem = fmt::format("strategy {}; group and channel are read",
                                printable(strategy));
  else if (strategy == "channel" && size > 0)
    group.problem = fmt::format("strategy channel has group_size {}", size);
  else if (strategy == "group" && size <= 0)
    group.problem = fmt::format("strategy group has group_size {}", size);
  else if (!order.empty() && order != "weight" && order != "static")
    group.problem =
        fmt::format("actorder {} moves columns between groups (g_idx); weight "
                    "and static do not and are read",
                    printable(order));
  else if (!dynamic.empty())
    group.problem = "weights are quantized anew at run time (dynamic)";
  else if (findField(weights, "block_structure"))
    group.problem = "weights share scales in blocks (block_structure)";
  else
    group.problem = numerics::problemOf(group.scheme);
  return Status::ok();
}

// `path` is the place of the group in `file`.
Status readGroup(const Json &json, const std::string &file,
                 const std::string &path, const std::string &modelFormat,
                 QuantizationGroup &group, std::vector<std::string> &warnings) {
  std::string where = file + ": " + path;
  if (json.is_array()) { // a list holds the name of a preset and its targets
    NIBBLE_ASSIGN(group.targets, ModuleList::parse(&json, where));
    if (lowered(group.name) == "w4a16")
      group.scheme = {numerics::Kind::kInt4, 128,
                      numerics::Convention::kNibble};
    else
      group.problem = "a preset; of these W4A16 is read";
    return Status::ok();
  }
  if (!json.is_object())
    return Status::badInput(where + " is not an object; correct the file");
  NIBBLE_TRY(checkUnknownKeys(json, kGroupKeys, file, path, warnings));
  const Json *targets = findField(json, "targets");
  if (!targets)
    return Status::badInput(where + " has no targets; correct the file");
  NIBBLE_ASSIGN(group.targets, ModuleList::parse(targets, where + ".targets"));
  NIBBLE_ASSIGN(std::string format,
                stringFieldOr(json, "format", where, modelFormat));
  const Json *weights = findField(json, "weights");
  if (!weights) {
    group.problem = "no weights in it";
    return Status::ok();
  }
  if (!weights->is_object())
    return Status::badInput(where +
                            ".weights is not an object; correct the file");
  NIBBLE_TRY(checkUnknownKeys(*weights, kWeightKeys, file,
                              keyPath(path, "weights"), warnings));
  NIBBLE_TRY(readWeights(*weights, where + ".weights", group));
  if (contentOf(json, "input_activations") ||
      contentOf(json, "output_activations"))
    group.problem = "activations are quantized too";
  if (format != "pack-quantized")
    group.problem = fmt::format("format \"{}\"", printable(format));
  return Status::ok();
}

} // namespace

Json quantizationConfig(const numerics::Scheme &scheme,
                        const std::vector<std::string> &ignore) {
  // Readers refuse unknown keys inside weights and group_0, so these must be
  // exact.
  Json weights = {{"num_bits", 4},
                  {"type", "int"},
                  {"symmetric", true},
                  {"strategy", scheme.groupSize == 0 ? "channel" : "group"},
                  {"group_size", scheme.groupSize == 0
                                     ? Json(nullptr)
                                     : Json(scheme.groupSize)},
                  {"dynamic", false},
                  {"actorder", nullptr},
                  {"block_structure", nullptr},
                  {"observer", "minmax"},
                  {"observer_kwargs", Json::object()}};
  Json group = {{"targets", {"Linear"}},
                {"input_activations", nullptr},
                {"output_activations", nullptr},
                {"weights", std::move(weights)}};
  return {{"quant_method", "compressed-tensors"},
          {"format", "pack-quantized"},
          {"quantization_status", "compressed"},
          {"kv_cache_scheme", nullptr},
          {"global_compression_ratio", nullptr},
          {"ignore", ignore},
          {"config_groups", {{"group_0", std::move(group)}}}};
}

Result<ModuleList> ModuleList::parse(const Json *list,
                                     const std::string &where) {
  ModuleList modules;
  modules.where_ = where;
  if (!list)
    return modules;
  if (!list->is_array())
    return Status::badInput(where + " is no list; correct the file");
  for (const Json &entry : *list) {
    if (!entry.is_string())
      return Status::badInput(
          where + " has an entry that is no string; correct the file");
    auto text = entry.get<std::string>();
    std::string problem;
    auto pattern = names::Pattern::parseModule(text, problem);
    if (!pattern)
      return Status::badInput(
          fmt::format("{}: entry \"{}\" is {}; list the modules by name", where,
                      printable(text), printable(problem)));
    modules.entries_.push_back(std::move(*pattern));
  }
  return modules;
}

Result<ModuleList::Fit> ModuleList::fitOf(const names::Pattern &entry,
                                          const ModuleName &module) const {
  std::optional<bool> matches = entry.matches(module.name);
  if (matches == false && module.stored != module.name)
    matches = entry.matches(module.stored);
  if (!matches)
    return Status::badInput(fmt::format("{}: entry \"{}\" is no usable regular "
                                        "expression: it takes too many steps; "
                                        "list the modules by name",
                                        where_, printable(entry.text())));
  return *matches ? (entry.isAnchored() ? Fit::kExpression : Fit::kName)
         : entry.text() == module.className() ? Fit::kClass
                                              : Fit::kNone;
}

Result<ModuleList::Fit> ModuleList::fitOf(const ModuleName &module) const {
  Fit closest = Fit::kNone;
  for (const names::Pattern &entry : entries_) {
    NIBBLE_ASSIGN(Fit fit, fitOf(entry, module));
    closest = std::max(closest, fit);
  }
  return closest;
}

// Parts of the names of modules that may have no tensor here. They are heads,
// which may be tied, and modules of models with experts, images, sound, states
// or further heads. Recipes that serve all models list these names.
constexpr std::array<std::string_view, 19> kElsewhere = {
    "head",       "router",      "expert",      "vision",   "visual",
    "image",      "audio",       "multi_modal", "mm_",      "projector",
    "merger",     "patch_embed", "linear_attn", "mtp",      "mamba",
    "rotary_emb", "act_fn",      "conv1d",      "kv_a_proj"};

// Whether a model of this or another architecture may have this module although
// none of its tensors shows it.
static bool mayBeElsewhere(const std::string &entry,
                           std::span<const ModuleName> modules) {
  if (entry.find('.') == std::string::npos &&
      std::isupper(static_cast<unsigned char>(entry[0])))
    return true; // the entry is a class
  for (std::string_view word : kElsewhere)
    if (entry.find(word) != std::string::npos)
      return true;
  for (std::string_view gate :
       {"mlp.gate", "mlp\\.gate"}) // a router, unlike mlp.gate_proj
    if (size_t at = entry.find(gate);
        at != std::string::npos &&
        entry[std::min(at + gate.size(), entry.size() - 1)] != '_')
      return true;
  // A module that holds other modules has no tensor of its own.
  return std::any_of(modules.begin(), modules.end(),
                     [&](const ModuleName &module) {
                       return module.name.starts_with(entry + ".") ||
                              module.stored.starts_with(entry + ".");
                     });
}

Result<std::vector<std::string>>
ModuleList::unmatched(std::span<const ModuleName> modules) const {
  std::vector<std::string> lines, all;
  for (const ModuleName &module : modules)
    all.push_back(module.name);
  for (const names::Pattern &entry : entries_) {
    bool fitsOne = false;
    for (const ModuleName &module : modules) {
      NIBBLE_ASSIGN(Fit fit, fitOf(entry, module));
      if (fitsOne = fit != Fit::kNone; fitsOne)
        break;
    }
    if (fitsOne || mayBeElsewhere(entry.text(), modules))
      continue;
    std::vector<std::string> close = names::closeNames(entry, all);
    lines.push_back(fmt::format(
        "{}: entry \"{}\" matches no module{}{}; correct or remove it", where_,
        printable(entry.text()), close.empty() ? "" : "; close names: ",
        printable(fmt::format("{}", fmt::join(close, ", ")))));
  }
  return lines;
}

Result<DeclaredQuantization>
DeclaredQuantization::parse(const Json &config, const std::string &file) {
  DeclaredQuantization declared;
  constexpr const char *kPath = "quantization_config";
  declared.where_ = file + ": " + kPath;
  const std::string &where = declared.where_;
  auto unsupported = [&](const std::string &what) {
    return Status::badInput(fmt::format("{}: {}; {}", where, what, kSupported));
  };
  if (!config.is_object())
    return unsupported("not an object");
  NIBBLE_ASSIGN(std::string method, stringField(config, "quant_method", where));
  NIBBLE_ASSIGN(std::string format, stringField(config, "format", where));
  if (method != "compressed-tensors" ||
      (format != "pack-quantized" && format != "mixed-precision"))
    return unsupported(fmt::format("quant_method \"{}\", format \"{}\"",
                                   printable(method), printable(format)));
  if (contentOf(config, "kv_cache_scheme"))
    return unsupported("kv_cache_scheme: the cache is quantized too");
  if (const Json *transforms = contentOf(config, "transform_config"))
    if (!transforms->is_object() || contentOf(*transforms, "config_groups"))
      return unsupported("transform_config: weights are transformed (rotated), "
                         "which the model would have to undo");
  if (const Json *sparsity = contentOf(config, "sparsity_config")) {
    if (!sparsity->is_object())
      return unsupported("sparsity_config is not an object");
    NIBBLE_ASSIGN(std::string sparse,
                  stringFieldOr(*sparsity, "format", where + ".sparsity_config",
                                "dense"));
    if (sparse != "dense")
      return unsupported(
          fmt::format("sparsity_config: format \"{}\"", printable(sparse)));
  }
  NIBBLE_TRY(
      checkUnknownKeys(config, kConfigKeys, file, kPath, declared.warnings_));
  const Json *groups = findField(config, "config_groups");
  if (!groups || !groups->is_object() || groups->empty())
    return unsupported("config_groups is no object with at least one group");
  for (const auto &[name, json] : groups->items()) {
    QuantizationGroup group;
    group.name = printable(name);
    std::string path = keyPath(keyPath(kPath, "config_groups"), group.name);
    NIBBLE_TRY(readGroup(json, file, path, format, group, declared.warnings_));
    declared.groups_.push_back(std::move(group));
  }
  NIBBLE_ASSIGN(declared.ignore_, ModuleList::parse(findField(config, "ignore"),
                                                    where + ".ignore"));
  return declared;
}

Result<const QuantizationGroup *>
DeclaredQuantization::groupOf(const ModuleName &module) const {
  using Fit = ModuleList::Fit;
  NIBBLE_ASSIGN(Fit ignored, ignore_.fitOf(module));
  if (ignored != Fit::kNone)
    return nullptr;
  const QuantizationGroup *closest = nullptr;
  Fit best = Fit::kNone;
  for (const QuantizationGroup &group : groups_) {
    NIBBLE_ASSIGN(Fit fit, group.targets.fitOf(module));
    if (fit == Fit::kNone || fit < best)
      continue;
    if (fit == best &&
        (group.scheme != closest->scheme || group.problem != closest->problem))
      return Status::badInput(fmt::format(
          "{}: module \"{}\" is a target of {} and of {}, which differ; name "
          "it in one",
          where_, printable(module.name), closest->name, group.name));
    closest = &group;
    best = fit;
  }
  return closest;
}

} // namespace nibble
