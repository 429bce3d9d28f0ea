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
  for (const std::string &warning : folder.warnings())
    if (callbacks_.warn)
      callbacks_.warn(warning);
  if (!folder.state().is_null()) {
    std::string where = config_.run.out + " state.json";
    NIBBLE_TRY(folder.restore(*parts_.store));
    NIBBLE_ASSIGN(int64_t problem, integerField(folder.state(), "next_problem", where, 0, INT64_MAX));
    NIBBLE_ASSIGN(int64_t updates, integerField(folder.state(), "optimizer_steps", where, 0, INT64_MAX));
    NIBBLE_ASSIGN(evaluatedAtEnd_, boolFieldOr(folder.state(), "evaluated_at_end", where, false));
    nextProblem_ = static_cast<uint64_t>(problem);
    parts_.trainer->setSteps(updates);
    step_ = folder.startStep();
  }
  Status status = runSteps(folder);
  if (status.code() != Code::kInterrupted)
    return status;
  NIBBLE_TRY(save(folder, step_));
  return Status::interrupted(
      fmt::format("{}: stopped after step {} and saved; resume to go on", config_.run.out, step_));
}

Status Loop::runSteps(RunFolder &folder) {
  while (step_ < steps_) {
    StopWatch watch;
    Json metrics = {{"step", step_}, {"weight_version", parts_.trainer->steps()}}, timings = {{"step", step_}};
    if (stopRequested())
      return Status::interrupted("stopped by a signal");
    if (config_.eval.every > 0 && step_ % config_.eval.every == 0)
      NIBBLE_TRY(evaluateAt(step_, metrics, timings));
    NIBBLE_TRY(takeStep(step_, metrics, timings));
    ++step_;
    timings["step_seconds"] = watch.lap();
    timings["peak_resident_bytes"] = peakResidentBytes();
    timings["parameter_bytes"] = parts_.store->bytes();
    timings["train_arena_bytes"] = parts_.trainer->arenaBytes();
    NIBBLE_TRY(report(folder, metrics, timings)); // before the checkpoint, which counts the lines
    if (config_.run.checkpointEvery > 0 && step_ % config_.run.checkpointEvery == 0 && step_ < steps_)
      NIBBLE_TRY(save(folder, step_));
  }
  if (!evaluatedAtEnd_ && config_.eval.every > 0) {
    Json metrics = {{"step", steps_}, {"weight_version", parts_.trainer->steps()}}, timings = {{"step", steps_}};
    NIBBLE_TRY(evaluateAt(steps_, metrics, timings));
    NIBBLE_TRY(report(folder, metrics, timings));
  }
  evaluatedAtEnd_ = true;
  return save(folder, steps_);
}

Status Loop::evaluateAt(int64_t step, Json &metrics, Json &timings) {
  if (!parts_.rollout)
    return Status::ok();
  StopWatch watch;
  NIBBLE_ASSIGN(Evaluation evaluation,
                evaluateHeldOut(config_, parts_.environment, *parts_.rollout, step,
                                static_cast<uint64_t>(parts_.trainer->steps()), callbacks_.stop));
  metrics["held_out_reward"] = evaluation.reward;
  metrics["held_out_length"] = evaluation.length;
  timings["evaluate_seconds"] = watch.lap();
  return Status::ok();
}

Status Loop::save(RunFolder &folder, int64_t step) {
  return folder.save(step,
                     {{"next_problem", nextProblem_},
                      {"optimizer_steps", parts_.trainer->steps()},
                      {"evaluated_at_end", evaluatedAtEnd_},
                      {"seed", config_.run.seed}},
                     *parts_.store);
}

Status Loop::report(RunFolder &folder, const Json &metrics, const Json &timings) {
  NIBBLE_TRY(folder.recordMetrics(metrics));
  NIBBLE_TRY(folder.recordTimings(timings));
  if (callbacks_.progress)
    callbacks_.progress(metrics, timings);
  return Status::ok();
}

} // namespace nibble
