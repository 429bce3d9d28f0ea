// Compares embedding, norms, rope, swiglu, take_rows and their gradients
// between host and reference.
#include "test/integration/ops/Compare.h"

namespace nibble {
namespace {

using LayerOpsTest = OpTest;
NIBBLE_FOR_EACH_TYPE(LayerOpsTest);

// No token, one, a few, and more than two vectors of them.
const std::vector<int64_t> kTokens = {0, 1, 5, 33};

TEST_P(LayerOpsTest, Embedding) {
  for (int64_t features : {7, 16, 40}) {
    std::string columns = std::to_string(features);
    compare(
        "func.func @f(%t: tensor<?xi32>, %w: tensor<11x" + columns +
            "x$E>) -> tensor<?x" + columns + R"(x$E> {
      %y = nn.embedding %t, %w : tensor<?xi32>, tensor<11x)" +
            columns + "x$E> -> tensor<?x" + columns + R"(x$E>
      return %y : tensor<?x)" +
            columns + "x$E>\n}",
        kTokens,
        [&](int64_t T) {
          return Arguments{indices({T}, 11), numbers({11, features}, E)};
        },
        /*exactly=*/true);
  }
}

TEST_P(LayerOpsTest, EmbeddingGrad) {
  compare(
      R"(func.func @f(%dy: tensor<?x19x$E>, %t: tensor<?xi32>, %i: tensor<6x19xf32>) -> tensor<6x19xf32> {
    %g = nn.embedding_grad %dy, %t, %i : tensor<?x19x$E>, tensor<?xi32>, tensor<6x19xf32>
    return %g : tensor<6x19xf32>
  })",
      kTokens, [&](int64_t T) {
        return Arguments{numbers({T, 19}, E), indices({T}, 6),
                         numbers({6, 19}, f32)};
      });
}

TEST_P(LayerOpsTest, TakeRows) {
  compare(
      R"(func.func @f(%x: tensor<?x21x$E>, %r: tensor<?xi32>) -> tensor<?x21x$E> {
    %y = nn.take_rows %x, %r : tensor<?x21x$E>, tensor<?xi32> -> tensor<?x21x$E>
    return %y : tensor<?x21x$E>
  })",
      kTokens,
      [&](int64_t T) {
        return Arguments{numbers({9, 21}, E), indices({T}, 9)};
      },
      /*exactly=*/true);
}

// Whole rows and heads of a row, with widths that are multiples of sixteen and
// others.
TEST_P(LayerOpsTest, RmsNormAndGradient) {
  for (auto [features, block] :
       {std::pair{64, 64}, {40, 40}, {64, 16}, {30, 10}, {1, 1}}) {
    std::string x = "tensor<?x" + std::to_string(features) + "x$E>";
    std::string w = "tensor<" + std::to_string(block) + "x$E>";
    std::string g = "tensor<" + std::to_string(block) + "xf32>";
    compare("func.func @f(%x: " + x + ", %w: " + w + ", %dy: " + x +
                ", %i: " + g + ") -> (" + x + ", " + x + ", " + g +
                ") {\n%y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : " + x +
                ", " + w +
                "\n%dx, %dw = nn.rms_norm_grad %dy, %x, %w, %i {epsilon = "
                "1.0e-6 : f32} : " +
                x + ", " + w + ", " + g + "\nreturn %y, %dx, %dw : " + x +
                ", " + x + ", " + g + "\n}",
            kTokens, [&, features = features, block = block](int64_t T) {
              // A single element per block is normalized to +-1. Its gradient
              // is only rounding, which epsilon avoids.
              double scale = block == 1 ? 1e-3 : 1.0;
              return Arguments{numbers({T, features}, E, scale),
                               numbers({block}, E, 0.2, 1.0),
                               numbers({T, features}, E),
                               numbers({block}, f32)};
            });
  }
}

TEST_P(LayerOpsTest, RopeTable) {
  compare(
      R"(func.func @f(%p: tensor<?xi32>) -> (tensor<?x5xf32>, tensor<?x5xf32>) {
    %cos, %sin = nn.rope_table %p {inverse_frequencies = array<f32: 1.0, 0.3, 0.01, 0.0007, 0.00002>, attention_factor = 1.25 : f32}
        : tensor<?xi32> -> tensor<?x5xf32>
    return %cos, %sin : tensor<?x5xf32>, tensor<?x5xf32>
  })",
      kTokens, [&](int64_t T) { return Arguments{indices({T}, 1 << 17)}; });
}

TEST_P(LayerOpsTest, RopeAndItsInverse) {
  for (auto [features, half] : {std::pair{64, 16}, {30, 5}, {8, 4}}) {
    std::string x = "tensor<?x" + std::to_string(features) + "x$E>";
    std::string c = "tensor<?x" + std::to_string(half) + "xf32>";
    compare("func.func @f(%x: " + x + ", %c: " + c + ", %s: " + c + ") -> (" +
                x + ", " + x + ") {\n%y = nn.rope %x, %c, %s : " + x + ", " +
                c + "\n%z = nn.rope %x, %c, %s {inverse} : " + x + ", " + c +
                "\nreturn %y, %z : " + x + ", " + x + "\n}",
            kTokens, [&, features = features, half = half](int64_t T) {
              ReferenceValue cosines = numbers({T, half}, f32);
              ReferenceValue sines = cosines;
              for (auto [c, s] : llvm::zip_equal(cosines.reals, sines.reals)) {
                s = roundTo(std::sin(c), f32);
                c = roundTo(std::cos(c), f32);
              }
              return Arguments{numbers({T, features}, E), cosines, sines};
            });
  }
}

TEST_P(LayerOpsTest, SwigluAndGradient) {
  compare(
      R"(func.func @f(%g: tensor<?x37x$E>, %u: tensor<?x37x$E>, %dy: tensor<?x37x$E>)
      -> (tensor<?x37x$E>, tensor<?x37x$E>, tensor<?x37x$E>) {
    %y = nn.swiglu %g, %u : tensor<?x37x$E>
    %dg, %du = nn.swiglu_grad %dy, %g, %u : tensor<?x37x$E>
    return %y, %dg, %du : tensor<?x37x$E>, tensor<?x37x$E>, tensor<?x37x$E>
  })",
      kTokens, [&](int64_t T) {
        return Arguments{numbers({T, 37}, E, 4.0), numbers({T, 37}, E),
                         numbers({T, 37}, E)};
      });
}

TEST_P(LayerOpsTest, SumTokens) {
  compare(
      R"(func.func @f(%x: tensor<?x18x$E>, %i: tensor<18xf32>) -> tensor<18xf32> {
    %s = nn.sum_tokens %x, %i : tensor<?x18x$E>, tensor<18xf32>
    return %s : tensor<18xf32>
  })",
      kTokens, [&](int64_t T) {
        return Arguments{numbers({T, 18}, E), numbers({18}, f32)};
      });
}

} // namespace
} // namespace nibble
