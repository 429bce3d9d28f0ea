// nibble sft, nibble rl: programs compiled for the run's configuration.
#include "tools/nibble/Commands.h"

#include "lib/Driver/Model.h"
#include "tools/nibble-train/Training.h"

#include <CLI/CLI.hpp>

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

ProgramOptions programOptions(const ProgramRequest &request) {
  const Config &config = request.config;
  ProgramOptions options;
  options.float32 = config.model.dtype == "float32";
  options.train = recipeOf(config, config.quantize.train);
  options.rollout = recipeOf(config, config.quantize.rollout);
  options.hoist = request.hoist;
  options.recompute = "none";
  options.objective = request.supervised ? "sft" : config.rl.objective;
  if (!request.supervised)
    options.objectiveConstants = objectiveConstants(config.rl);
  return options;
}

Result<TrainingPrograms> compile(const ProgramRequest &request) {
  Session session;
  ProgramOptions options = programOptions(request);
  NIBBLE_ASSIGN(options.residence, openResidence(request.config.run.target, request.planOnly));
  ModelCompiler compiler(session, request.model, std::move(options));
  NIBBLE_ASSIGN(Program training, compiler.training());
  NIBBLE_ASSIGN(Program rollout, compiler.rollout());
  return TrainingPrograms{std::move(training), std::move(rollout)};
}

} // namespace

void addTrain(CLI::App &app, Status &status) { addTraining(app, status, compile); }

} // namespace nibble
