// The input tensors of one call of `forward`, built from a plan.
#pragma once

#include "runtime/core/program/program.h"
#include "runtime/rollout/scheduler.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

class RolloutBatch {
public:
  // Fills the inputs. `tokensOf` returns the tokens of a planned sequence.
  // `drawsOf` returns the number of tokens drawn after its last one; the call
  // computes one row of logits for each draw. Buffers are reused from call to
  // call.
  template <typename TokensOf, typename DrawsOf>
  void build(const Plan &plan, TokensOf &&tokensOf, DrawsOf &&drawsOf) {
    clear();
    for (const PlannedTokens &planned : plan.tokens)
      add(planned, tokensOf(*planned.sequence),
          planned.last ? drawsOf(*planned.sequence) : 0);
    // A program needs at least one row, although nothing reads it.
    if (rows_.empty())
      rows_.push_back(0);
  }

  // Binds tokens [T], positions [T], sequences [S+1], pages [S, max_pages] and
  // rows [R], all i32. Usage error when they do not fit.
  Status bind(Function &forward);

  int64_t tokens() const { return static_cast<int64_t>(tokens_.size()); }

private:
  void clear();
  void add(const PlannedTokens &planned, std::span<const int32_t> tokens,
           int64_t draws);

  std::vector<int32_t> tokens_, positions_, sequences_, pages_, rows_;
  std::vector<const std::vector<int32_t> *> pageLists_;
};

} // namespace nibble
