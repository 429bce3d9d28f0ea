// Generates samples: schedules calls, draws tokens, and finishes sequences.
#include "runtime/rollout/engine.h"

#include "runtime/core/philox.h"
#include "runtime/rollout/batch.h"
#include "runtime/rollout/cache.h"
#include "runtime/rollout/draw.h"
#include "runtime/rollout/pages.h"
#include "runtime/rollout/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <deque>

namespace nibble {

const char *nameOf(FinishReason reason) {
  switch (reason) {
  case FinishReason::kStop:
    return "stop";
  case FinishReason::kLength:
    return "length";
  case FinishReason::kContext:
    return "context";
  }
  return "?";
}

namespace {

// A sample in progress.
struct Sequence : ScheduledSequence {
  const Request *request = nullptr;
  Sample *sample = nullptr;
  std::vector<int32_t> tokens; // prompt and sample
  // Samples of the same prompt that wait for this one to compute it.
  std::vector<Sequence *> siblings;
};

} // namespace

struct RolloutEngine::Implementation {
  RolloutOptions options;
  Function forward;
  TokenDrawer drawer;
  KeyValueCache cache;
  int64_t pages = 0, vocabulary = 0;
  Arena arena;
  RolloutBatch batch;
  RolloutStatistics statistics;
  std::vector<RowDraw> rowDraws;

