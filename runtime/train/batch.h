// Sequences to train on, and their conversion to the flat inputs of a training
// call.
#pragma once

#include "runtime/core/program/program.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

// A sequence of L+1 tokens has L rows: row t reads token t and predicts token
// t+1. The lists below have L entries. An empty list stands for zeros; for mask
// and weight that means nothing to learn.
struct TrainSequence {
  std::vector<int32_t> tokens = {};
  std::vector<float> mask = {};   // 1 where the loss applies
  std::vector<float> weight = {}; // 1 / denominator of the loss, per row
  std::vector<float> advantage = {};
  // Under the policy that sampled the target.
  std::vector<float> oldLogProbability = {};
  std::vector<float> referenceLogProbability = {};
  float temperature = 1;

  int64_t rows() const { return static_cast<int64_t>(tokens.size()) - 1; }
};

// Usage error naming the sequence when it has fewer than two tokens or a list
// of another length.
Status check(std::span<const TrainSequence> sequences);

// Consecutive sequences [begin, end) that go into one call.
struct Microbatch {
  int64_t begin, end;
};

// Splits sequences in order; each microbatch is as full as `maxTokens` rows
// allow. A longer sequence gets a call of its own. Gradients do not depend on
// the split: each is one ascending sum over tokens (N10) that continues from
// call to call.
std::vector<Microbatch> splitByTokens(std::span<const TrainSequence> sequences,
                                      int64_t maxTokens);

// The inputs of a call. Their buffers are reused from call to call.
class TrainInputs {
public:
  void build(std::span<const TrainSequence> sequences);
  // Binds the inputs that the function takes: tokens, targets, positions,
  // sequences (i32), temperature, mask, weight, advantage, old_logp,
  // reference_logp (f32).
  Status bind(Function &function);
  int64_t rows() const { return static_cast<int64_t>(tokens_.size()); }

private:
  std::vector<int32_t> tokens_, targets_, positions_, sequences_;
  std::vector<float> temperature_, mask_, weight_, advantage_, oldLogp_,
      referenceLogp_;
};

} // namespace nibble
