// Builds a run from its configuration, and runs it to its end.
#include "runtime/rl/run/training_run.h"

#include "runtime/core/stop.h"
#include "runtime/formats/tokenizer/model_text.h"
#include "runtime/report/progress.h"
#include "runtime/report/report.h"
#include "runtime/rl/grpo.h"
#include "runtime/rl/sft.h"
#include "runtime/train/export.h"
#include "runtime/train/rounding.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <filesystem>

namespace nibble {

namespace {

// The text behind the step in a line of progress.
std::string progressDetail(const StepMetrics &line) {
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

} // namespace

bool TrainingRun::generates() const {
  return !options_.supervised || config_.eval.every > 0;
}

LoopParts TrainingRun::loopParts() {
  LoopParts parts;
  parts.trainer = &*trainer_;
  parts.store = &store_;
  parts.rollout = engine_ ? &*engine_ : nullptr;
  parts.reference = reference_ ? &*reference_ : nullptr;
  parts.environment = {task_.get(), &*codec_, reward_.get(), stopTokens_,
                       contextLength_};
  return parts;
}

// Warns when training begins with other weights than a packed checkpoint has.
// Masters are the values of its codes, and the grid rounds them.
Status TrainingRun::warnOfRounding() const {
  const QuantizeConfig &quantize = config_.quantize;
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
  numerics::Scheme scheme =
      numerics::schemeOf(*kind, quantize.groupSize, *convention);
  GridSpelling spelling = {
      trained ? "quantize.train = \"{}\"" : "quantize.rollout = \"{}\"",
      "quantize.group_size = {}", "quantize.convention = \"{}\""};
  NIBBLE_ASSIGN(
      std::string warning,
      roundingWarning(model_->checkpoint(),
                      {scheme, std::move(*selection), std::move(spelling)}));
  if (!warning.empty())
    messages_.warn(warning);
  return Status::ok();
}

Result<std::unique_ptr<TrainingRun>>
TrainingRun::create(Config config, const RunOptions &options,
                    const ProgramSource &programs, RunMessages messages) {
  std::unique_ptr<TrainingRun> run(
      new TrainingRun(std::move(config), options, std::move(messages)));
  NIBBLE_TRY(run->build(programs));
  return run;
}

Status TrainingRun::build(const ProgramSource &programs) {
  NIBBLE_ASSIGN(model_, Model::open(config_.model.path));
  for (const std::string &warning : model_->config().warnings)
    messages_.warn(warning);
  NIBBLE_ASSIGN(
      ModelText text,
      loadModelText(config_.model.path, model_->config(), messages_.warn));
  tokenizer_.emplace(std::move(text.tokenizer));
  stopTokens_ = std::move(text.stopTokens);
  codec_.emplace(*tokenizer_);
  contextLength_ = config_.model.contextLength > 0
                       ? config_.model.contextLength
                       : model_->config().maxPositions;
  NIBBLE_ASSIGN(task_, createTask(config_, *codec_, contextLength_,
                                  messages_.note, options_.supervised));
  NIBBLE_ASSIGN(reward_, createReward(config_));
  // Check this before compiling, which takes seconds: the folder may hold
  // another run, or another process may work in it.
  if (!options_.planOnly) {
    NIBBLE_ASSIGN(
        folder_, RunFolder::open(
                     {config_.run.out, identityOf(config_, options_.supervised),
                      options_.supervised ? "sft" : "rl",
                      config_.run.keepCheckpoints, options_.resume}));
  }

  NIBBLE_ASSIGN(TrainingPrograms made,
                programs({config_, model_->config(), options_.supervised,
                          options_.hoist, options_.planOnly}));
  training_ = std::move(made.training);
  rollout_ = std::move(made.rollout);
  NIBBLE_TRY(store_.declare(*training_));
  NIBBLE_TRY(store_.declare(*rollout_));
  NIBBLE_TRY(store_.initialize(*model_));
  // A resumed run has weights of its own.
  if (!folder_ || folder_->startStep() == 0)
    NIBBLE_TRY(warnOfRounding());

  int64_t updates = options_.supervised
                        ? config_.sft.steps
                        : config_.rl.steps * config_.rl.updatesPerStep;
  NIBBLE_ASSIGN(trainer_,
                Trainer::create(*training_, store_,
                                TrainerOptions{optimizerFor(config_, updates),
                                               config_.train.maxTokens}));
  return generates() ? createRollout() : Status::ok();
}

// Creates the rollout, and the reference model that measures how far the
// weights have moved from the initial ones.
Status TrainingRun::createRollout() {
  RolloutOptions rollout;
  rollout.maxTokensPerCall = config_.rollout.maxTokensPerCall;
  rollout.maxRunning = config_.rollout.maxRunning;
  rollout.cacheBytes = config_.rollout.cacheMegabytes << 20;
  rollout.threads = omp_get_max_threads();
  rollout.contextLength = contextLength_;
  NIBBLE_ASSIGN(engine_, RolloutEngine::create(
                             *rollout_, store_.lookupFunction(), rollout));
  if (!options_.supervised && config_.rl.usesReference()) {
    NIBBLE_TRY(initial_.declare(*training_, {"log_probability"}));
    NIBBLE_TRY(initial_.initialize(*model_));
    NIBBLE_ASSIGN(reference_,
                  LogProbability::create(*training_, initial_.lookupFunction(),
                                         config_.train.maxTokens));
  }
  return Status::ok();
}

// Writes the results of a run at its end. `withModel` includes its weights.
Status TrainingRun::finish(bool withModel) const {
  std::string model = config_.run.out + "/model";
  if (withModel) {
    NIBBLE_TRY(removeTree(model));
    NIBBLE_TRY(exportCheckpoint(store_, config_.model.path, model));
  }
  NIBBLE_ASSIGN(
      RunSeries series,
      readRun(config_.run.out,
              std::filesystem::path(config_.run.out).filename().string()));
  NIBBLE_TRY(
      writeReport(std::span(&series, 1), config_.run.out + "/report.html"));
  return Status::ok();
}

// The line of progress ends with this function, so that later output begins on
// a line of its own.
Status TrainingRun::runLoop() {
  int64_t steps = options_.supervised ? config_.sft.steps : config_.rl.steps;
  Progress progress(options_.supervised ? "sft" : "rl",
                    std::min(folder_->startStep(), steps), steps);
  LoopCallbacks callbacks;
  callbacks.progress = [&](const StepMetrics &line) {
    progress.update(std::min(line.step + 1, steps), progressDetail(line));
  };
  callbacks.warn = [&](const std::string &line) {
    progress.say("nibble: warning: " + line);
  };
  callbacks.stop = [] { return stopRequested(); };
  if (options_.supervised) {
    NIBBLE_ASSIGN(loop_, SftLoop::create(config_, loopParts(), callbacks));
  } else {
    NIBBLE_ASSIGN(loop_, GrpoLoop::create(config_, loopParts(), callbacks));
  }
  return loop_->run(*folder_);
}

Status TrainingRun::run() {
  Status status = runLoop();
  if (!hasEnded())
    return status;
  // If nothing was learned, the weights are not presented as trained.
  NIBBLE_TRY(finish(status.isOk() || loop_->hasLearned()));
  if (!status.isOk() && loop_->hasLearned())
    return Status(status.code(),
                  fmt::format("{}; {}/model holds what it had learned",
                              status.message(), config_.run.out));
  return status;
}

} // namespace nibble
