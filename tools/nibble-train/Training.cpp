// sft and rl: the training loops, on programs made for the run's configuration.
#include "tools/nibble-train/Training.h"

#include "runtime/core/stop.h"
#include "runtime/report/progress.h"
#include "runtime/report/report.h"
#include "runtime/rl/grpo.h"
#include "runtime/rl/run_folder.h"
#include "runtime/rl/sft.h"
#include "runtime/train/export.h"
#include "tools/CheckpointFolder.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <omp.h>

namespace nibble {

namespace {

struct TrainArguments {
  std::string config, out, model, target;
  std::vector<std::string> set;
  std::optional<int64_t> seed, threads;
  bool resume = false, dryRun = false, noHoist = false;
};

// Everything a loop is made of. Members are declared so that what is borrowed
// outlives who borrows it.
struct Parts {
  std::optional<RunFolder>
      folder; // locked for as long as the command runs; none in a dry run
  std::unique_ptr<Model> model;
  std::optional<Tokenizer> tokenizer;
  std::optional<TokenizerCodec> codec;
  std::unique_ptr<Task> task;
  std::unique_ptr<RewardFunction> reward;
  std::optional<Program> training, rollout;
  ParameterStore store, initial;
  std::optional<Trainer> trainer;
  std::optional<RolloutEngine> engine;
  std::optional<LogProbability> reference;

