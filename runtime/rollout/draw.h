// Draws a token for each row of logits and returns its log-probability. A
// device program draws with its function `sample`, so logits never leave the
// device. Otherwise host threads draw. Both draw the same token from the same
// logits (N16).
#pragma once

#include "runtime/core/program/program.h"
#include "runtime/rollout/sampler.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace nibble {

// Everything that a row's token depends on.
struct RowDraw {
  const SamplingOptions *sampling = nullptr;
  uint64_t randomBits = 0;
};

// One entry for each row.
struct DrawnTokens {
  std::vector<int32_t> tokens;
  std::vector<float> logKeptMass, logProbability;
  std::vector<float> entropy; // empty when the program returns none
  std::vector<Status> status; // error of each row that could not be drawn
};

class TokenDrawer {
public:
  // Uses the program's `sample`, or else `sample_log_probability`. The logits
  // of `forward` then stay where they are computed. `threads` is the number of
  // host threads. Failed when the functions do not fit together.
  static Result<TokenDrawer> create(const Program &program, Function &forward,
                                    int64_t threads);

  // `logits` [R, V] is the result of `forward`, and there are R draws. The
  // results belong to this object until the next call. Failed when a program
  // fails; the error of a single row is in its status.
  Result<const DrawnTokens *>
  draw(const TensorView &logits, std::span<const RowDraw> draws, Arena &arena);

private:
  TokenDrawer(Function function, bool samples, int64_t threads)
      : function_(std::move(function)), samples_(samples), threads_(threads) {}
  Status bindDraws(std::span<const RowDraw> draws, int64_t vocabulary);
  void choose(const TensorView &logits, std::span<const RowDraw> draws);

  Function function_;
  bool samples_; // whether the program has `sample`
  int64_t threads_;
  std::vector<Sampler> samplers_; // one per thread
  DrawnTokens drawn_;
  std::vector<float> temperatures_, recorded_;
  std::vector<int64_t> bits_;
  std::vector<int32_t> filtered_, topK_;
  std::vector<double> topP_, minP_;
};

} // namespace nibble
