#include "lib/Driver/Recipe.h"

#include "runtime/formats/model_weights.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Regex.h"

#include <fmt/format.h>

namespace nibble {

Result<numerics::Convention> parseConvention(const std::string &text) {
  if (auto convention = numerics::conventionNamed(text == "compressed-tensors" ? "compressed_tensors" : text))
    return *convention;
  return Status::usage("convention '" + text + "' is unknown; there are nibble, slime and compressed-tensors");
}

Result<numerics::Scheme> Recipe::numericsScheme() const {
  auto kind = numerics::kindNamed(scheme);
  if (!kind)
    return Status::usage("scheme '" + scheme + "' is unknown; there are int4, int8, fp8 and none");
  NIBBLE_ASSIGN(numerics::Convention parsed, parseConvention(convention));
  numerics::Scheme result{*kind, *kind == numerics::Kind::kFp8 ? 128 : groupSize, parsed};
  if (std::string problem = numerics::problemOf(result); !problem.empty())
    return Status::usage("scheme '" + scheme + "': " + problem);
  return result;
}

QuantizePassOptions Recipe::passOptions() const {
  QuantizePassOptions options;
  options.include = include;
  options.exclude = exclude;
  options.scheme = scheme;
  options.groupSize = groupSize;
  options.convention = convention == "compressed-tensors" ? "compressed_tensors" : convention;
  return options;
}

Result<std::vector<std::string>> selectTensors(const Recipe &recipe, const ModelConfig &config) {
  llvm::Regex include(recipe.include), exclude(recipe.exclude);
  std::string error;
  if (!include.isValid(error))
    return Status::usage("include '" + recipe.include + "': " + error);
  if (!recipe.exclude.empty() && !exclude.isValid(error))
    return Status::usage("exclude '" + recipe.exclude + "': " + error);
  std::vector<std::string> names;
  for (const ExpectedTensor &tensor : expectedTensors(config))
    if (tensor.isLinear && include.match(tensor.name) && (recipe.exclude.empty() || !exclude.match(tensor.name)))
      names.push_back(tensor.name);
  if (names.empty())
    return Status::usage("the recipe names no weight: include '" + recipe.include + "', exclude '" + recipe.exclude +
                         "'");
  return names;
}

} // namespace nibble
