#include "lib/Reference/Sequences.h"

#include <cmath>

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

FailureOr<std::vector<int64_t>>
reference::sequencesOfTokens(Call &call, mlir::Value positions,
                             mlir::Value sequences, int64_t tokens) {
  if (failed(call.expectShape(positions, {tokens})))
    return failure();
  for (int64_t position : call[positions].integers)
    if (position < 0)
      return call.error() << "a negative position, " << position;
  const std::vector<int64_t> &begins = call[sequences].integers;
  if (begins.empty() || begins.front() != 0 || begins.back() != tokens ||
      !llvm::is_sorted(begins))
    return call.error()
           << "sequences do not rise from 0 to the number of tokens, "
           << tokens;
  std::vector<int64_t> sequenceOf;
  for (size_t s = 0; s + 1 < begins.size(); ++s)
    sequenceOf.insert(sequenceOf.end(), begins[s + 1] - begins[s], s);
  return sequenceOf;
}

Softmax reference::softmaxOf(std::vector<double> scores) {
  double largest = scores.front();
  double sum = 0.0;
  for (double score : scores)
    largest = std::fmax(largest, score);
  for (double &score : scores)
    sum += score = std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
  return {std::move(scores), largest + std::log(sum)};
}
