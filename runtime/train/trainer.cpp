// Runs the microbatches of a step, clips, and updates.
#include "runtime/train/trainer.h"

#include "runtime/core/program/bind.h"

#include <fmt/format.h>

#include <cmath>

namespace nibble {

Trainer::Trainer(ParameterStore &store, const TrainerOptions &options,
                 Function trainStep, Function gradientNorm, Function update)
    : store_(&store), options_(options), trainStep_(std::move(trainStep)),
      gradientNorm_(std::move(gradientNorm)), update_(std::move(update)) {}

Result<Trainer> Trainer::create(const Program &program, ParameterStore &store,
                                const TrainerOptions &options) {
  if (options.maxTokens < 1)
    return Status::usage("train: max_tokens must be at least 1");
  NIBBLE_ASSIGN(Function trainStep, program.function("train_step"));
  NIBBLE_ASSIGN(Function gradientNorm, program.function("gradient_norm"));
  NIBBLE_ASSIGN(Function update, program.function("update"));
  if (trainStep.result("loss") < 0 || trainStep.result("logp") < 0)
    return Status::failed("program: 'train_step' must return loss and logp");
  if (gradientNorm.info().result_count != 1 || update.argument("hyper") < 0)
    return Status::failed("program: 'gradient_norm' must return one number and "
                          "'update' take hyper");
  Trainer trainer(store, options, std::move(trainStep), std::move(gradientNorm),
                  std::move(update));
  for (Function *function :
       {&trainer.trainStep_, &trainer.gradientNorm_, &trainer.update_})
    NIBBLE_TRY(bindTensors(*function, store.lookupFunction()));
  if (program.has("log_probability")) {
    NIBBLE_ASSIGN(trainer.logProbability_,
                  LogProbability::create(program, store.lookupFunction(),
                                         options.maxTokens));
  }
  return trainer;
}

// One call of train_step, which adds to the gradients in their tensors.
Status Trainer::accumulate(std::span<const TrainSequence> sequences,
                           StepResult &result) {
  inputs_.build(sequences);
  NIBBLE_TRY(inputs_.bind(trainStep_));
  NIBBLE_ASSIGN(auto results, trainStep_.call(*arena_));
  float loss = *results[trainStep_.result("loss")].as<float>();
  const TensorView &logp = results[trainStep_.result("logp")];
  Status status;
  if (!std::isfinite(loss)) {
    status = checkFinite(
        fmt::format("train: step {}: the loss is {}; logp", steps_, loss),
        logp);
    if (status.isOk())
      status = Status::failed(
          fmt::format("train: step {}: the loss is {} though every "
                      "log-probability is finite; lower the "
                      "learning rate",
                      steps_, loss));
  }
  auto hasRows = [&](const std::string &name) {
    return trainStep_.result("rows:" + name) >= 0;
  };
  if (!hasRows("loss"))
    result.loss += loss;
  result.rows += inputs_.rows();
  ++result.microbatches;
  if (status.isOk())
    status = collectRows(trainStep_, results, inputs_.rows(), result.values,
                         &result.rowMetrics);
  for (size_t i = 0; i < results.size(); ++i)
    if (std::string name = trainStep_.info().results[i].name;
        results[i].dtype == DType::kF32 && results[i].shape.empty() &&
        name != "loss" && !hasRows(name))
      result.metrics[name] += *results[i].as<float>();
  arena_->reset();
  return status;
}

// Sums over the rows of a step in order, so the split into microbatches has no
// effect.
static void sumRows(StepResult &result) {
  for (auto it = result.rowMetrics.begin(); it != result.rowMetrics.end();) {
    if (!it->first.starts_with("rows:")) {
      ++it;
      continue;
    }
    double sum = 0;
    for (float row : it->second)
      sum += row;
    if (std::string name = it->first.substr(5); name == "loss")
      result.loss = sum;
    else
      result.metrics[name] = sum;
    it = result.rowMetrics.erase(it);
  }
}

Result<double> Trainer::norm() {
  NIBBLE_ASSIGN(auto results, gradientNorm_.call(*arena_));
  double squares = *results[0].as<float>();
  arena_->reset();
  if (std::isfinite(squares))
    return std::sqrt(squares);
  for (const auto &[key, tensor] : store_->tensors())
    if (key.starts_with("gradient:"))
      NIBBLE_TRY(
          checkFinite(fmt::format("train: step {}: {}", steps_, key), tensor));
  return Status::failed(fmt::format(
      "train: step {}: the gradient norm overflows; lower the learning rate",
      steps_));
}

Result<StepResult> Trainer::step(std::span<const TrainSequence> sequences) {
  NIBBLE_TRY(check(sequences));
  StepResult result;
  NIBBLE_TRY(store_->zeroGradients());
  for (Microbatch microbatch : splitByTokens(sequences, options_.maxTokens))
    NIBBLE_TRY(accumulate(
        sequences.subspan(microbatch.begin, microbatch.end - microbatch.begin),
        result));
  sumRows(result);
  NIBBLE_ASSIGN(result.gradientNorm, norm());
  double limit = options_.optimizer.clipNorm;
  result.clipScale = limit > 0 && result.gradientNorm > limit
                         ? limit / result.gradientNorm
                         : 1.0;
  result.learningRate = learningRateAt(options_.optimizer, steps_);
  auto hyper = hyperOf(options_.optimizer, steps_, result.clipScale);
  NIBBLE_TRY(update_.bind(
      "hyper",
      {DType::kF32, {8}, reinterpret_cast<std::byte *>(hyper.data())}));
  NIBBLE_ASSIGN(auto nothing, update_.call(*arena_));
  (void)nothing;
  arena_->reset();
  NIBBLE_TRY(
      store_->publish(&update_).within(fmt::format("train: step {}", steps_)));
  ++steps_;
  return result;
}

Result<RowValues>
Trainer::logProbability(std::span<const TrainSequence> sequences) {
  if (!logProbability_)
    return Status::usage("program: it has no 'log_probability'; compile the "
                         "training program with one");
  return logProbability_->compute(sequences);
}

} // namespace nibble
