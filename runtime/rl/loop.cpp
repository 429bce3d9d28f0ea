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

Loop::Loop(const Config &config, const LoopParts &parts, LoopCallbacks callbacks, int64_t steps, const char *kind)
    : config_(config), parts_(parts), callbacks_(std::move(callbacks)), steps_(steps), kind_(kind) {}

Status Loop::run(bool resume) {
  if (config_.run.out.empty())
    return Status::usage("run.out: no folder for metrics and checkpoints; set it or pass --out");
  NIBBLE_ASSIGN(RunFolder folder,
                RunFolder::open({config_.run.out, hashOf(config_), kind_, config_.run.keepCheckpoints, resume}));
  return run(folder);
}

Status Loop::run(RunFolder &folder) {
  for (const std::string &warning : folder.warnings())
    warn(warning);
  if (!folder.state().is_null()) {
    std::string where = config_.run.out + " state.json";
    NIBBLE_ASSIGN(int64_t problem, integerField(folder.state(), "next_problem", where, 0, INT64_MAX));
    NIBBLE_ASSIGN(int64_t updates, integerField(folder.state(), "optimizer_steps", where, 0, INT64_MAX));
    NIBBLE_ASSIGN(evaluatedAtEnd_, boolFieldOr(folder.state(), "evaluated_at_end", where, false));
    NIBBLE_ASSIGN(std::string data, stringFieldOr(folder.state(), "data", where, ""));
    if (data != parts_.environment.task->fingerprint())
      return Status::usage(config_.run.out + ": the prompts are others than those the run began with; give those back "
                                             "or choose another folder");
    nextProblem_ = static_cast<uint64_t>(problem);
    NIBBLE_TRY(folder.restore(*parts_.store));
    parts_.trainer->setSteps(updates);
    step_ = folder.startStep();
  }
  NIBBLE_TRY(folder.beginMetrics(evaluatedAtEnd_ ? step_ + 1 : step_));
  Status status = runSteps(folder);
  if (status.code() != Code::kInterrupted)
    return status;
  NIBBLE_TRY(save(folder, step_));
  return Status::interrupted(
      fmt::format("{}: stopped after step {} and saved; resume to go on", config_.run.out, step_));
}

StepMetrics Loop::beginLine() const {
  return {step_, {{"weight_version", static_cast<double>(parts_.trainer->steps())}}};
}

bool Loop::isGoalReached(const StepMetrics &line) const {
  auto reward = line.values.find("heldout_reward");
  return goal() > 0 && reward != line.values.end() && reward->second >= goal();
}

Status Loop::runSteps(RunFolder &folder) {
  // A resumed run may have come to its end before its last step.
  while (step_ < steps_ && !evaluatedAtEnd_) {
    StepMetrics line = beginLine();
    if (stopRequested())
      return Status::interrupted("stopped by a signal");
    if (config_.eval.every > 0 && step_ % config_.eval.every == 0)
      NIBBLE_TRY(evaluateInto(line));
    if (isGoalReached(line)) {
      NIBBLE_TRY(report(folder, line));
      evaluatedAtEnd_ = true;
      break;
    }
    NIBBLE_TRY(takeStep(line));
    ++step_;
    line.values["memory_peak_bytes"] = static_cast<double>(peakResidentBytes());
    line.values["memory_parameter_bytes"] = static_cast<double>(parts_.store->bytes());
    line.values["memory_train_arena_bytes"] = static_cast<double>(parts_.trainer->arenaBytes());
    NIBBLE_TRY(report(folder, line)); // before the checkpoint: what it holds is on record
    if (config_.run.checkpointEvery > 0 && step_ % config_.run.checkpointEvery == 0 && step_ < steps_)
      NIBBLE_TRY(save(folder, step_));
  }
  if (!evaluatedAtEnd_ && config_.eval.every > 0 && parts_.rollout) {
    StepMetrics line = beginLine();
    NIBBLE_TRY(evaluateInto(line));
    NIBBLE_TRY(report(folder, line));
  }
  evaluatedAtEnd_ = true;
  return save(folder, step_);
}

Status Loop::evaluateInto(StepMetrics &line) {
  if (!parts_.rollout)
    return Status::ok();
  StopWatch watch;
  NIBBLE_ASSIGN(Evaluation evaluation,
                evaluateHeldOut(config_, parts_.environment, *parts_.rollout, line.step,
                                static_cast<uint64_t>(parts_.trainer->steps()), callbacks_.stop));
  line.values["heldout_reward"] = evaluation.reward;
  line.values["heldout_length_mean"] = evaluation.length;
  line.values["time_eval"] = watch.lap();
  return Status::ok();
}

Status Loop::save(RunFolder &folder, int64_t step) {
  return folder.save(step,
                     {{"next_problem", nextProblem_},
                      {"optimizer_steps", parts_.trainer->steps()},
                      {"evaluated_at_end", evaluatedAtEnd_},
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
