// Cases of ops and their expected results, shared by the tests of the host's
// kernels and of an H200's. E stands for the element type in sources
// (withElement).
#pragma once

#include "lib/Numerics/pack.h"
#include "test/passes/LowerToHost/OpCheck.h"

#include <iosfwd>

namespace nibble::test {

// A weight [n, k] of a scheme, and the packed forms that lib/Numerics makes.
struct QuantizeCase {
  int64_t n, k;
  std::string scheme; // for example "<int4, group_size = 32>"

  numerics::PackedLayout layout(numerics::Layout order) const;
  std::string packed(numerics::Layout order) const;     // the packed type
  std::string tensor(const std::string &element) const; // the tensor type
  // A bf16 weight with magnitudes over many binades, exact half-way points of
  // the grid, whole groups of zeros, and subnormals. Every third row has none
  // of these, so its scales are all ordinary.
  Tensor weight(Random &random) const;
  // The bytes of the slab.
  Tensor slabOf(const Tensor &plain, numerics::Layout order) const;
};
void PrintTo(const QuantizeCase &c, std::ostream *out);
// N4 for each pair of mantissas, with the element up to sixteen binades below
// the largest. The weight is bf16 [?, 32], and the first element of a row is
// the largest.
Tensor quotientWeight();
// A packed weight of mxfp4 [256, 32] with each code under each scale, and what
// they stand for: bf16, by double arithmetic on the tables of the formats.
struct EveryMxfp4 {
  numerics::PackedLayout layout;
  Tensor slab, values;
};
EveryMxfp4 everyMxfp4(numerics::Layout order);
// Elements with different bits, two NaN being the same.
int64_t differentNumbers(const Tensor &a, const Tensor &b);
int64_t differentBytes(const Tensor &a, const Tensor &b);

// Functions f with one op, over the types of a case.
std::string quantizeSource(const std::string &tensor,
                           const std::string &packed);
std::string dequantizeSource(const std::string &packed,
                             const std::string &tensor);
std::string fakeQuantSource(const std::string &tensor,
                            const std::string &scheme);

// f(logits [?, vocabulary], targets, temperature) -> logp, lse, entropy.
std::string logProbabilitySource(int vocabulary);
OpCase logProbabilityCase(int vocabulary, int rows, Random &random);
OpCase logProbabilityGradCase(int vocabulary, int rows, Random &random);
// sum(x [?]) -> float32, and broadcast(x, like [?]) -> [?].
extern const char *const kSumSource;

// The formula in plain float32, in which every operation rounds once.
struct AdamWCase {
  std::string source;
  // Master, moments, gradient, hyperparameters; the first three are updated in
  // place.
  std::vector<Tensor> arguments;
  // Expected values of the first three and of the weight.
  std::vector<Tensor> expected;
};
AdamWCase adamWCase(DType dtype, const Shape &shape, Random &random);

// f(x [50, features], i [?]) -> rows of x, for nn.embedding and nn.take_rows.
std::vector<std::string> gatherSources(int features);
// f(dy, tokens, init [rows, features]) and f(x, init [features]), whose state
// is updated in place. Each element is an ascending sum of float32 additions.
std::string embeddingGradSource(int rows, int features);
Tensor embeddingGradOf(const Tensor &dy, const Tensor &tokens,
                       const Tensor &init);
std::string sumTokensSource(int features);
Tensor sumTokensOf(const Tensor &x, const Tensor &init);
OpCase ropeCase(DType dtype, int half, bool inverse, Random &random);
OpCase ropeTableCase(DType dtype, Random &random);
OpCase swigluCase(DType dtype, int features, Random &random);
OpCase swigluGradCase(DType dtype, int features, Random &random);

// A batch of sequences: the number of tokens of each, and the position of its
// first token.
struct Batch {
  std::vector<int> lengths, first;
  Batch() = default;
  explicit Batch(std::vector<int> lengths)
      : lengths(std::move(lengths)), first(this->lengths.size(), 0) {}
  Batch(std::vector<int> lengths, std::vector<int> first)
      : lengths(std::move(lengths)), first(std::move(first)) {}

  Tensor positions() const;
  Tensor sequences() const; // the beginning of each sequence, and the end
  int tokens() const;
};

// Replaces each `from` in the text by `to`.
void replaceEach(std::string &text, const std::string &from,
                 const std::string &to);

} // namespace nibble::test
