// nibble sft, nibble rl: compile programs for the run's configuration and run
// its loop.
#include "tools/nibble/Commands.h"

#include "tools/CheckpointFolder.h"
#include "tools/nibble-train/TrainCommands.h"
#include "tools/nibble/RunPrograms.h"

#include <CLI/CLI.hpp>

namespace nibble {

namespace {

Result<TrainingPrograms> compilePrograms(const ProgramRequest &request) {
  Session session(printWarning);
  ProgramOptions options = programOptions(request.config, request.supervised);
  options.hoist = request.hoist;
  NIBBLE_ASSIGN(options.residence,
                openResidence(request.config.run.target, request.planOnly));
  ModelCompiler compiler(session, request.model, std::move(options));
  NIBBLE_ASSIGN(Program training, compiler.training());
  NIBBLE_ASSIGN(Program rollout, compiler.rollout());
  return TrainingPrograms{std::move(training), std::move(rollout)};
}

} // namespace

void addTrain(CLI::App &app, Status &status) {
  addTraining(app, status, compilePrograms);
}

} // namespace nibble
