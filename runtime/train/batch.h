// Sequences to train on, and their way into the flat inputs of a training call.
#pragma once

#include "runtime/core/program/program.h"

#include <cstdint>
#include <span>
#include <vector>

namespace nibble {

// A sequence of L+1 tokens is L rows: row t reads token t and is asked for
// token t+1. Lists below have L entries, or are empty, which stands for zeros
// (mask and weight: nothing to learn).
struct TrainSequence {
  std::vector<int32_t> tokens = {};
  std::vector<float> mask = {};   // 1 where the loss applies
  std::vector<float> weight = {}; // 1 / denominator of the loss, per row
  std::vector<float> advantage = {};
  std::vector<float> oldLogProbability =
      {}; // of the policy that sampled the target
  std::vector<float> referenceLogProbability = {};
  float temperature = 1;

  int64_t rows() const { return static_cast<int64_t>(tokens.size()) - 1; }
};

// Usage error naming the sequence: fewer than two tokens, or a list of another
// length.
Status check(std::span<const TrainSequence> sequences);

// Consecutive sequences that go into one call: [begin, end).
struct Microbatch {
  int64_t begin, end;
};

// In order, each as full as `maxTokens` rows allow; a longer sequence stands
// alone. Gradients do not depend on the split: each is one ascending chain over
// tokens (N10) that goes on from call to call.
std::vector<Microbatch> splitByTokens(std::span<const TrainSequence> sequences,
                                      int64_t maxTokens);

// The inputs of a call. Buffers are reused from call to call.
class TrainInputs {
public:
  void build(std::span<const TrainSequence> sequences);
  // Binds what the function takes of tokens, targets, positions, sequences
  // (i32), temperature, mask, weight, advantage, old_logp, reference_logp
  // (f32).
  Status bind(Function &function);
  int64_t rows() const { return static_cast<int64_t>(tokens_.size()); }

private:
  std::vector<int32_t> tokens_, targets_, positions_, sequences_;
  std::vector<float> temperature_, mask_, weight_, advantage_, oldLogp_,
      referenceLogp_;
};

} // namespace nibble
