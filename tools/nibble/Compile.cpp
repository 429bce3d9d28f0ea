// nibble compile: a checkpoint's programs through the stages, each stage's module written for reading.
#include "tools/nibble/Commands.h"

#include "lib/Driver/Model.h"
#include "runtime/core/file.h"
#include "tools/nibble/RecipeOptions.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>

namespace nibble {

namespace {

struct CompileArguments {
  std::string model, program = "train", dumpStages, dtype = "bfloat16", objective = "grpo", recompute = "layer";
  Recipe recipe;
  bool noHoist = false;
};

void describe(const Program &program) {
  for (const nibble_function &function : program.functions())
    fmt::print("{}: {} arguments, {} results\n", function.name, function.argument_count, function.result_count);
}

Status compileModel(const CompileArguments &arguments) {
  NIBBLE_ASSIGN(auto model, Model::open(arguments.model));
  if (!arguments.dumpStages.empty())
    NIBBLE_TRY(makeFolders(arguments.dumpStages));
  ProgramOptions options;
  options.float32 = arguments.dtype == "float32";
  options.train = options.rollout = arguments.recipe;
  options.hoist = !arguments.noHoist;
  options.recompute = arguments.recompute;
  options.objective = arguments.objective;
  options.dumpStages = arguments.dumpStages;
  Session session;
  ModelCompiler compiler(session, model->config(), options);
  auto begin = std::chrono::steady_clock::now();
  Result<Program> program = arguments.program == "train"    ? compiler.training()
                            : arguments.program == "rollout" ? compiler.rollout()
                                                             : compiler.logits();
  if (!program.isOk())
    return program.status();
  describe(*program);
  fmt::print("compiled in {:.2f} s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return Status::ok();
}

} // namespace

void addCompile(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand("compile", "Take a checkpoint's program through the stages and compile it.");
  auto arguments = std::make_shared<CompileArguments>();
  command->add_option("--model", arguments->model, "checkpoint folder")->required();
  command->add_option("--program", arguments->program, "train, rollout or logits")
      ->check(CLI::IsMember({"train", "rollout", "logits"}))
      ->capture_default_str();
  command->add_option("--dump-stages", arguments->dumpStages, "folder for one numbered file a stage");
  command->add_option("--objective", arguments->objective, "sft, grpo or a path")->capture_default_str();
  command->add_option("--recompute", arguments->recompute, "layer or none")->capture_default_str();
  command->add_option("--dtype", arguments->dtype, "of weights and activations")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  command->add_flag("--no-hoist", arguments->noHoist, "quantize in every forward instead of in the update");
  addRecipeOptions(*command, arguments->recipe);
  command->callback([arguments, &status] { status = compileModel(*arguments); });
}

} // namespace nibble
