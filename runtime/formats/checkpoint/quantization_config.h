// quantization_config of compressed-tensors: writes our own, and reads a part
// of what others write.
#pragma once

#include "lib/Names/pattern.h"
#include "lib/Numerics/scheme.h"
#include "runtime/core/status.h"
#include "runtime/formats/json.h"

#include <span>
#include <string>
#include <vector>

namespace nibble {

// The quantization_config for a written config.json. Its format is
// pack-quantized, with one group of Linear modules, symmetric and 4-bit;
// `ignored` names the other modules.
Json quantizationConfig(const numerics::Scheme &scheme,
                        const std::vector<std::string> &ignore);

// A module as `targets` and `ignore` see it: its name and its class.
struct ModuleName {
  std::string name;   // name in the model: "model.layers.0.mlp.up_proj"
  std::string stored; // name in the file; lists may use either
  bool isEmbedding = false;

  const char *className() const { return isEmbedding ? "Embedding" : "Linear"; }
};

// A list of `targets` or `ignore`. An entry has one of three forms. "re:"
// precedes an expression that matches from the start of a module's name.
// Otherwise it is the whole name of a module, or a class of modules (Linear,
// Embedding).
class ModuleList {
public:
  // How closely an entry fits. Larger is closer, in the order of the public
  // tools.
  enum class Fit { kNone, kClass, kExpression, kName };

  // Parses a list; null is the empty list. Bad input naming `where` when it is
  // no list or an expression does not compile.
  static Result<ModuleList> parse(const Json *list, const std::string &where);
  // The fit of the closest entry. Bad input for an expression that takes too
  // many steps.
  Result<Fit> fitOf(const ModuleName &module) const;
  // A line with close names for each entry that fits none of a model's modules.
  // Entries that tools write into every list get no line: classes, heads that
  // may be tied, and modules of other architectures.
  Result<std::vector<std::string>>
  unmatched(std::span<const ModuleName> modules) const;

private:
  Result<Fit> fitOf(const names::Pattern &entry,
                    const ModuleName &module) const;

  std::vector<names::Pattern> entries_;
  std::string where_;
};

// One entry of config_groups.
struct QuantizationGroup {
  std::string name; // for example "group_0"
  ModuleList targets;
  // Convention nibble, because the files do not say how scales were chosen.
  numerics::Scheme scheme;
  std::string problem; // why its tensors cannot be read; empty when they can
};

class DeclaredQuantization {
public:
  // Parses quantization_config. Bad input naming the file `where` for another
  // method or format, a quantized cache, sparsity or transforms of weights.
  // Likewise for anything that is no compressed-tensors configuration. An
  // unsupported property of a single group is reported when a tensor of it is
  // read, since a group may have none.
  static Result<DeclaredQuantization> parse(const Json &config,
                                            const std::string &where);

  // The group that quantizes the module. Null when no group does or when
  // `ignore` names it. Bad input when two different groups fit it equally well.
  Result<const QuantizationGroup *> groupOf(const ModuleName &module) const;
  const std::vector<QuantizationGroup> &groups() const { return groups_; }
  const ModuleList &ignore() const { return ignore_; }
  // Unknown fields, one line each.
  const std::vector<std::string> &warnings() const { return warnings_; }

private:
  std::string where_;
  std::vector<QuantizationGroup> groups_;
  ModuleList ignore_;
  std::vector<std::string> warnings_;
};

} // namespace nibble
