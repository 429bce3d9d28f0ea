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
  int64_t groupSize = 32;      // of numerics::groupSizes(); 0: the whole row
  std::string convention = "nibble";
  // Patterns on names of weights (lib/Names): no include is every weight;
  // names::kDefaultExclude is left out as well.
  std::vector<std::string> include, exclude;
  bool defaultExclude = true;
  // What it names and what stays in full precision, and a pattern without
  // effect, is an error, not a warning.
  bool strict = false;
  names::Selection::Spelling spelling; // of the patterns and of defaultExclude,
                                       // where the user wrote them

  bool quantizes() const { return scheme != "none"; }
  bool hasPatterns() const { return !include.empty() || !exclude.empty(); }
  // Whether there is something to hold against the names of weights: a pattern
  // that matches none is wrong where nothing is quantized, too.
  bool selects() const { return quantizes() || hasPatterns(); }
  // Usage error for a scheme, group size or convention that there is not.
  Result<numerics::Scheme> numericsScheme() const;
  // Usage error for a pattern that is none.
  Result<names::Selection> selection() const;
  // These options of nibble-quantize.
  QuantizePassOptions passOptions() const;
};

Result<numerics::Convention> parseConvention(const std::string &text);

struct SelectedTensors {
  std::vector<std::string> names;
  std::vector<std::string> warnings;   // patterns that have no effect
  std::vector<std::string> embeddings; // which the recipe names: only a product
                                       // with them could be quantized
};

// The linear weights of a model that the recipe names. Usage error as of
// names::Selection: a pattern that is none, that matches nothing (with the
// names that are close) or only what cannot be packed, or when no weight is
// left. A strict recipe's patterns without effect are usage errors too.
Result<SelectedTensors> selectTensors(const Recipe &recipe,
                                      const ModelConfig &config);

} // namespace nibble
