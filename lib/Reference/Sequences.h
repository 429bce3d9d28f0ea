// Which sequence a token of a ragged batch belongs to.
#pragma once

#include "lib/Reference/Interpreter.h"

namespace nibble::reference {

// sequenceOf[t] = s with sequences[s] <= t < sequences[s + 1]. Failure, after
// an error, unless `positions` has an entry for each of `tokens` tokens, none
// negative, and `sequences` rises from 0 to `tokens`.
llvm::FailureOr<std::vector<int64_t>> sequencesOfTokens(Call &call,
                                                        mlir::Value positions,
                                                        mlir::Value sequences,
                                                        int64_t tokens);

// softmax(scores) and the logarithm of the sum of their exponentials: p_j =
// exp(s_j - lse).
struct Softmax {
  std::vector<double> probabilities;
  double lse;
};
Softmax softmaxOf(std::vector<double> scores);

} // namespace nibble::reference
