// The command line of sft and rl: options that override the configuration, and
// the output of a run.
#include "tools/nibble-train/TrainCommands.h"

#include "runtime/core/stop.h"
#include "tools/CheckpointFolder.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <omp.h>

#include <filesystem>

namespace nibble {

namespace {

struct TrainArguments {
  std::string config;
  std::string out;
  std::string model;
  std::string target;
  std::vector<std::string> set;
  std::optional<int64_t> seed;
  std::optional<int64_t> threads;
  bool resume = false;
  bool dryRun = false;
  bool noHoist = false;
};

// The configuration's file, with the command line's overrides.
Result<Config> configOf(const TrainArguments &arguments, bool supervised) {
  std::vector<std::string> set = arguments.set;
  auto quote = [](const std::string &text) {
    return Json(text).dump();
  }; // TOML strings are written like JSON strings
  if (!arguments.out.empty())
    set.push_back("run.out=" + quote(arguments.out));
  if (!arguments.model.empty())
    set.push_back("model.path=" + quote(arguments.model));
  if (arguments.seed)
    set.push_back(fmt::format("run.seed={}", *arguments.seed));
  if (!arguments.target.empty())
    set.push_back("run.target=" + quote(arguments.target));
  if (arguments.threads)
    set.push_back(fmt::format("run.threads={}", *arguments.threads));
  NIBBLE_ASSIGN(Config config, loadConfig(arguments.config, set));
  NIBBLE_TRY(checkCanLearn(config, supervised).within(arguments.config));
  if (config.run.out.empty())
    return Status::usage(arguments.config +
                         ": run.out is not set; give a folder with --out");
  return config;
}

Status train(const TrainArguments &arguments, bool supervised,
             const ProgramSource &programs) {
  NIBBLE_ASSIGN(Config config, configOf(arguments, supervised));
  if (config.run.threads > 0)
    omp_set_num_threads(static_cast<int>(config.run.threads));
  installStopSignals();
  if (std::error_code none; !std::filesystem::exists(config.model.path, none))
    return Status::badInput(
        fmt::format("{}: model.path: there is no folder '{}'; make that "
                    "checkpoint first or give another with --model",
                    arguments.config, config.model.path));

  RunMessages messages;
  messages.note = [](const std::string &line) {
    fmt::print(stderr, "nibble: {}\n", line);
  };
  messages.warn = printWarning;
  std::string out = config.run.out;
  RunOptions options{supervised, arguments.resume, !arguments.noHoist,
                     arguments.dryRun};
  NIBBLE_ASSIGN(auto run, TrainingRun::create(std::move(config), options,
                                              programs, std::move(messages)));
  if (arguments.dryRun)
    return run->describe(
        [](const std::string &line) { fmt::print("{}\n", line); });
  NIBBLE_TRY(run->run());
  if (run->hasEnded())
    fmt::print("{0}/model: the trained weights\n{0}/report.html: the report\n",
               out);
  return Status::ok();
}

void addLoop(CLI::App &app, Status &status, const ProgramSource &programs,
             const char *name, const char *description, bool supervised) {
  auto *command = app.add_subcommand(name, description);
  auto arguments = std::make_shared<TrainArguments>();
  command->add_option("config", arguments->config, "TOML file of the run")
      ->required();
  command->add_option(
      "--out", arguments->out,
      "folder of the run: metrics, checkpoints, trained weights, report");
  command->add_option("--model", arguments->model,
                      "checkpoint folder, instead of the configuration's");
  command->add_option(
      "--target", arguments->target,
      "where programs run, instead of the configuration's: host, cuda, simt");
  command
      ->add_option(
          "--set", arguments->set,
          "section.key=value, over the configuration; may be given again")
      ->allow_extra_args(false);
  command->add_option("--seed", arguments->seed, "of everything random");
  command->add_option("--threads", arguments->threads,
                      "default: one for each core");
  command->add_flag("--resume", arguments->resume,
                    "go on from the newest checkpoint of the run");
  command->add_flag("--dry-run", arguments->dryRun,
                    "print parameters, memory and steps, and stop");
  command->add_flag("--no-hoist", arguments->noHoist,
                    "quantize in every forward instead of in the update; the "
                    "same bits, slower");
  command->callback([arguments, supervised, programs, &status] {
    status = train(*arguments, supervised, programs);
  });
}

} // namespace

void addTraining(CLI::App &app, Status &status, const ProgramSource &programs) {
  addLoop(app, status, programs, "sft",
          "Supervised training on a task's problems and their answers.",
          /*supervised=*/true);
  addLoop(app, status, programs, "rl",
          "Reinforcement learning: sample, score, compare, update.",
          /*supervised=*/false);
}

} // namespace nibble
