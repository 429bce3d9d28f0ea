// Compiler options for the programs of a run.
#include "tools/nibble/RunPrograms.h"

namespace nibble {

namespace {

Recipe recipeOf(const Config &config, const std::string &scheme) {
  Recipe recipe;
  recipe.scheme = scheme;
  recipe.groupSize = config.quantize.groupSize;
  recipe.convention = config.quantize.convention;
  recipe.include = config.quantize.include;
  recipe.exclude = config.quantize.exclude;
  recipe.defaultExclude = config.quantize.defaultExclude;
  recipe.strict = config.quantize.strict;
  recipe.spelling = kQuantizeSpelling;
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
