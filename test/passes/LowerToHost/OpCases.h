// Cases of ops that the host's kernels and an H200's are both tested with, and
// what they must give. In sources E stands for the element type (withElement).
#pragma once

#include "lib/Numerics/pack.h"
#include "test/passes/LowerToHost/OpCheck.h"

#include <iosfwd>

namespace nibble::test {

// A weight [n, k] of a scheme, and its packed forms by lib/Numerics.
struct QuantizeCase {
  int64_t n, k;
  std::string scheme; // "<int4, group_size = 32>"

  numerics::PackedLayout layout(numerics::Layout order) const;
  std::string packed(numerics::Layout order) const;     // type
  std::string tensor(const std::string &element) const; // type
  // bf16; magnitudes over many binades, exact half-way points of the grid,
  // whole groups of zeros, subnormals. Every third row has none of these: its
  // scales are all ordinary.
  Tensor weight(Random &random) const;
  Tensor slabOf(const Tensor &plain, numerics::Layout order) const; // bytes
};
void PrintTo(const QuantizeCase &c, std::ostream *out);
// N4 for each pair of mantissas, the element up to sixteen binades below the
// largest: bf16 [?, 32], of a row the first is the largest.
Tensor quotientWeight();
int64_t differentBytes(const Tensor &a, const Tensor &b);

// Functions f of one op over the types of a case.
std::string quantizeSource(const std::string &tensor,
                           const std::string &packed);
std::string dequantizeSource(const std::string &packed,
                             const std::string &tensor);
std::string fakeQuantSource(const std::string &tensor,
                            const std::string &scheme);

// f(logits [?, vocabulary], targets, temperature) -> logp, lse, entropy
std::string logProbabilitySource(int vocabulary);
OpCase logProbabilityCase(int vocabulary, int rows, Random &random);
OpCase logProbabilityGradCase(int vocabulary, int rows, Random &random);
// sum(x [?]) -> float32, broadcast(x, like [?]) -> [?]
extern const char *const kSumSource;

// Every operation rounded once: the formula in plain float32.
struct AdamWCase {
  std::string source;
  std::vector<Tensor> arguments; // master, moments, gradient, hyperparameters;
                                 // the first three are updated in place
  std::vector<Tensor> expected;  // of those three, and of the weight
};
AdamWCase adamWCase(DType dtype, const Shape &shape, Random &random);

// f(x [50, features], i [?]) -> rows of x: nn.embedding and nn.take_rows.
std::vector<std::string> gatherSources(int features);
// f(dy, tokens, init [rows, features]) and f(x, init [features]), state updated
// in place; and the ascending chain of float32 additions that each element is.
std::string embeddingGradSource(int rows, int features);
Tensor embeddingGradOf(const Tensor &dy, const Tensor &tokens,
                       const Tensor &init);
std::string sumTokensSource(int features);
Tensor sumTokensOf(const Tensor &x, const Tensor &init);
OpCase ropeCase(DType dtype, int half, bool inverse, Random &random);
OpCase ropeTableCase(DType dtype, Random &random);
OpCase swigluCase(DType dtype, int features, Random &random);
OpCase swigluGradCase(DType dtype, int features, Random &random);

// Some sequences: each is what its tokens are, and `first` is the position of
// the first.
struct Batch {
  std::vector<int> lengths, first;
  Batch() = default;
  explicit Batch(std::vector<int> lengths)
      : lengths(std::move(lengths)), first(this->lengths.size(), 0) {}
  Batch(std::vector<int> lengths, std::vector<int> first)
      : lengths(std::move(lengths)), first(std::move(first)) {}

  Tensor positions() const;
  Tensor sequences() const; // where each begins, and the end
  int tokens() const;
};

// Each `from` in the text becomes `to`.
void replaceEach(std::string &text, const std::string &from,
                 const std::string &to);

} // namespace nibble::test
