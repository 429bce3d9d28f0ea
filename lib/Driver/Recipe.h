// What is quantized and how: the recipe that the command line, a run's
// configuration and the quantize pass share.
#pragma once

#include "lib/Names/selection.h"
#include "lib/Numerics/scheme.h"
#include "passes/Quantize/Passes.h"
#include "runtime/core/status.h"
#include "runtime/formats/model/model_config.h"

#include <string>
#include <vector>

namespace nibble {

struct Recipe {
  std::string scheme = "int4"; // of numerics::schemeNames()
  // One of numerics::groupSizes(); 0 means the whole row.
  int64_t groupSize = numerics::kDefaultGroupSize;
  std::string convention = "nibble";
  // Patterns on names of weights (lib/Names). Without include patterns every
  // weight is included. names::kDefaultExclude is excluded as well, unless
  // `defaultExclude` is false.
  std::vector<std::string> include, exclude;
  bool defaultExclude = true;
  // Makes errors of warnings: a named weight that stays in full precision, and
  // a pattern without effect.
  bool strict = false;
  // How the user's source spells the patterns and defaultExclude, for messages.
  names::Selection::Spelling spelling;

  bool quantizes() const { return scheme != "none"; }
  bool hasPatterns() const { return !include.empty() || !exclude.empty(); }
  // Whether the patterns must be checked against the names of weights. A
  // pattern that matches none is an error even when nothing is quantized.
  bool selects() const { return quantizes() || hasPatterns(); }
  // Usage error for an unknown scheme or convention, or a group size that the
  // scheme does not have.
  Result<numerics::Scheme> numericsScheme() const;
  // Usage error for a recipe of the command line whose scheme, group size and
  // convention do not go together. In a configuration one group size stands
  // beside two schemes, and runtime/rl/config checks it.
  Status check() const;
  // Usage error for a malformed pattern.
  Result<names::Selection> selection() const;
  // The recipe as options of nibble-quantize.
  QuantizePassOptions passOptions() const;
};

Result<numerics::Convention> parseConvention(const std::string &text);

struct SelectedTensors {
  std::vector<std::string> names;
  std::vector<std::string> warnings; // patterns that have no effect
  // Embeddings that the recipe names. They could be quantized only if a product
  // used them.
  std::vector<std::string> embeddings;
};

// The linear weights of a model that the recipe names. Usage errors are those
// of names::Selection: a malformed pattern, one that matches nothing (with the
// names that are close) or only what cannot be packed, or no weight left. When
// the recipe is strict, a pattern without effect is a usage error too.
Result<SelectedTensors> selectTensors(const Recipe &recipe,
                                      const ModelConfig &config);

} // namespace nibble
