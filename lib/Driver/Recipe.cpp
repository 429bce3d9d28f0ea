// Checks a recipe and chooses the weights that it names.
#include "lib/Driver/Recipe.h"

#include "runtime/formats/checkpoint/model_weights.h"

#include <fmt/format.h>

namespace nibble {

Result<numerics::Convention> parseConvention(const std::string &text) {
  if (auto convention = numerics::conventionSpelled(text))
    return *convention;
  return Status::usage("convention '" + text + "' is unknown; there are " +
                       numerics::conventionChoices(" and "));
}

Result<numerics::Scheme> Recipe::numericsScheme() const {
  auto kind = numerics::kindNamed(scheme);
  if (!quantizes())
    return Status::usage("scheme 'none' has no codes; choose " +
                         numerics::schemeChoices(" or ", /*withNone=*/false));
  if (!kind)
    return Status::usage("scheme '" + scheme + "' is unknown; there are " +
                         numerics::schemeChoices(" and "));
  NIBBLE_ASSIGN(numerics::Convention parsed, parseConvention(convention));
  numerics::Scheme result = numerics::schemeOf(*kind, groupSize, parsed);
  if (std::string problem = numerics::problemOf(result); !problem.empty())
    return Status::usage("scheme '" + scheme + "': " + problem +
                         "; choose one that the scheme takes");
  return result;
}

Status Recipe::check() const {
  if (!quantizes())
    return parseConvention(convention).status();
  NIBBLE_ASSIGN(numerics::Scheme asked, numericsScheme());
  if (numerics::takesGroupSize(asked.kind, groupSize))
    return Status::ok();
  asked.groupSize = groupSize;
  return Status::usage("scheme '" + scheme +
                       "': " + numerics::problemOf(asked) +
                       "; leave the group size out");
}

Result<names::Selection> Recipe::selection() const {
  std::string problem;
  auto parsed = names::Selection::parse(include, exclude, defaultExclude,
                                        spelling, problem);
  return parsed ? Result<names::Selection>(std::move(*parsed))
                : Status::usage(problem);
}

QuantizePassOptions Recipe::passOptions() const {
  QuantizePassOptions options;
  options.include = {include.begin(), include.end()};
  options.exclude = {exclude.begin(), exclude.end()};
  options.defaultExclude = defaultExclude;
  options.strict = strict;
  options.scheme = scheme;
  options.groupSize = groupSize;
  options.convention = convention;
  return options;
}

Result<SelectedTensors> selectTensors(const Recipe &recipe,
                                      const ModelConfig &config) {
  NIBBLE_ASSIGN(names::Selection selection, recipe.selection());
  std::vector<names::NamedWeight> weights;
  std::vector<ExpectedTensor> tensors = expectedTensors(config);
  for (const ExpectedTensor &tensor : tensors)
    weights.push_back(
        {tensor.name, tensor.isLinear,
         tensor.shape.size() == 2 ? "an embedding" : "a norm or a bias",
         tensor.shape.size() < 2});
  if (std::string wrong = selection.problemWith(weights); !wrong.empty())
    return Status::usage(wrong);
  SelectedTensors selected{{}, selection.warningsWith(weights), {}};
  if (recipe.strict && !selected.warnings.empty())
    return Status::usage(selected.warnings.front());
  for (const ExpectedTensor &tensor : tensors) {
    if (tensor.shape.size() != 2 || !selection.chooses(tensor.name))
      continue;
    (tensor.isLinear ? selected.names : selected.embeddings)
        .push_back(tensor.name);
  }
  return selected;
}

} // namespace nibble
