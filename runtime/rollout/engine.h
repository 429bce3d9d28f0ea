// Generates samples with a compiled rollout program: prompts in, tokens and
// their log-probabilities out.
//
// A sample depends on weights, prompt, options, seed, step and its number. It
// does not depend on other samples, their order, the size of calls, the size of
// the cache or the number of threads.
#pragma once

#include "runtime/core/program/bind.h"
#include "runtime/core/program/program.h"
#include "runtime/rollout/request.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace nibble {

struct RolloutOptions {
  // Most prompt and new tokens in one call of `forward`.
  int64_t maxTokensPerCall = 512;
  int64_t maxRunning = 64; // most sequences in progress at a time
  // Limit of the model, for prompt and sample together.
  int64_t contextLength = 0;
  // Upper limit; less is used when maxRunning full contexts need less.
  int64_t cacheBytes = int64_t{1} << 30;
  // Whether the cache must hold one full context even beyond cacheBytes.
  bool holdsOneContext = false;
  // For sampling on the host; programs have threads of their own.
  int64_t threads = 1;
  // Pages of the cache; 0 means as many as cacheBytes allows.
  int64_t pages = 0;
};

struct RolloutStatistics {
  int64_t calls = 0;          // calls of `forward`
  int64_t computedTokens = 0; // tokens that `forward` processed
  int64_t sampledTokens = 0;
  int64_t preemptions = 0;
  int64_t pageCopies = 0;
  int64_t peakPages = 0;
  int64_t cacheBytes = 0;
  int64_t arenaBytes = 0;
};

class RolloutEngine {
public:
  // Uses the program's `forward`, and the functions of TokenDrawer
  // (runtime/rollout/draw.h). Parameters are bound now and read at every call,
  // so weights that are updated in place take effect.
  static Result<RolloutEngine> create(const Program &program,
                                      const TensorLookup &parameters,
                                      const RolloutOptions &options);
  RolloutEngine(RolloutEngine &&) noexcept;
  RolloutEngine &operator=(RolloutEngine &&) noexcept;
  ~RolloutEngine();

  // Returns one entry per request, each with one entry per sample.
  // `weightVersion` is recorded in every sample. Usage error for an empty
  // prompt, a token outside the vocabulary or options out of range. Failed when
  // a logit is NaN. Interrupted, with no result, when `stop` returns true
  // between two calls.
  Result<std::vector<std::vector<Sample>>>
  generate(std::span<const Request> requests, uint64_t weightVersion,
           const std::function<bool()> &stop = {});

  // Statistics of the last call of generate.
  const RolloutStatistics &statistics() const;

private:
  struct Implementation;
  explicit RolloutEngine(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

} // namespace nibble
