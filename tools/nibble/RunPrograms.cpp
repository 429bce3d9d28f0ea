#include "tools/nibble/RunPrograms.h"

namespace nibble {

namespace {

// One expression that matches what any of the list does.
std::string joinExpressions(const std::vector<std::string> &expressions, const std::string &otherwise) {
  std::string joined;
  for (const std::string &expression : expressions)
    joined += (joined.empty() ? "(" : "|(") + expression + ")";
  return joined.empty() ? otherwise : joined;
}

Recipe recipeOf(const Config &config, const std::string &scheme) {
  Recipe recipe;
  recipe.scheme = scheme;
  recipe.groupSize = config.quantize.groupSize;
  recipe.convention = config.quantize.convention;
  recipe.include = joinExpressions(config.quantize.include, recipe.include);
  recipe.exclude = joinExpressions(config.quantize.exclude, config.quantize.include.empty() ? recipe.exclude : "");
  return recipe;
}

} // namespace

ProgramOptions programOptions(const Config &config, bool supervised) {
  ProgramOptions options;
  options.float32 = config.model.dtype == "float32";
  options.train = recipeOf(config, config.quantize.train);
  options.rollout = recipeOf(config, config.quantize.rollout);
  options.recompute = "none";
  options.objective = supervised ? "sft" : config.rl.objective;
  if (!supervised)
    options.objectiveConstants = objectiveConstants(config.rl);
  return options;
}

} // namespace nibble
