// One optimizer step with a compiled training program: gradients over
// microbatches, norm, clipping, update.
#pragma once

#include "runtime/train/log_probability.h"
#include "runtime/train/parameters.h"
#include "runtime/train/schedule.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace nibble {

struct TrainerOptions {
  OptimizerOptions optimizer = {};
  // Rows of one call; they determine the memory of activations and do not
  // affect gradients.
  int64_t maxTokens = 2048;
};

struct StepResult {
  // Sum over rows of weight * loss, in double (over calls when the program
  // returns no rows).
  double loss = 0;
  double gradientNorm = 0;
  double clipScale = 1;
  double learningRate = 0;
  int64_t rows = 0, microbatches = 0;
  RowValues values; // before the update
  // The objective's other results: one number per call, weighted and summed
  // like the loss, or one per row.
  std::map<std::string, double> metrics;
  std::map<std::string, std::vector<float>> rowMetrics;
};

class Trainer {
public:
  // Uses the program's `train_step`, `gradient_norm`, `update`, and
  // `log_probability` when it exists. `store` holds their tensors (declared and
  // initialized) and must outlive the trainer.
  static Result<Trainer> create(const Program &program, ParameterStore &store,
                                const TrainerOptions &options);

  // Takes the next step. Failed when the loss, a gradient or their norm is NaN
  // or infinite. Weights are then unchanged, and the message names the step and
  // the tensor.
  Result<StepResult> step(std::span<const TrainSequence> sequences);

  // Log-probabilities of every row under the present weights. Usage error when
  // the program has no `log_probability`.
  Result<RowValues> logProbability(std::span<const TrainSequence> sequences);
  bool hasLogProbability() const { return logProbability_.has_value(); }

  // Whether the objective has an input of that name.
  bool takes(std::string_view input) const {
    return trainStep_.argument(input) >= 0;
  }

  // Number of optimizer steps so far, which is also the version of the weights.
  // Can be set to resume.
  int64_t steps() const { return steps_; }
  void setSteps(int64_t steps) { steps_ = steps; }
  // Bytes that calls have allocated for activations and results so far.
  int64_t arenaBytes() const { return arena_->reservedBytes(); }

private:
  Trainer(ParameterStore &store, const TrainerOptions &options,
          Function trainStep, Function gradientNorm, Function update);
  Status accumulate(std::span<const TrainSequence> sequences,
                    StepResult &result);
  Result<double> norm();

  ParameterStore *store_;
  TrainerOptions options_;
  Function trainStep_, gradientNorm_, update_;
  std::optional<LogProbability> logProbability_;
  TrainInputs inputs_;
  std::unique_ptr<Arena> arena_ = std::make_unique<Arena>();
  int64_t steps_ = 0;
};

} // namespace nibble
