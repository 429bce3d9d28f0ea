// Tokens per second of a rollout's forward, compared with what the machine's
// arithmetic or memory would allow.
#include "benchmarks/Figure.h"
#include "benchmarks/RandomModel.h"

#include "runtime/core/program/bind.h"
#include "runtime/rollout/cache.h"

#include <fmt/format.h>

#include <random>

namespace nibble::benchmarks {

namespace {

// The program's forward with a filled cache, called with batches of one shape.
class Rollout {
public:
  static Result<std::unique_ptr<Rollout>>
  create(const Program &program, const ParameterStore &store, int64_t pages);
  // Shapes a batch. Each of the first `sequences` sequences gets `count` new
  // tokens, starting at `position`. Logits are computed for the last token.
  Status shape(int64_t sequences, int64_t position, int64_t count);
  Status call() {
    NIBBLE_ASSIGN(auto results, forward_.call(arena_));
    (void)results;
    arena_.reset();
    return Status::ok();
  }

private:
  explicit Rollout(Function forward) : forward_(std::move(forward)) {}
  Status fillCache(int64_t pages);

  Function forward_;
  Arena arena_;
  std::vector<Tensor> cache_;
  int64_t pageSize_ = 0;
  std::vector<int32_t> tokens_, positions_, sequences_, rows_, pages_;
};

Result<std::unique_ptr<Rollout>> Rollout::create(const Program &program,
                                                 const ParameterStore &store,
                                                 int64_t pages) {
  NIBBLE_ASSIGN(Function forward, program.function("forward"));
  NIBBLE_ASSIGN(KeyValueCache layout, KeyValueCache::describe(forward));
  std::unique_ptr<Rollout> rollout(new Rollout(std::move(forward)));
  rollout->pageSize_ = layout.pageSize();
  NIBBLE_TRY(rollout->fillCache(pages));
  const nibble_function &info = rollout->forward_.info();
  for (int i = 0; i < info.argument_count; ++i)
    if (info.arguments[i].role == NIBBLE_ROLE_PARAMETER) {
      NIBBLE_ASSIGN(TensorView tensor, store.lookup(info.arguments[i]));
      NIBBLE_TRY(rollout->forward_.bind(i, tensor));
    }
  return rollout;
}

Status Rollout::fillCache(int64_t pages) {
  std::minstd_rand random(3);
  const nibble_function &info = forward_.info();
  for (int i = 0; i < info.argument_count; ++i) {
    const nibble_value_info &argument = info.arguments[i];
    if (argument.role != NIBBLE_ROLE_STATE)
      continue;
    Shape shape(argument.shape, argument.shape + argument.rank);
    shape[0] = pages;
    NIBBLE_ASSIGN(Tensor tensor,
                  Tensor::create(static_cast<DType>(argument.dtype), shape));
    auto *values = tensor.as<uint16_t>();
    for (int64_t j = 0, count = tensor.elements(); j < count;
         ++j) { // magnitude 0.5 .. 1 with random sign
      uint32_t bits = random() >> 8;
      values[j] =
          static_cast<uint16_t>(0x3F00u + bits % 0x80u + (bits & 0x8000u));
    }
    NIBBLE_TRY(forward_.bind(i, tensor.view()));
    cache_.push_back(std::move(tensor));
  }
  return Status::ok();
}

Status Rollout::shape(int64_t sequences, int64_t position, int64_t count) {
  tokens_.clear();
  positions_.clear();
  rows_.clear();
  sequences_.assign(1, 0);
  pages_.clear();
  int64_t pagesEach = (position + count + pageSize_ - 1) / pageSize_;
  for (int64_t s = 0; s < sequences; ++s) {
    for (int64_t i = 0; i < count; ++i) {
      tokens_.push_back(static_cast<int32_t>((s * 7919 + i * 104729) % 151936));
      positions_.push_back(static_cast<int32_t>(position + i));
    }
    sequences_.push_back(static_cast<int32_t>(tokens_.size()));
    rows_.push_back(static_cast<int32_t>(tokens_.size()) - 1);
    for (int64_t page = 0; page < pagesEach; ++page)
      pages_.push_back(static_cast<int32_t>(s * pagesEach + page));
  }
  NIBBLE_TRY(bindIfTaken(forward_, "tokens", viewOf(tokens_)));
  NIBBLE_TRY(bindIfTaken(forward_, "positions", viewOf(positions_)));
  NIBBLE_TRY(bindIfTaken(forward_, "sequences", viewOf(sequences_)));
  NIBBLE_TRY(bindIfTaken(forward_, "rows", viewOf(rows_)));
  TensorView pages = viewOf(pages_);
  pages.shape = {sequences, pagesEach};
  return bindIfTaken(forward_, "pages", pages);
}

struct RolloutCase {
  const char *name;
  int64_t sequences, position, count; // arguments of Rollout::shape
  // Whether arithmetic is the limit, else memory.
  bool ofArithmetic;
  double goal; // ratio to the limit
};

constexpr RolloutCase kCases[] = {
    {"prefill:128", 1, 0, 128, true, 0.70},
    {"decode/batch:1", 1, 128, 1, false, 0.31},
    {"decode/batch:8", 8, 128, 1, true, 0.50},
    {"decode/batch:32", 32, 128, 1, true, 0.62},
    {"decode/batch:8/context:1024", 8, 1023, 1, true, 0},
};
constexpr int64_t kPages = 8 * 1024 / 64; // the largest number in these cases

// Tokens per second, for each operation or byte per second, if only the weights
// counted. Each weight is multiplied once per token (the head only for rows
// whose logits are computed). Each weight is read once per call, with 4 bits
// and its share of a scale.
double shareOf(const RolloutCase &c, const WeightCount &weights) {
  auto tokens = static_cast<double>(c.sequences * c.count);
  if (!c.ofArithmetic)
    return tokens / ((weights.layers + weights.head) * (0.5 + 2.0 / 32));
  return tokens / (2 * (tokens * weights.layers +
                        (c.count > 1 ? 0.0 : tokens) * weights.head));
}

} // namespace

Result<std::vector<Figure>> rolloutFigures(const Plan &plan) {
  std::vector<Figure> figures;
  auto nameOf = [](const RolloutCase &c) {
    return fmt::format("rollout/qwen3-0.6b/int4/{}", c.name);
  };
  auto wanted = [&](const RolloutCase &c) { return plan.wants(nameOf(c)); };
  if (std::none_of(std::begin(kCases), std::end(kCases), wanted))
    return figures;
  NIBBLE_ASSIGN(ModelConfig config, qwenShape(28));
  ProgramOptions options;
  options.rollout = everythingInt4();
  options.host = plan.host;
  Session session;
  NIBBLE_ASSIGN(Program program,
                ModelCompiler(session, config, options).rollout());
  ParameterStore store;
  NIBBLE_TRY(fillParameters(program, store));
  NIBBLE_ASSIGN(auto rollout, Rollout::create(program, store, kPages));
  for (const RolloutCase &c : kCases) {
    if (!wanted(c))
      continue;
    NIBBLE_TRY(rollout->shape(c.sequences, c.position, c.count));
    NIBBLE_ASSIGN(Seconds seconds,
                  timeCalls(plan.repetitions, [&] { return rollout->call(); }));
    plan.printProfile(nameOf(c));
    Figure figure =
        Figure::of(plan, nameOf(c), "tokens/s",
                   static_cast<double>(c.sequences * c.count), seconds);
    figure.limit = c.ofArithmetic ? Limit::kFma : Limit::kRead;
    figure.share = shareOf(c, countWeights(config));
    figure.goal = c.goal;
    figures.push_back(std::move(figure));
  }
  return figures;
}

} // namespace nibble::benchmarks