  Status checkRequest(const Request &request, size_t index) const;
  bool finished(const Sequence &sequence) const;
  Status sample(const std::vector<Sequence *> &draws, const TensorView &logits);
  Result<std::vector<Sequence *>>
  compute(const Plan &plan, Scheduler &scheduler, TensorView &logits);
};

Result<RolloutEngine> RolloutEngine::create(const Program &program,
                                            const TensorLookup &parameters,
                                            const RolloutOptions &options) {
  if (options.maxTokensPerCall < 1 || options.maxRunning < 1 ||
      options.contextLength < 1)
    return Status::usage("rollout: max_tokens_per_call, max_running and the "
                         "context length must be at least 1");
  NIBBLE_ASSIGN(Function forward, program.function("forward"));
  NIBBLE_ASSIGN(KeyValueCache cache, KeyValueCache::describe(forward));
  int logits = forward.result("logits");
  if (logits < 0 || forward.info().results[logits].rank != 2 ||
      forward.info().results[logits].shape[1] < 1)
    return Status::failed("program: 'forward' must return logits [?, V]");
  NIBBLE_ASSIGN(TokenDrawer drawer,
                TokenDrawer::create(program, forward, options.threads));
  auto implementation =
      std::unique_ptr<Implementation>(new Implementation{options,
                                                         std::move(forward),
                                                         std::move(drawer),
                                                         std::move(cache),
                                                         0,
                                                         0,
                                                         {},
                                                         {},
                                                         {},
                                                         {}});
  Implementation &it = *implementation;
  it.vocabulary = it.forward.info().results[logits].shape[1];

  int64_t pageSize = it.cache.pageSize();
  // One more page for the copy of a shared page.
  int64_t perContext = (options.contextLength + pageSize - 1) / pageSize + 1;
  it.pages = options.pages;
  if (it.pages <= 0) {
    int64_t most = options.cacheBytes / it.cache.bytesPerPage();
    if (options.holdsOneContext)
      most = std::max(most, perContext);
    it.pages = std::min(perContext * options.maxRunning, most);
  }
  if (it.pages < perContext) {
    // Rounded up. In double, because a context may exceed any memory.
    double megabytes =
        std::ceil(static_cast<double>(perContext) *
                  static_cast<double>(it.cache.bytesPerPage()) / (1 << 20));
    return Status::usage(fmt::format(
        "rollout: a key and value cache of {} pages of {} bytes cannot hold "
        "one context of {} tokens ({} pages); set rollout.cache_megabytes to "
        "{:.0f}, or model.context_length to the tokens of the longest prompt "
        "and its response",
        it.pages, it.cache.bytesPerPage(), options.contextLength, perContext,
        megabytes));
  }
  NIBBLE_TRY(
      it.cache.allocate(it.pages, it.forward)
          .within(fmt::format("rollout: keys and values of {} tokens, "
                              "contexts of {}",
                              it.pages * pageSize, options.contextLength)));
  // State is the cache, which is bound above. Parameters come from outside.
  const nibble_function &info = it.forward.info();
  for (int i = 0; i < info.argument_count; ++i)
    if (info.arguments[i].role == NIBBLE_ROLE_PARAMETER) {
      NIBBLE_ASSIGN(TensorView tensor, parameters(info.arguments[i]));
      NIBBLE_TRY(it.forward.bind(i, tensor));
    }
  return RolloutEngine(std::move(implementation));
}

RolloutEngine::RolloutEngine(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
RolloutEngine::RolloutEngine(RolloutEngine &&) noexcept = default;
RolloutEngine &RolloutEngine::operator=(RolloutEngine &&) noexcept = default;
RolloutEngine::~RolloutEngine() = default;
const RolloutStatistics &RolloutEngine::statistics() const {
  return implementation_->statistics;
}

Status RolloutEngine::Implementation::checkRequest(const Request &request,
                                                   size_t index) const {
  if (request.prompt.empty() || request.samples < 0)
    return Status::usage(fmt::format(
        "rollout: request {} has no prompt token "
        "or a negative number of samples; give a prompt of at least one token",
        index));
  for (int32_t token : request.prompt)
    if (token < 0 || token >= vocabulary)
      return Status::usage(
          fmt::format("rollout: request {} has token {}; the vocabulary has "
                      "{}; encode with the model's own tokenizer",
                      index, token, vocabulary));
  return check(request.sampling)
      .within(fmt::format("rollout: request {}", index));
}

// Whether the sample is complete. Sets its finish reason.
bool RolloutEngine::Implementation::finished(const Sequence &sequence) const {
  const SamplingOptions &sampling = sequence.request->sampling;
  Sample &sample = *sequence.sample;
  const auto &stops = sampling.stopTokens;
  if (!sample.tokens.empty() && std::find(stops.begin(), stops.end(),
                                          sample.tokens.back()) != stops.end())
    sample.finish = FinishReason::kStop;
  else if (static_cast<int64_t>(sample.tokens.size()) >= sampling.maxNewTokens)
    sample.finish = FinishReason::kLength;
  else if (static_cast<int64_t>(sequence.tokens.size()) >=
           options.contextLength)
    sample.finish = FinishReason::kContext;
  else
    return false;
  return true;
}

// Draws a token for each entry from its row of logits, and records the token's
// log-probability.
Status
RolloutEngine::Implementation::sample(const std::vector<Sequence *> &draws,
                                      const TensorView &logits) {
  rowDraws.clear();
  for (const Sequence *sequence : draws) {
    const Request &request = *sequence->request;
    const Sample &sample = *sequence->sample;
    rowDraws.push_back(
        {&request.sampling,
         randomBits(request.seed, RandomStream::kSampler, request.step,
                    sample.number, sample.tokens.size())});
  }
  NIBBLE_ASSIGN(const DrawnTokens *drawn, drawer.draw(logits, rowDraws, arena));
  for (size_t i = 0; i < draws.size(); ++i)
    if (!drawn->status[i].isOk())
      return Status(drawn->status[i])
          .within(fmt::format("rollout: sample {} token {}",
                              draws[i]->sample->number,
                              draws[i]->sample->tokens.size()));
  for (size_t i = 0; i < draws.size(); ++i) {
    Sequence &sequence = *draws[i];
    sequence.tokens.push_back(drawn->tokens[i]);
    sequence.length = static_cast<int64_t>(sequence.tokens.size());
    sequence.sample->tokens.push_back(drawn->tokens[i]);
    sequence.sample->logProbability.push_back(drawn->logProbability[i]);
    sequence.sample->logKeptMass.push_back(drawn->logKeptMass[i]);
    if (!drawn->entropy.empty())
      sequence.sample->entropy.push_back(drawn->entropy[i]);
  }
  statistics.sampledTokens += static_cast<int64_t>(draws.size());
  return Status::ok();
}

// Runs a plan and returns the sequences that get a token, one per row of the
// logits. Several samples of one prompt each get a row of its last token.
Result<std::vector<Sequence *>>
RolloutEngine::Implementation::compute(const Plan &plan, Scheduler &scheduler,
                                       TensorView &logits) {
  for (auto [from, to] : plan.copies)
    NIBBLE_TRY(cache.copyPage(from, to));
  batch.build(
      plan,
      [](ScheduledSequence &sequence) -> std::span<const int32_t> {
        return static_cast<Sequence &>(sequence).tokens;
      },
      [](ScheduledSequence &sequence) {
        return 1 + static_cast<int64_t>(
                       static_cast<Sequence &>(sequence).siblings.size());
      });
  NIBBLE_TRY(batch.bind(forward));
  NIBBLE_ASSIGN(auto results, forward.call(arena));
  logits = results[forward.result("logits")];
  ++statistics.calls;
  statistics.computedTokens += batch.tokens();
  statistics.pageCopies += static_cast<int64_t>(plan.copies.size());

  std::vector<Sequence *> draws;
  for (const PlannedTokens &planned : plan.tokens) {
    auto &sequence = static_cast<Sequence &>(*planned.sequence);
    sequence.computed += planned.count;
    if (!planned.last)
      continue;
    draws.push_back(&sequence);
    for (Sequence *sibling : sequence.siblings) {
      scheduler.addSharing(*sibling, sequence);
      draws.push_back(sibling);
    }
    sequence.siblings.clear();
  }
  return draws;
}

Result<std::vector<std::vector<Sample>>>
RolloutEngine::generate(std::span<const Request> requests,
                        uint64_t weightVersion,
                        const std::function<bool()> &stop) {
  Implementation &it = *implementation_;
  it.statistics = {};
  PagePool pool(it.pages);
  Scheduler scheduler(
      {it.options.maxTokensPerCall, it.options.maxRunning, it.cache.pageSize()},
      pool);
  std::vector<std::vector<Sample>> samples(requests.size());
  std::deque<Sequence> sequences;
  int64_t unfinished = 0;
  for (size_t r = 0; r < requests.size(); ++r) {
    const Request &request = requests[r];
    NIBBLE_TRY(it.checkRequest(request, r));
    samples[r].resize(request.samples);
    Sequence *leader = nullptr;
    for (int64_t i = 0; i < request.samples; ++i) {
      Sample &sample = samples[r][i];
      sample.number = request.firstSample + static_cast<uint64_t>(i);
      sample.weightVersion = weightVersion;
      sample.temperature = request.sampling.recordedTemperature();
      Sequence &sequence = sequences.emplace_back();
      sequence.priority = static_cast<int64_t>(sequences.size());
      sequence.request = &request;
      sequence.sample = &sample;
      sequence.tokens = request.prompt;
      sequence.length = static_cast<int64_t>(request.prompt.size());
      // No token is requested, or the prompt fills the context.
      if (it.finished(sequence))
        continue;
      ++unfinished;
      if (leader) {
        leader->siblings.push_back(&sequence);
      } else {
        leader = &sequence;
        scheduler.add(sequence);
      }
    }
  }

  while (unfinished > 0) {
    if (stop && stop())
      return Status::interrupted("rollout: stopped by a signal; the samples of "
                                 "this step are dropped; go on with --resume");
    Plan plan = scheduler.next();
    if (plan.tokens.empty())
      return Status::failed("rollout: no sequence can go on; the cache is too "
                            "small; raise rollout.cache_megabytes");
    TensorView logits;
    NIBBLE_ASSIGN(std::vector<Sequence *> draws,
                  it.compute(plan, scheduler, logits));
    if (!draws.empty())
      NIBBLE_TRY(it.sample(draws, logits));
    for (Sequence *sequence : draws)
      if (it.finished(*sequence)) {
        scheduler.remove(*sequence);
        --unfinished;
      }
    it.arena.reset();
  }
  it.statistics.preemptions = scheduler.preemptions();
  it.statistics.peakPages = pool.peakUsed();
  it.statistics.cacheBytes = it.pages * it.cache.bytesPerPage();
  it.statistics.arenaBytes = it.arena.reservedBytes();
  return samples;
}

} // namespace nibble
