// Which sequence a token of a ragged batch belongs to.
#pragma once

#include "lib/Reference/Interpreter.h"

namespace nibble::reference {

// sequenceOf[t] is the s with sequences[s] <= t < sequences[s + 1]. Fails,
// after an error, unless `sequences` rises from 0 to `tokens` and `positions`
// has a non-negative entry for each token.
llvm::FailureOr<std::vector<int64_t>> sequencesOfTokens(Call &call,
                                                        mlir::Value positions,
                                                        mlir::Value sequences,
                                                        int64_t tokens);

// softmax(scores) and lse, the logarithm of the sum of exponentials: p_j =
// exp(s_j - lse).
struct Softmax {
  std::vector<double> probabilities;
  double lse;
};
Softmax softmaxOf(std::vector<double> scores);

} // namespace nibble::reference
