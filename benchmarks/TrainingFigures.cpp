// The optimizer step of a small model: arithmetic per second, and the cost of
// INT4 compared with BF16.
#include "benchmarks/Figure.h"
#include "benchmarks/RandomModel.h"

#include "runtime/train/trainer.h"

namespace nibble::benchmarks {

namespace {

// Sums of two-digit numbers have about this length.
constexpr int64_t kRows = 2048;
constexpr int64_t kSequence = 16;

// A compiled training program with its store.
struct Training {
  Session session;
  ModelConfig config;
  ParameterStore store;
  std::optional<Program> program;
  std::optional<Trainer> trainer;
  std::vector<TrainSequence> sequences;

  static Result<std::unique_ptr<Training>> create(const Plan &plan,
                                                  const std::string &scheme);
  Status step() {
    NIBBLE_ASSIGN(StepResult result, trainer->step(sequences));
    return Status::ok();
  }
};

Result<std::unique_ptr<Training>> Training::create(const Plan &plan,
                                                   const std::string &scheme) {
  auto training = std::make_unique<Training>();
  NIBBLE_ASSIGN(training->config, demoShape());
  ProgramOptions options;
  options.train.scheme = scheme;
  options.recompute = "none";
  options.objective = "sft";
  options.host = plan.host;
  NIBBLE_ASSIGN(
      training->program,
      ModelCompiler(training->session, training->config, options).training());
  NIBBLE_TRY(training->store.declare(*training->program));
  RandomWeights weights(training->config);
  NIBBLE_TRY(training->store.initialize(weights));
  TrainerOptions trainer;
  trainer.maxTokens = kRows;
  trainer.optimizer.learningRate = 1e-5;
  NIBBLE_ASSIGN(training->trainer,
                Trainer::create(*training->program, training->store, trainer));
  for (int64_t s = 0; s < kRows / kSequence; ++s) {
    TrainSequence sequence;
    for (int64_t i = 0; i <= kSequence; ++i)
      sequence.tokens.push_back(
          static_cast<int32_t>((s * 31 + i * 17) % training->config.vocabSize));
    sequence.mask.assign(kSequence, 1.0f);
    sequence.weight.assign(kSequence, 1.0f / kRows);
    training->sequences.push_back(std::move(sequence));
  }
  return training;
}

} // namespace

Result<std::vector<Figure>> trainingFigures(const Plan &plan) {
  std::vector<Figure> figures;
  if (!plan.wants("training/demo/step"))
    return figures;
  NIBBLE_ASSIGN(auto quantized, Training::create(plan, "int4"));
  NIBBLE_ASSIGN(auto plain, Training::create(plan, "none"));
  NIBBLE_ASSIGN(Seconds int4,
                timeCalls(plan.repetitions, [&] { return quantized->step(); }));
  plan.printProfile("training/demo/step/int4");
  NIBBLE_ASSIGN(Seconds bf16,
                timeCalls(plan.repetitions, [&] { return plain->step(); }));
  plan.printProfile("training/demo/step/bf16");
  // Forward pass, input gradient and weight gradient take one multiply-add each
  // per weight and token. Attention is about a hundredth of that here and not
  // counted.
  WeightCount weights = countWeights(quantized->config);
  double operations =
      6 * static_cast<double>(kRows) * (weights.layers + weights.head);
  for (auto [name, seconds] : {std::pair("training/demo/step/int4", int4),
                               std::pair("training/demo/step/bf16", bf16)}) {
    Figure figure = Figure::of(plan, name, "FLOP/s", operations, seconds);
    figure.line["tokens_per_second"] =
        static_cast<double>(kRows) / seconds.median;
    figure.limit = Limit::kFma;
    figure.goal = 0.4;
    figures.push_back(std::move(figure));
  }
  double ratio = int4.median / bf16.median;
  figures.push_back({{{"name", "training/demo/step/int4-to-bf16"},
                      {"unit", "ratio of times"},
                      {"measured", ratio},
                      {"goal", 1.05},
                      {"reached", ratio <= 1.05}}});
  return figures;
}

} // namespace nibble::benchmarks
