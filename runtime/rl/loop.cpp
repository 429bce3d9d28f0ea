// Runs steps with evaluation, metrics and checkpoints until the end, the goal
// or a stop.
#include "runtime/rl/loop.h"

#include "runtime/rl/evaluate.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace nibble {

namespace {

int64_t peakResidentBytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * int64_t{1024};
}

} // namespace

OptimizerOptions optimizerFor(const Config &config, int64_t updates) {
  OptimizerOptions options = config.train.optimizer;
  options.totalSteps = updates;
  return options;
}

bool movesWeights(const StepResult &result) {
  return result.gradientNorm > 0 && static_cast<float>(result.clipScale) > 0 &&
         static_cast<float>(result.learningRate) > 0;
}

Loop::Loop(const Config &config, const LoopParts &parts,
           LoopCallbacks callbacks, int64_t steps, const char *kind)
    : config_(config), parts_(parts), callbacks_(std::move(callbacks)),
      steps_(steps), kind_(kind) {}

Status Loop::run(bool resume) {
  if (config_.run.out.empty())
    return Status::usage(
        "run.out: no folder for metrics and checkpoints; set it or pass --out");
  NIBBLE_ASSIGN(
      RunFolder folder,
      RunFolder::open({config_.run.out,
                       identityOf(config_, std::string_view(kind_) == "sft"),
                       kind_, config_.run.keepCheckpoints, resume}));
  return run(folder);
}

Status Loop::run(RunFolder &folder) {
  for (const std::string &warning : folder.warnings())
    warn(warning);
  int64_t firstLine = 0; // the first line that this run writes
  if (!folder.state().is_null()) {
    std::string where = config_.run.out + " state.json";
    NIBBLE_ASSIGN(int64_t problem, integerField(folder.state(), "next_problem",
                                                where, 0, INT64_MAX));
    NIBBLE_ASSIGN(
        int64_t updates,
        integerField(folder.state(), "optimizer_steps", where, 0, INT64_MAX));
    NIBBLE_ASSIGN(
        evaluatedAtEnd_,
        boolFieldOr(folder.state(), "evaluated_at_end", where, false));
    NIBBLE_ASSIGN(std::string data,
                  stringFieldOr(folder.state(), "data", where, ""));
    if (data != parts_.environment.task->fingerprint())
      return Status::usage(
          config_.run.out +
          ": the prompts are others than those the run began with (task.path, "
          "task.held_out_path and their fields, or limits of tokens that leave "
          "out other "
          "rows); give those back or choose another folder");
    // States of older versions lack this count. Assume that every step was
    // useful.
    NIBBLE_ASSIGN(learnedSteps_, integerFieldOr(folder.state(), "learned_steps",
                                                where, 0, INT64_MAX, updates));
    NIBBLE_ASSIGN(idleSteps_,
                  integerFieldOr(folder.state(), "steps_without_update", where,
                                 0, INT64_MAX, 0));
    NIBBLE_ASSIGN(noUpdate_,
                  stringFieldOr(folder.state(), "no_update", where, ""));
    nextProblem_ = static_cast<uint64_t>(problem);
    NIBBLE_TRY(folder.restore(*parts_.store));
    parts_.trainer->setSteps(updates);
    step_ = folder.startStep();
    if (step_ > steps_)
      warn(fmt::format(
          "{}.steps is {}, but the run has taken {} already; it ends here",
          kind_, steps_, step_));
    // A resumed run with more steps than before takes them instead of the
    // evaluation that ended it. A run that ended at its goal is still at it.
    // The recorded line tells whether that evaluation took place: such a line
    // has no loss, because nothing was trained.
    NIBBLE_ASSIGN(auto line, folder.recorded(step_));
    bool isEvaluated = line && !line->values.contains("loss");
    evaluatedAtEnd_ = evaluatedAtEnd_ && step_ >= steps_ &&
                      (isEvaluated || config_.eval.every == 0);
    firstLine = evaluatedAtEnd_ && isEvaluated ? step_ + 1 : step_;
  }
  NIBBLE_TRY(folder.beginMetrics(firstLine));
  Status status = runSteps(folder);
  if (status.code() != Code::kInterrupted)
    return status;
  NIBBLE_TRY(save(folder, step_));
  return Status::interrupted(
      fmt::format("{}: stopped after step {} and saved; resume to go on",
                  config_.run.out, step_));
}

// Adds the memory of the process on the host. A run on a device also adds its
// device memory, which includes `memory_parameter_bytes` and
// `memory_rollout_cache_bytes`.
void Loop::addMemory(StepMetrics &line) const {
  auto add = [&](const char *key, int64_t bytes) {
    line.values[key] = static_cast<double>(bytes);
  };
  add("memory_peak_bytes", peakResidentBytes());
  add("memory_host_tensor_peak_bytes", hostTensorMemory().peak);
  if (!parts_.store->residence())
    return;
  ResidenceMemory memory = parts_.store->residence()->memory();
  add("memory_device_bytes", memory.allocated);
  add("memory_device_peak_bytes", memory.peak);
  add("memory_device_free_bytes", memory.free);
}

StepMetrics Loop::beginLine() const {
  return {step_,
          {{"weight_version", static_cast<double>(parts_.trainer->steps())}}};
}

