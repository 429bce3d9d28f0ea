// Quantization on the host: codes, scales, padding and values equal those of
// lib/Numerics.
#include "test/integration/ops/Compare.h"

namespace nibble {
namespace {

using QuantizeOpsTest = OpTest;
NIBBLE_FOR_EACH_TYPE(QuantizeOpsTest);

struct Case {
  int64_t n, k;
  std::string scheme;
};
const Case kCases[] = {
    {5, 96, "<int4, group_size = 32>"},   {7, 50, "<int4, group_size = 0>"},
    {4, 33, "<int8, group_size = 0>"},    {130, 140, "<fp8, group_size = 128>"},
    {5, 160, "<mxfp4, group_size = 32>"}, {1, 16, "<int4, group_size = 16>"},
    {3, 192, "<int4, group_size = 64>"},  {40, 256, "<int4, group_size = 128>"},
    {9, 64, "<int8, group_size = 32>"},
};
// These conventions are not exact: fake_quant and dequantize(quantize) differ,
// and each is compared separately.
const Case kOtherConventions[] = {
    {5, 96, "<int4, group_size = 32, convention = slime>"},
    {5, 128, "<int4, group_size = 128, convention = compressed_tensors>"},
};

struct Text {
  std::string n, k, w, host, interchange, scheme;
  explicit Text(const Case &c)
      : n(std::to_string(c.n)), k(std::to_string(c.k)),
        w("tensor<" + n + "x" + k + "x$E>"),
        host("!qat.packed<" + n + "x" + k + ", #qat.scheme" + c.scheme +
             ", host>"),
        interchange("!qat.packed<" + n + "x" + k + ", #qat.scheme" + c.scheme +
                    ", interchange>"),
        scheme("#qat.scheme" + c.scheme) {}

  std::string program() const {
    return "func.func @f(%w: " + w + ") -> (" + host + ", " + interchange +
           ", " + host + ", " + w + ", " + w +
           ") {\n%h = qat.quantize %w : " + w + " -> " + host +
           "\n%i = qat.quantize %w : " + w + " -> " + interchange +
           "\n%r = qat.repack %i : " + interchange + " -> " + host +
           "\n%d = qat.dequantize %h : " + host + " -> " + w +
           "\n%q = qat.fake_quant %w {scheme = " + scheme + "} : " + w +
           "\nreturn %h, %i, %r, %d, %q : " + host + ", " + interchange + ", " +
           host + ", " + w + ", " + w + "\n}";
  }
};

TEST_P(QuantizeOpsTest, RandomWeights) {
  for (llvm::ArrayRef<Case> cases :
       {someOf(kCases, 5), llvm::ArrayRef<Case>(kOtherConventions)})
    for (const Case &c : cases) {
      SCOPED_TRACE(c.scheme);
      compare(
          Text(c).program(), {0, 1, 2},
          [&](int64_t) { return Arguments{numbers({c.n, c.k}, E, 0.05)}; },
          /*exactly=*/true);
    }
}

// A user-defined scheme whose body is the identity.
TEST_P(QuantizeOpsTest, StraightThrough) {
  compare(
      R"(func.func @f(%x: tensor<?x24x$E>) -> (tensor<?x24x$E>, tensor<?x24x$E>) {
  %y = qat.straight_through %x : tensor<?x24x$E> {
  ^bb0(%a: tensor<?x24x$E>):
    %r = math.roundeven %a : tensor<?x24x$E>
    qat.yield %r : tensor<?x24x$E>
  }
  %z = qat.straight_through %x : tensor<?x24x$E> {
  ^bb0(%a: tensor<?x24x$E>):
    qat.yield %a : tensor<?x24x$E>
  }
  return %y, %z : tensor<?x24x$E>, tensor<?x24x$E>
})",
      {0, 1, 5},
      [&](int64_t tokens) { return Arguments{numbers({tokens, 24}, E, 3.0)}; },
      /*exactly=*/true);
}

// Groups of zeros, of -0, of subnormals and of the largest numbers. Also ties,
// which are frequent among bf16 weights.
TEST_P(QuantizeOpsTest, TheEdgesOfTheGrid) {
  for (const Case &c : someOf(kCases, 5)) {
    SCOPED_TRACE(c.scheme);
    compare(
        Text(c).program(), {0},
        [&](int64_t) {
          ReferenceValue weight = numbers({c.n, c.k}, E);
          const double special[] = {0.0,  -0.0, 0x1p-133, 0x1p-126,
                                    1e38, 1.5,  7.0,      10.5};
          for (size_t i = 0; i < weight.reals.size(); ++i) {
            double size = special[i / 16 % 8];
            weight.reals[i] =
                roundTo(size * std::round(weight.reals[i] * 6.0) / 14.0, E);
          }
          return Arguments{weight};
        },
        /*exactly=*/true);
  }
}

} // namespace
} // namespace nibble
