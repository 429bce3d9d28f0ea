// nibble compile: runs the module of a checkpoint or a file through the stages,
// to the end or to one of them.
#include "tools/nibble/Commands.h"

#include "lib/Driver/HostBundle.h"
#include "lib/Driver/KernelReport.h"
#include "lib/Driver/ModelCompiler.h"
#include "lib/Driver/Stages.h"
#include "lib/Objectives/Objectives.h"
#include "runtime/bundle/bundle.h"
#include "runtime/rl/config/program_properties.h"
#include "tools/CheckpointFolder.h"
#include "tools/nibble/RecipeOptions.h"
#include "tools/nibble/RunPrograms.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>

namespace nibble {

namespace {

struct CompileArguments {
  std::string input;
  std::string program = "train";
  std::string stopAfter;
  std::string dumpStages;
  std::string dtype = "bfloat16";
  std::string objective = "grpo";
  std::string recompute = "layer";
  std::string cpu = "host";
  std::string output;
  std::string target = "host";
  std::string config;
  std::string loop = "rl";
  Recipe recipe;
  std::vector<std::string> set; // overrides of --config
  bool noHoist = false, kernelReport = false, recomputeGiven = false;
  int64_t tokens = 64;
};

llvm::ArrayRef<Stage> stagesOf(const std::string &program) {
  if (program == "train")
    return trainingStages();
  if (program == "rollout")
    return rolloutStages();
  return program == "logits" ? logitsStages() : llvm::ArrayRef<Stage>();
}

// Imports a checkpoint, or reads a file.
Result<mlir::OwningOpRef<mlir::ModuleOp>>
moduleOf(Session &session, const CompileArguments &arguments,
         const ProgramOptions &options, const Recipe &recipe) {
  if (arguments.input.ends_with(".mlir"))
    return session.parseFile(arguments.input);
  NIBBLE_ASSIGN(auto model, openModel(arguments.input));
  if (arguments.program == "none" ? recipe.hasPatterns() : recipe.selects())
    if (auto selected = selectTensors(recipe, model->config());
        !selected.isOk())
      return std::move(selected).takeStatus();
  return ModelCompiler(session, model->config(), options).importModule();
}

void describe(const Program &program) {
  for (const nibble_function &function : program.functions())
    fmt::print("{}: {} arguments, {} results\n", function.name,
               function.argument_count, function.result_count);
}

Status compileForDevice(const CompileArguments &arguments,
                        const std::string &properties, Session &session,
                        mlir::ModuleOp module) {
  NIBBLE_ASSIGN(GpuTarget target, session.deviceTarget(module));
  nvptx::Assembly assembly;
  NIBBLE_ASSIGN(
      DeviceProgram program,
      session.compileForDevice(module, /*assemble=*/true,
                               arguments.kernelReport ? &assembly : nullptr));
  if (!arguments.output.empty())
    NIBBLE_TRY(
        writeBundle(arguments.output, program, arguments.target, properties));
  for (const ProgramFunction &function : program.functions)
    if (function.exported)
      fmt::print("{}: {} arguments, {} results, {} commands\n", function.name,
                 function.arguments.size(), function.results.size(),
                 function.commands.size());
  fmt::print("{} kernels, {} bytes of PTX, {} of machine code\n",
             program.kernels.size(), program.image.ptx.size(),
             program.image.cubin.size());
  if (arguments.kernelReport) {
    NIBBLE_ASSIGN(std::string report,
                  kernelReport(program, assembly, target, arguments.tokens));
    fmt::print("{}", report);
  }
  return Status::ok();
}

Status compile(const CompileArguments &arguments) {
  if (arguments.kernelReport && arguments.target == "host")
    return Status::usage(
        "--kernel-report is of an H200's kernels; give --target cuda");
  ProgramOptions options;
  Recipe recipe = arguments.recipe;
  std::string properties;
  if (arguments.config.empty()) {
    NIBBLE_TRY(arguments.recipe.check());
    options.float32 = arguments.dtype == "float32";
    options.recompute = arguments.recompute;
    options.objective = arguments.objective;
  } else {
    if (arguments.program != "train" && arguments.program != "rollout")
      return Status::usage("--config is for the programs of a run; give "
                           "--program train or rollout");
    NIBBLE_ASSIGN(Config config, loadConfig(arguments.config, arguments.set));
    bool supervised = arguments.loop == "sft";
    options = programOptions(config, supervised);
    if (arguments.recomputeGiven)
      options.recompute = arguments.recompute;
    recipe = arguments.program == "train" ? options.train : options.rollout;
    properties =
        programProperties(config, supervised, arguments.program).dump();
  }
  options.hoist = !arguments.noHoist;
  options.host.cpu = arguments.cpu;
  Session session(printWarning);
  NIBBLE_ASSIGN(auto module, moduleOf(session, arguments, options, recipe));
  auto begin = std::chrono::steady_clock::now();
  // A stage that only one target has implies that target.
  const std::string &last = arguments.stopAfter;
  bool stopped = !last.empty();
  bool hopper = arguments.target != "host";
  if (hasStage(hopperStages(), last) != hasStage(hostStages(), last))
    hopper = hasStage(hopperStages(), last);
  // An unchanged module may come from anybody and contain assertions, which
  // devices do not have.
  if (arguments.program == "none" && arguments.target == "host" && !hopper)
    NIBBLE_TRY(session.run(*module, kPrepareForeign));
  StageOptions stages = options.stageOptions(recipe);
  stages.rollout.sample = arguments.target != "host";
  StageRunner runner(session, stages, arguments.dumpStages);
  llvm::ArrayRef<Stage> ofProgram = stagesOf(arguments.program);
  if (stopped)
    NIBBLE_TRY(checkStage(last, ofProgram));
  NIBBLE_TRY(runner.run(*module, ofProgram, last));
  auto lower = [&](mlir::ModuleOp of) {
    return hopper ? runner.lowerToHopper(of, last)
                  : runner.lowerToHost(of, options.host, last);
  };
  if (stopped && !hasStage(ofProgram, last)) {
    NIBBLE_TRY(lower(*module));
  } else if (!stopped && !arguments.dumpStages.empty()) {
    mlir::OwningOpRef<mlir::ModuleOp> copy(module->clone());
    NIBBLE_TRY(lower(*copy));
  }
  if (stopped) {
    if (arguments.dumpStages.empty())
      fmt::print("{}", textOf(*module));
    return Status::ok();
  }
  if (arguments.target != "host") {
    NIBBLE_TRY(compileForDevice(arguments, properties, session, *module));
  } else if (!arguments.output.empty()) {
    NIBBLE_TRY(writeHostBundle(session, *module, options.host, arguments.output,
                               properties));
  } else {
    NIBBLE_ASSIGN(Program program,
                  session.compileForHost(*module, options.host));
    describe(program);
  }
  fmt::print(
      "compiled in {:.2f} s\n",
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count());
  return Status::ok();
}

} // namespace

void addCompile(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "compile",
      "Take a module through the stages and compile it for this machine.");
  auto arguments = std::make_shared<CompileArguments>();
  command
      ->add_option("input,--model", arguments->input,
                   "checkpoint folder, or a module in text (.mlir)")
      ->required();
  command->add_option(
      "-o,--output", arguments->output,
      "bundle to write (.nbl), which nibble-run runs; default: only compile");
  command->add_option("--target", arguments->target, "what to compile for")
      ->check(CLI::IsMember({"host", "cuda", "simt"}))
      ->capture_default_str();
  command
      ->add_option("--program", arguments->program,
                   "train, rollout, logits, or none: only lower what is there")
      ->check(CLI::IsMember({"train", "rollout", "logits", "none"}))
      ->capture_default_str();
  command->add_option(
      "--stop-after", arguments->stopAfter,
      "stage to stop after (import, quantize, ..., lower-to-host or "
      "lower-to-hopper); its module is printed, or left in --dump-stages");
  command->add_option("--dump-stages", arguments->dumpStages,
                      "folder for one numbered file a stage");
  command->add_option("--config", arguments->config,
                      "TOML file of a run: its element type, recipe and "
                      "objective; such a bundle is what nibble-train runs");
  command
      ->add_option("--set", arguments->set,
                   "section.key=value, over --config; may be given again")
      ->allow_extra_args(false);
  command
      ->add_option("--loop", arguments->loop,
                   "of --config, the loop that trains: rl or sft")
      ->check(CLI::IsMember({"rl", "sft"}))
      ->capture_default_str();
  command
      ->add_option("--objective", arguments->objective,
                   objectiveNames(", ", ", ") + ", or a path")
      ->capture_default_str();
  command
      ->add_option("--recompute", arguments->recompute,
                   "layer or none; of --config none unless it is given")
      ->capture_default_str();
  command
      ->add_option("--dtype", arguments->dtype,
                   "of weights and activations of a checkpoint")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  command
      ->add_option("--cpu", arguments->cpu,
                   "CPU to compile for: host, or a name LLVM knows")
      ->capture_default_str();
  command->add_flag("--no-hoist", arguments->noHoist,
                    "quantize in every forward instead of in the update");
  command->add_flag(
      "--kernel-report", arguments->kernelReport,
      "of --target cuda: tile, stages, shared memory, registers and spills (by "
      "ptxas), bytes, operations and floor time of each kernel");
  command
      ->add_option("--tokens", arguments->tokens,
                   "of the calls that --kernel-report counts")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  addRecipeOptions(*command, arguments->recipe);
  for (const char *given :
       {"--objective", "--dtype", "--scheme", "--group-size", "--convention",
        "--include", "--exclude", "--no-default-exclude", "--strict"})
    command->get_option("--config")->excludes(command->get_option(given));
  command->callback([arguments, command, &status] {
    arguments->recomputeGiven = command->count("--recompute") > 0;
    status = compile(*arguments);
  });
}

} // namespace nibble