bool Loop::isGoalReached(const StepMetrics &line) const {
  auto reward = line.values.find("heldout_reward");
  return goal() > 0 && reward != line.values.end() && reward->second >= goal();
}

Status Loop::countStep(RunFolder &folder, std::string noUpdate) {
  if (noUpdate.empty()) {
    ++learnedSteps_;
    idleSteps_ = 0;
    noUpdate_.clear();
    return Status::ok();
  }
  noUpdate_ = std::move(noUpdate);
  int64_t limit = config_.train.maxStepsWithoutUpdate;
  if (++idleSteps_ < limit || limit == 0)
    return Status::ok();
  // A run that continues after a repair has the full number of steps again.
  idleSteps_ = 0;
  NIBBLE_TRY(save(folder, step_));
  hasEnded_ = true;
  return Status::failed(
      fmt::format("{}: {} steps one after the other updated no weight "
                  "(train.max_steps_without_update): {}; the run is saved, "
                  "mend this and go on with "
                  "--resume",
                  config_.run.out, limit, noUpdate_));
}

Status Loop::runSteps(RunFolder &folder) {
  bool isGoalMet = false;
  // A resumed run may have ended before its last step.
  while (step_ < steps_ && !evaluatedAtEnd_) {
    StepMetrics line = beginLine();
    if (stopRequested())
      return Status::interrupted(
          "training: stopped by a signal; go on with --resume");
    if (config_.eval.every > 0 && step_ % config_.eval.every == 0)
      NIBBLE_TRY(evaluateInto(line));
    if (isGoalReached(line)) {
      NIBBLE_TRY(report(folder, line));
      evaluatedAtEnd_ = isGoalMet = true;
      break;
    }
    std::string noUpdate;
    NIBBLE_TRY(takeStep(line, noUpdate));
    ++step_;
    line.values["memory_parameter_bytes"] =
        static_cast<double>(parts_.store->bytes());
    line.values["memory_train_arena_bytes"] =
        static_cast<double>(parts_.trainer->arenaBytes());
    addMemory(line);
    // Comes before the checkpoint, so that everything in it is on record.
    NIBBLE_TRY(report(folder, line));
    NIBBLE_TRY(countStep(folder, std::move(noUpdate)));
    if (config_.run.checkpointEvery > 0 &&
        step_ % config_.run.checkpointEvery == 0 && step_ < steps_)
      NIBBLE_TRY(save(folder, step_));
  }
  if (!evaluatedAtEnd_ && config_.eval.every > 0 && parts_.rollout) {
    StepMetrics line = beginLine();
    NIBBLE_TRY(evaluateInto(line));
    NIBBLE_TRY(report(folder, line));
  }
  evaluatedAtEnd_ = true;
  NIBBLE_TRY(save(folder, step_));
  hasEnded_ = true;
  if (learnedSteps_ > 0 || isGoalMet)
    return Status::ok();
  return Status::failed(
      fmt::format("{}: nothing was learned, none of {} steps updated a weight: "
                  "{}; mend this and "
                  "begin anew, or go on with --resume and more steps",
                  config_.run.out, step_, noUpdate_));
}

Status Loop::evaluateInto(StepMetrics &line) {
  if (!parts_.rollout)
    return Status::ok();
  StopWatch watch;
  NIBBLE_ASSIGN(Evaluation evaluation,
                evaluateHeldOut(config_, parts_.environment, *parts_.rollout,
                                line.step,
                                static_cast<uint64_t>(parts_.trainer->steps()),
                                callbacks_.stop));
  line.values["heldout_reward"] = evaluation.reward;
  line.values["heldout_length_mean"] = evaluation.length;
  if (evaluation.failed > 0)
    line.values["heldout_reward_failed"] =
        static_cast<double>(evaluation.failed);
  warnOfRewards(line.step, static_cast<double>(evaluation.failed),
                static_cast<double>(evaluation.problems),
                evaluation.rewardProblem, "count 0 in the evaluation",
                toldOfEvaluation_);
  line.values["time_eval"] = watch.lap();
  return Status::ok();
}

void Loop::warnOfRewards(int64_t step, double failed, double responses,
                         const std::string &firstProblem,
                         const char *consequence, bool &told) const {
  if (failed > 0 && !std::exchange(told, true))
    warn(fmt::format(
        "step {}: {} of {} responses have no reward and {}; the first: {}",
        step, failed, responses, consequence, firstProblem));
}

Status Loop::save(RunFolder &folder, int64_t step) {
  return folder.save(step,
                     {{"next_problem", nextProblem_},
                      {"optimizer_steps", parts_.trainer->steps()},
                      {"evaluated_at_end", evaluatedAtEnd_},
                      {"learned_steps", learnedSteps_},
                      {"steps_without_update", idleSteps_},
                      {"no_update", noUpdate_},
                      {"data", parts_.environment.task->fingerprint()},
                      {"seed", config_.run.seed}},
                     *parts_.store);
}

Status Loop::report(RunFolder &folder, const StepMetrics &line) {
  NIBBLE_TRY(folder.record(line));
  if (callbacks_.progress)
    callbacks_.progress(line);
  return Status::ok();
}

} // namespace nibble
