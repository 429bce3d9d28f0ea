// quantization_config of compressed-tensors: what we write, and what of others'
// we read.
#pragma once

#include "lib/Names/pattern.h"
#include "lib/Numerics/scheme.h"
#include "runtime/core/status.h"
#include "runtime/formats/json.h"

#include <span>
#include <string>
#include <vector>

namespace nibble {

// The quantization_config that writing puts into config.json: format
// pack-quantized, one group of Linear modules, symmetric 4-bit, and these
// modules ignored.
Json quantizationConfig(const numerics::Scheme &scheme,
                        const std::vector<std::string> &ignore);

// What a module is to `targets` and `ignore`: its name and its class.
struct ModuleName {
  std::string name;   // of the model: "model.layers.0.mlp.up_proj"
  std::string stored; // as the file names it; lists may say either
  bool isEmbedding = false;

  const char *className() const { return isEmbedding ? "Embedding" : "Linear"; }
};

// A list of `targets` or `ignore`: each entry is "re:" and an expression that
// matches from the start of a module's name, the whole name of a module, or the
// class of modules (Linear, Embedding).
class ModuleList {
public:
  // How closely an entry fits; more is closer, as the public tools order them.
  enum class Fit { kNone, kClass, kExpression, kName };

  // Bad input naming `where` for a list that is none or an expression that does
  // not compile. Null is the empty list.
  static Result<ModuleList> parse(const Json *list, const std::string &where);
  // The closest entry's fit. Bad input for an expression that takes too many
  // steps.
  Result<Fit> fitOf(const ModuleName &module) const;
  // A line for each entry that fits none of these modules, a model's, with
  // names that are close. Silent about what tools write into every list:
  // classes, heads that may be tied, and modules of other architectures.
  Result<std::vector<std::string>>
  unmatched(std::span<const ModuleName> modules) const;

private:
  Result<Fit> fitOf(const names::Pattern &entry,
                    const ModuleName &module) const;

  std::vector<names::Pattern> entries_;
  std::string where_;
};

// One of config_groups.
struct QuantizationGroup {
  std::string name; // "group_0"
  ModuleList targets;
  numerics::Scheme
      scheme; // convention nibble: the files do not say how scales were chosen
  std::string problem; // why its tensors cannot be read, empty when they can
};

class DeclaredQuantization {
public:
  // Bad input naming `where` (the file) for another method or format, a
  // quantized cache, sparsity, transforms of weights, or what is no
  // compressed-tensors configuration. What a single group has that is not
  // supported is said when a tensor of it is asked for: a group may have none.
  static Result<DeclaredQuantization> parse(const Json &config,
                                            const std::string &where);

  // The group that quantizes the module; null when none does or `ignore` names
  // it. Bad input when two groups that differ fit it alike.
  Result<const QuantizationGroup *> groupOf(const ModuleName &module) const;
  const std::vector<QuantizationGroup> &groups() const { return groups_; }
  const ModuleList &ignore() const { return ignore_; }
  // Fields that are not known, one line each.
  const std::vector<std::string> &warnings() const { return warnings_; }

private:
  std::string where_;
  std::vector<QuantizationGroup> groups_;
  ModuleList ignore_;
  std::vector<std::string> warnings_;
};

} // namespace nibble