  LoopParts loopParts() {
    LoopParts parts;
    parts.trainer = &*trainer;
    parts.store = &store;
    parts.rollout = engine ? &*engine : nullptr;
    parts.reference = reference ? &*reference : nullptr;
    parts.environment = {task.get(), &*codec, reward.get(), stopTokens,
                         contextLength};
    return parts;
  }
  std::vector<int32_t> stopTokens;
  int64_t contextLength = 0; // tokens of prompt and response
};

// Whether the run samples, and so has a cache of keys and values. Supervised
// training does where it evaluates.
bool generates(const Config &config, bool supervised) {
  return !supervised || config.eval.every > 0;
}

// Says when training begins with other weights than a packed checkpoint has.
// Masters are the values of its codes, and the grid rounds them.
Status warnOfRounding(const Config &config, const Model &model) {
  const QuantizeConfig &quantize = config.quantize;
  auto trained = numerics::kindNamed(quantize.train);
  auto kind = trained ? trained : numerics::kindNamed(quantize.rollout);
  if (!kind)
    return Status::ok();
  std::string problem;
  auto selection = names::Selection::parse(quantize.include, quantize.exclude,
                                           quantize.defaultExclude,
                                           kQuantizeSpelling, problem);
  auto convention = numerics::conventionNamed(quantize.convention);
  if (!selection || !convention)
    return Status::usage("quantize: " + problem);
  numerics::Scheme scheme{
      *kind, *kind == numerics::Kind::kFp8 ? 128 : quantize.groupSize,
      *convention};
  GridSpelling spelling = {
      trained ? "quantize.train = \"{}\"" : "quantize.rollout = \"{}\"",
      "quantize.group_size = {}", "quantize.convention = \"{}\""};
  return printRounding(model,
                       {scheme, std::move(*selection), std::move(spelling)});
}

Status build(const Config &config, bool supervised,
             const TrainArguments &arguments, const ProgramSource &programs,
             Parts &parts) {
  NIBBLE_ASSIGN(TextParts text,
                loadText(config.model.path, parts.model->config()));
  parts.tokenizer.emplace(std::move(text.tokenizer));
  parts.stopTokens = std::move(text.stopTokens);
  parts.codec.emplace(*parts.tokenizer);
  parts.contextLength = config.model.contextLength > 0
                            ? config.model.contextLength
                            : parts.model->config().maxPositions;
  NIBBLE_ASSIGN(parts.task, createTask(
                                config, *parts.codec, parts.contextLength,
                                [](const std::string &line) {
                                  fmt::print(stderr, "nibble: {}\n", line);
                                },
                                supervised));
  NIBBLE_ASSIGN(parts.reward, createReward(config));
  // Before the seconds of compiling: a folder that holds another run or that
  // another process works in is told at once.
  if (!arguments.dryRun) {
    NIBBLE_ASSIGN(
        parts.folder,
        RunFolder::open({config.run.out, identityOf(config, supervised),
                         supervised ? "sft" : "rl", config.run.keepCheckpoints,
                         arguments.resume}));
  }

  NIBBLE_ASSIGN(TrainingPrograms made,
                programs({config, parts.model->config(), supervised,
                          !arguments.noHoist, arguments.dryRun}));
  parts.training = std::move(made.training);
  parts.rollout = std::move(made.rollout);
  NIBBLE_TRY(parts.store.declare(*parts.training));
  NIBBLE_TRY(parts.store.declare(*parts.rollout));
  NIBBLE_TRY(parts.store.initialize(*parts.model));
  if (!parts.folder || parts.folder->startStep() ==
                           0) // a run that goes on has weights of its own
    NIBBLE_TRY(warnOfRounding(config, *parts.model));

  int64_t steps = supervised ? config.sft.steps
                             : config.rl.steps * config.rl.updatesPerStep;
  NIBBLE_ASSIGN(parts.trainer,
                Trainer::create(*parts.training, parts.store,
                                TrainerOptions{optimizerFor(config, steps),
                                               config.train.maxTokens}));
  if (!generates(config, supervised))
    return Status::ok();
  RolloutOptions rollout;
  rollout.maxTokensPerCall = config.rollout.maxTokensPerCall;
  rollout.maxRunning = config.rollout.maxRunning;
  rollout.cacheBytes = config.rollout.cacheMegabytes << 20;
  rollout.threads = omp_get_max_threads();
  rollout.contextLength = parts.contextLength;
  NIBBLE_ASSIGN(parts.engine,
                RolloutEngine::create(*parts.rollout,
                                      parts.store.lookupFunction(), rollout));
  if (!supervised && config.rl.klCoefficient > 0) {
    NIBBLE_TRY(parts.initial.declare(*parts.training, {"log_probability"}));
    NIBBLE_TRY(parts.initial.initialize(*parts.model));
    NIBBLE_ASSIGN(parts.reference,
                  LogProbability::create(*parts.training,
                                         parts.initial.lookupFunction(),
                                         config.train.maxTokens));
  }
  return Status::ok();
}

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

// Of a run on a device: the arena of each function's largest call, and what the
// run takes beside that, of what the device has. Parameters and cache stay
// there; a call at a time has the arena.
Status describeDevice(const Config &config, bool supervised, const Parts &parts,
                      const Residence &device) {
  int64_t largest = 0;
  auto calls = [&](const char *option, const Program &program,
                   int64_t tokens) -> Status {
    std::string text;
    for (const nibble_function &info : program.functions()) {
      NIBBLE_ASSIGN(Function function, program.function(info.name));
      NIBBLE_ASSIGN(int64_t bytes, function.planBytes(tokens));
      largest = std::max(largest, bytes);
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", info.name,
                          megabytes(bytes));
    }
    fmt::print("{:<12} of calls with {} = {}: {}\n", "arena", option, tokens,
               text);
    return Status::ok();
  };
  NIBBLE_TRY(
      calls("train.max_tokens", *parts.training, config.train.maxTokens));
  int64_t cache = 0;
  if (generates(config, supervised)) {
    cache = config.rollout.cacheMegabytes << 20;
    NIBBLE_TRY(calls("rollout.max_tokens_per_call", *parts.rollout,
                     config.rollout.maxTokensPerCall));
    // Logits stay on the device beside the arena (Function::keepOnDevice).
    NIBBLE_ASSIGN(Function forward, parts.rollout->function("forward"));
    if (int logits = forward.result("logits");
        logits >= 0 && parts.rollout->has("sample"))
      largest += config.rollout.maxTokensPerCall *
                 forward.info().results[logits].shape[1] *
                 static_cast<int64_t>(sizeof(float));
  }
  int64_t most = device.memory().total;
  int64_t total = parts.store.bytes() + parts.initial.bytes() + cache + largest;
  fmt::print("{:<12} {}\n{:<12} {} at most, of {}{}\n", "device",
             device.describe(), "on it", megabytes(total), megabytes(most),
             total <= most
                 ? ""
                 : ": too much; lower train.max_tokens, "
                   "rollout.max_tokens_per_call or rollout.cache_megabytes");
  return Status::ok();
}

// What --dry-run prints: what would be done, and what it takes.
Status describePlan(const Config &config, bool supervised, const Parts &parts) {
  int64_t parameters = 0;
  int64_t bytes[5] = {};
  constexpr const char *kinds[] = {"weight:", "packed:", "master:", "moment",
                                   "gradient:"};
  for (const auto &[key, tensor] : parts.store.tensors()) {
    parameters += key.starts_with("master:") ? tensor.elements() : 0;
    for (int i = 0; i < 5; ++i)
      bytes[i] +=
          key.starts_with(kinds[i]) ? static_cast<int64_t>(tensor.bytes()) : 0;
  }
  auto line = [](const char *what, const std::string &text) {
    fmt::print("{:<12} {}\n", what, text);
  };
  line("parameters", fmt::format("{}", parameters));
  line("memory",
       fmt::format(
           "{}: weights {}, packed {}, masters {}, moments {}, gradients {}",
           megabytes(parts.store.bytes()), megabytes(bytes[0]),
           megabytes(bytes[1]), megabytes(bytes[2]), megabytes(bytes[3]),
           megabytes(bytes[4])));
  line("cache",
       generates(config, supervised)
           ? fmt::format(
                 "{} at most, of keys and values (rollout.cache_megabytes)",
                 megabytes(config.rollout.cacheMegabytes << 20))
           : "none, nothing is generated (eval.every = 0)");
  if (std::shared_ptr<Residence> device = parts.training->residence())
    NIBBLE_TRY(describeDevice(config, supervised, parts, *device));
  else
    line("activations",
         fmt::format("grow with train.max_tokens = {}{}",
                     config.train.maxTokens,
                     generates(config, supervised)
                         ? fmt::format(" and rollout.max_tokens_per_call = {}",
                                       config.rollout.maxTokensPerCall)
                         : std::string()));
  if (supervised)
    line("steps", fmt::format("{} of {} sequences", config.sft.steps,
                              config.sft.sequencesPerStep));
  else
    line("steps",
         fmt::format("{} of {} prompts, {} samples each, {} updates",
                     config.rl.steps, config.rl.promptsPerStep,
                     config.rl.samplesPerPrompt, config.rl.updatesPerStep));
  line("quantize",
       fmt::format("train {}, rollout {}, group size {}, convention {}",
                   config.quantize.train, config.quantize.rollout,
                   config.quantize.groupSize, config.quantize.convention));
  line("threads", fmt::format("{}", omp_get_max_threads()));
  line("out", config.run.out);
  return Status::ok();
}

std::string detail(const StepMetrics &line) {
  std::string text;
  auto show = [&](const char *label, const char *key, const char *format) {
    if (auto value = line.values.find(key); value != line.values.end())
      text += fmt::format("{}{} {}", text.empty() ? "" : "  ", label,
                          fmt::format(fmt::runtime(format), value->second));
  };
  show("reward", "reward_mean", "{:.3f}");
  show("held-out", "heldout_reward", "{:.3f}");
  show("loss", "loss", "{:.4f}");
  show("mismatch", "train_rollout_logprob_abs_diff", "{:g}");
  return text;
}

// What a run leaves at its end; `withModel`: its weights too.
Status finish(const Config &config, const Parts &parts, bool withModel) {
  std::string model = config.run.out + "/model";
  if (withModel) {
    NIBBLE_TRY(removeTree(model));
    NIBBLE_TRY(exportCheckpoint(parts.store, config.model.path, model));
  }
  NIBBLE_ASSIGN(
      RunSeries series,
      readRun(config.run.out,
              std::filesystem::path(config.run.out).filename().string()));
  NIBBLE_TRY(
      writeReport(std::span(&series, 1), config.run.out + "/report.html"));
  return Status::ok();
}

// The line of progress ends with this, so that what is said afterwards begins
// on its own.
Status runLoop(const Config &config, bool supervised, Parts &parts,
               std::unique_ptr<Loop> &loop) {
  int64_t steps = supervised ? config.sft.steps : config.rl.steps;
  Progress progress(supervised ? "sft" : "rl",
                    std::min(parts.folder->startStep(), steps), steps);
  LoopCallbacks callbacks;
  callbacks.progress = [&](const StepMetrics &line) {
    progress.update(std::min(line.step + 1, steps), detail(line));
  };
  callbacks.warn = [&](const std::string &line) {
    progress.say("nibble: warning: " + line);
  };
  callbacks.stop = [] { return stopRequested(); };
  if (supervised) {
    NIBBLE_ASSIGN(loop, SftLoop::create(config, parts.loopParts(), callbacks));
  } else {
    NIBBLE_ASSIGN(loop, GrpoLoop::create(config, parts.loopParts(), callbacks));
  }
  return loop->run(*parts.folder);
}

Status train(const TrainArguments &arguments, bool supervised,
             const ProgramSource &programs) {
  std::vector<std::string> set = arguments.set;
  auto quote = [](const std::string &text) {
    return Json(text).dump();
  }; // a TOML string is written as a JSON string is
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
  if (config.run.threads > 0)
    omp_set_num_threads(static_cast<int>(config.run.threads));
  installStopSignals();

  Parts parts;
  if (std::error_code none; !std::filesystem::exists(config.model.path, none))
    return Status::badInput(
        fmt::format("{}: model.path: there is no folder '{}'; make that "
                    "checkpoint first or give another with --model",
                    arguments.config, config.model.path));
  NIBBLE_ASSIGN(parts.model, openModel(config.model.path));
  NIBBLE_TRY(build(config, supervised, arguments, programs, parts));
  if (arguments.dryRun)
    return describePlan(config, supervised, parts);

  std::unique_ptr<Loop> loop;
  Status status = runLoop(config, supervised, parts, loop);
  if (!loop || !loop->hasEnded())
    return status;
  // Weights that nothing was learned with are not given out as trained.
  NIBBLE_TRY(finish(config, parts, status.isOk() || loop->hasLearned()));
  if (status.isOk())
    fmt::print("{0}/model: the trained weights\n{0}/report.html: the report\n",
               config.run.out);
  else if (loop->hasLearned())
    return Status(status.code(),
                  fmt::format("{}; {}/model holds what it had learned",
                              status.message(), config.run.out));
  return status;
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
