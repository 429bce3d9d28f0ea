// Generates samples with a compiled rollout program: prompts in, tokens and
// their log-probabilities out.
//
// What a sample holds depends on weights, prompt, options, seed, step and its
// number; not on what else is generated, in which order, in calls of which
// size, with how much cache or how many threads.
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
  int64_t maxTokensPerCall =
      512; // prompt and new tokens that one call of `forward` takes
  int64_t maxRunning = 64;   // sequences at a time
  int64_t contextLength = 0; // of the model, prompt and sample together
  int64_t cacheBytes =
      int64_t{1}
      << 30; // upper limit; less when maxRunning full contexts need less
  // The cache holds one full context even where that takes more than
  // cacheBytes.
  bool holdsOneContext = false;
  int64_t threads = 1; // that sample; programs have their own
  int64_t pages = 0;   // pages of the cache; 0: as many as cacheBytes allows
};

struct RolloutStatistics {
  int64_t calls = 0;          // of `forward`
  int64_t computedTokens = 0; // that went through `forward`
  int64_t sampledTokens = 0;
  int64_t preemptions = 0;
  int64_t pageCopies = 0;
  int64_t peakPages = 0;
  int64_t cacheBytes = 0;
  int64_t arenaBytes = 0;
};

class RolloutEngine {
public:
  // Functions used: `forward`, and those of TokenDrawer
  // (runtime/rollout/draw.h). Parameters are bound now and read at every call,
  // so that weights updated in place are the ones used.
  static Result<RolloutEngine> create(const Program &program,
                                      const TensorLookup &parameters,
                                      const RolloutOptions &options);
  RolloutEngine(RolloutEngine &&) noexcept;
  RolloutEngine &operator=(RolloutEngine &&) noexcept;
  ~RolloutEngine();

  // One entry per request, each with one entry per sample. `weightVersion` is
  // recorded in every sample. Usage error for an empty prompt, a token outside
  // the vocabulary or options out of range; failed when a logit is NaN;
  // interrupted (nothing returned) when `stop` says so between two calls.
  Result<std::vector<std::vector<Sample>>>
  generate(std::span<const Request> requests, uint64_t weightVersion,
           const std::function<bool()> &stop = {});

  // Statistics of the last generate.
  const RolloutStatistics &statistics() const;

private:
  struct Implementation;
  explicit RolloutEngine(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

} // namespace nibble
