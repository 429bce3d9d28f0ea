// Log-probabilities of given tokens under given weights: calls the program's
// `log_probability` for each microbatch.
#pragma once

#include "runtime/core/program/bind.h"
#include "runtime/train/batch.h"

#include <map>
#include <memory>
#include <string>

namespace nibble {

// Values per row, sequence after sequence. Entropy is empty when the program
// has none.
struct RowValues {
  std::vector<float> logProbability, entropy;
};

// Adds the per-row results `logp` and `entropy` of a call to `values`. Other
// results go to `more` unless it is null. Failed when the call returned no
// log-probability per row.
Status collectRows(const Function &function,
                   const std::vector<TensorView> &results, int64_t rows,
                   RowValues &values,
                   std::map<std::string, std::vector<float>> *more);

class LogProbability {
public:
  // Parameters are bound now and read at every call. `maxTokens` is the number
  // of rows in one call.
  static Result<LogProbability> create(const Program &program,
                                       const TensorLookup &parameters,
                                       int64_t maxTokens);

  Result<RowValues> compute(std::span<const TrainSequence> sequences);

private:
  LogProbability(Function function, int64_t maxTokens)
      : function_(std::move(function)), maxTokens_(maxTokens) {}
  Function function_;
  int64_t maxTokens_;
  TrainInputs inputs_;
  std::unique_ptr<Arena> arena_ = std::make_unique<Arena>();
};

} // namespace nibble
