// Compares linears and their gradients over plain and packed weights between
// host and reference.
#include "test/integration/ops/Compare.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/quantize.h"
#include "lib/Reference/Packed.h"

#include "mlir/AsmParser/AsmParser.h"

namespace nibble {
namespace {

using LinearOpsTest = OpTest;
NIBBLE_FOR_EACH_TYPE(LinearOpsTest);

// No token, decode, around one tile, and many tokens.
const std::vector<int64_t> kTokens = {0, 1, 3, 7, 65};

// Rows and columns of weights: smaller than a tile, ragged, and several tiles
// with a remainder.
const std::pair<int64_t, int64_t> kShapes[] = {
    {5, 17}, {50, 130}, {1, 1}, {16, 64}};

std::string matrix(int64_t columns, const std::string &element) {
  return "tensor<?x" + std::to_string(columns) + "x" + element + ">";
}
std::string matrix(int64_t rows, int64_t columns, const std::string &element) {
  return "tensor<" + std::to_string(rows) + "x" + std::to_string(columns) +
         "x" + element + ">";
}

TEST_P(LinearOpsTest, Linear) {
  for (auto [n, k] : someOf(kShapes, 2)) {
    std::string x = matrix(k, "$E");
    std::string w = matrix(n, k, "$E");
    std::string y = matrix(n, "$E");
    std::string logits = matrix(n, "f32");
    std::string bias = "tensor<" + std::to_string(n) + "x$E>";
    compare("func.func @f(%x: " + x + ", %w: " + w + ", %b: " + bias +
                ", %r: " + y + ") -> (" + y + ", " + y + ", " + y + ", " +
                logits + ") {\n%y0 = nn.linear %x, %w : " + x + ", " + w +
                " -> " + y + "\n%y1 = nn.linear %x, %w bias(%b : " + bias +
                ") : " + x + ", " + w + " -> " + y +
                "\n%y2 = nn.linear %x, %w bias(%b : " + bias +
                ") residual(%r : " + y + ") : " + x + ", " + w + " -> " + y +
                "\n%y3 = nn.linear %x, %w : " + x + ", " + w + " -> " + logits +
                "\nreturn %y0, %y1, %y2, %y3 : " + y + ", " + y + ", " + y +
                ", " + logits + "\n}",
            kTokens, [&, n = n, k = k](int64_t T) {
              return Arguments{numbers({T, k}, E), numbers({n, k}, E),
                               numbers({n}, E), numbers({T, n}, E)};
            });
  }
}

TEST_P(LinearOpsTest, Gradients) {
  for (auto [n, k] : someOf(kShapes, 2)) {
    std::string dy = matrix(n, "$E");
    std::string x = matrix(k, "$E");
    std::string w = matrix(n, k, "$E");
    std::string dw = matrix(n, k, "f32");
    compare("func.func @f(%dy: " + dy + ", %x: " + x + ", %w: " + w +
                ", %i: " + dw + ") -> (" + x + ", " + dw +
                ") {\n%dx = nn.linear_input_grad %dy, %w : " + dy + ", " + w +
                " -> " + x +
                "\n%dw = nn.linear_weight_grad %dy, %x, %i : " + dy + ", " + x +
                ", " + dw + "\nreturn %dx, %dw : " + x + ", " + dw + "\n}",
            kTokens, [&, n = n, k = k](int64_t T) {
              return Arguments{numbers({T, n}, E), numbers({T, k}, E),
                               numbers({n, k}, E), numbers({n, k}, f32)};
            });
  }
}

TEST_P(LinearOpsTest, PackedLinearAndInputGradient) {
  const std::tuple<int64_t, int64_t, const char *> cases[] = {
      {5, 96, "<int4, group_size = 32>"},
      {33, 50, "<int4, group_size = 0>"},
      {130, 140, "<fp8, group_size = 128>"},
      {21, 160, "<mxfp4, group_size = 32>"},
      {40, 128, "<int4, group_size = 128>"},
      {17, 192, "<int4, group_size = 64>"},
      {9, 64, "<int8, group_size = 32>"},
      {1, 16, "<int4, group_size = 16>"}};
  for (auto [n, k, scheme] : someOf(cases, 4)) {
    std::string p = "!qat.packed<" + std::to_string(n) + "x" +
                    std::to_string(k) + ", #qat.scheme" + scheme + ", host>";
    std::string x = matrix(k, "$E");
    std::string y = matrix(n, "$E");
    std::string bias = "tensor<" + std::to_string(n) + "x$E>";
    SCOPED_TRACE(p);
    auto type = cast<qat::PackedType>(mlir::parseType(p, &session.context()));
    ReferenceValue weight = numbers({n, k}, b.getBF16Type());
    std::vector<uint16_t> bits;
    for (double element : weight.reals)
      bits.push_back(numerics::bf16FromFloat(static_cast<float>(element)));
    std::vector<uint8_t> slab(type.getBytes());
    ASSERT_FALSE(numerics::quantizeMatrix(bits.data(), type.numericsLayout(),
                                          slab.data())
                     .has_value());
    compare("func.func @f(%x: " + x + ", %dy: " + y + ", %p: " + p +
                ", %b: " + bias + ") -> (" + y + ", " + y + ", " + x +
                ") {\n%y0 = qat.linear %x, %p : " + x + ", " + p + " -> " + y +
                "\n%y1 = qat.linear %x, %p bias(%b : " + bias +
                ") residual(%dy : " + y + ") : " + x + ", " + p + " -> " + y +
                "\n%dx = qat.linear_input_grad %dy, %p : " + y + ", " + p +
                " -> " + x + "\nreturn %y0, %y1, %dx : " + y + ", " + y + ", " +
                x + "\n}",
            kTokens, [&, n = n, k = k](int64_t T) {
              return Arguments{numbers({T, k}, E), numbers({T, n}, E),
                               packedValue(type, slab), numbers({n}, E)};
            });
  }
}

} // namespace
} // namespace nibble
