// Draws a token for each row of logits and says what the program thinks of its
// probability: by the program's function `sample`, which a program for a device
// has, so that logits never leave it, or by threads of the host. Both draw the
// same token of the same logits (N16).
#pragma once

#include "runtime/core/program/program.h"
#include "runtime/rollout/sampler.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nibble {

// What a row's token depends on.
struct RowDraw {
  const SamplingOptions *sampling = nullptr;
  uint64_t randomBits = 0;
};

// One entry for each row.
struct DrawnTokens {
  std::vector<int32_t> tokens;
  std::vector<float> logKeptMass, logProbability;
  std::vector<float> entropy; // empty when the program gives none
  std::vector<Status> status; // why nothing could be drawn
};

class TokenDrawer {
public:
  // Functions used: `sample`, or else `sample_log_probability`. The logits of
  // `forward` then stay where they are made. `threads` are the host's. Failed
  // when the functions do not fit together.
  static Result<TokenDrawer> create(const Program &program, Function &forward,
                                    int64_t threads);

  // logits: [R, V], result of `forward`; draws: R. The results belong to this
  // object and are good until the next call. Failed when a program is; a row's
  // own trouble is in its status.
  Result<const DrawnTokens *>
  draw(const TensorView &logits, std::span<const RowDraw> draws, Arena &arena);

private:
  TokenDrawer(Function function, bool samples, int64_t threads)
      : function_(std::move(function)), samples_(samples), threads_(threads) {}
  Status bindDraws(std::span<const RowDraw> draws, int64_t vocabulary);
  void choose(const TensorView &logits, std::span<const RowDraw> draws);

  Function function_;
  bool samples_; // `sample`
  int64_t threads_;
  std::vector<Sampler> samplers_; // one a thread
  DrawnTokens drawn_;
  std::vector<float> temperatures_, recorded_;
  std::vector<int64_t> bits_;
  std::vector<int32_t> filtered_, topK_;
  std::vector<double> topP_, minP_;
};

} // namespace nibble
