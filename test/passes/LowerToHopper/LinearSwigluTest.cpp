// SwiGLU as the epilogue of two linears, on the PTX machine. It is compared
// with the reference, and bit for bit with two linears and nn.swiglu. The tests
// cover every tile size, with and without split-K.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct Case {
  int64_t tokens, n, k;
  std::string weight = "bf16"; // or a scheme
  std::string attributes = {};
  bool given = true; // whether weights are parameters of the program

  bool isPacked() const { return weight.front() == '<'; }
  std::string weightType() const {
    return isPacked()
               ? fmt::format("!qat.packed<{}x{}, {}, hopper>", n, k, weight)
               : fmt::format("tensor<{}x{}xbf16>", n, k);
  }
};

Tensor makeWeight(const Case &c, Random &random) {
  Tensor plain = random.normal(DType::kBF16, {c.n, c.k},
                               2.0 / std::sqrt(static_cast<double>(c.k)));
  if (!c.isPacked())
    return plain;
  auto layout = numerics::parsePacked(c.weightType());
  if (!layout)
    throw std::runtime_error(c.weightType() + " is no packed type");
  Tensor slab = *Tensor::create(DType::kU8, {layout->bytes()});
  if (numerics::quantizeMatrix(plain.as<uint16_t>(), *layout,
                               slab.as<uint8_t>()))
    throw std::runtime_error("not finite");
  return slab;
}

// @f is the fused op. @g has the separate ops, and its results include gate and
// up.
OpCase makeCase(const Case &c, Random &random) {
  OpCase op;
  op.name = fmt::format("linear_swiglu {} tokens {}x{} {} {}", c.tokens, c.n,
                        c.k, c.weight, c.attributes);
  op.dtype = DType::kBF16;
  op.source = R"mlir(
func.func @f(%x: ROWS, %g: WEIGHT GIVENG, %u: WEIGHT GIVENU) -> RESULT {
  %y = DIALECT.linear_swiglu %x, %g, %u ATTRIBUTES : ROWS, WEIGHT -> RESULT
  return %y : RESULT
}
func.func @g(%x: ROWS, %g: WEIGHT GIVENG, %u: WEIGHT GIVENU) -> (RESULT, RESULT, RESULT) {
  %gate = DIALECT.linear %x, %g ATTRIBUTES : ROWS, WEIGHT -> RESULT
  %up = DIALECT.linear %x, %u ATTRIBUTES : ROWS, WEIGHT -> RESULT
  %y = nn.swiglu %gate, %up : RESULT
  return %y, %gate, %up : RESULT, RESULT, RESULT
}
)mlir";
  auto replace = [&](const std::string &from, const std::string &to) {
    for (size_t at = op.source.find(from); at != std::string::npos;
         at = op.source.find(from, at + to.size()))
      op.source.replace(at, from.size(), to);
  };
  replace("DIALECT", c.isPacked() ? "qat" : "nn");
  replace("ATTRIBUTES", c.attributes);
  replace("ROWS", fmt::format("tensor<?x{}xbf16>", c.k));
  replace("RESULT", fmt::format("tensor<?x{}xbf16>", c.n));
  replace("WEIGHT", c.weightType());
  replace("GIVENG", c.given ? "{nn.parameter = \"g\"}" : "");
  replace("GIVENU", c.given ? "{nn.parameter = \"u\"}" : "");
  op.arguments.push_back(random.normal(DType::kBF16, {c.tokens, c.k}, 1.0));
  op.arguments.push_back(makeWeight(c, random));
  op.arguments.push_back(makeWeight(c, random));
  op.perToken = {0};
  return op;
}

void checkFused(const Case &c, Random &random) {
  OpCase op = makeCase(c, random);
  checkOnDevice(op);
  CompiledForDevice program(op.source);
  std::vector<const Tensor *> pointers;
  for (const Tensor &argument : op.arguments)
    pointers.push_back(&argument);
  auto fused = program.call("f", pointers), plain = program.call("g", pointers);
  EXPECT_EQ(difference(fused[0], plain[0]), "the same") << op.name;
}

const std::string kInt4 = "<int4, group_size = 32>";

// One row and every tile size. Widths of y that are no multiple of a slab, of
// 16 bytes, or of a group. Weights that the program computes.
TEST(HopperLinearSwiglu, GivesTheBitsOfTwoLinearsAndSwiglu) {
  Random random(1);
  for (const Case &c : {Case{1, 64, 128, kInt4},
                        {5, 128, 256, "<int4, group_size = 128>"},
                        {9, 200, 704, kInt4},
                        {20, 72, 192, "<int4, group_size = 64>"},
                        {40, 136, 160, "<int4, group_size = 16>", "", false},
                        {130, 272, 384, kInt4},
                        {7, 64, 264, "<int4, group_size = 0>"},
                        {1, 64, 64},
                        {6, 200, 72},
                        {17, 270, 256},
                        {67, 128, 320},
                        {150, 136, 128},
                        {4, 128, 128, "<int8, group_size = 32>"},
                        {5, 128, 256, "<mxfp4, group_size = 32>"}})
    checkFused(c, random);
}

// The number of splits is that of one of the linears, whatever the blocks of
// the fused kernel are.
TEST(HopperLinearSwiglu, SplitsAreTheLinears) {
  Random random(2);
  for (const Case &c : {Case{3, 72, 1024, kInt4},
                        {70, 72, 1024, kInt4},
                        {17, 136, 2304, kInt4},
                        {5, 64, 4096, "<int4, group_size = 128>"},
                        {66, 64, 4096, "<int4, group_size = 128>"},
                        {2, 70, 1096},
                        {65, 72, 2048},
                        {12, 130, 4096},
                        {30, 72, 1024, kInt4, "{hopper.splits = 1 : i64}"},
                        {30, 72, 1024, kInt4,
                         "{hopper.splits = 4 : i64, hopper.tile = 16 : i64}"},
                        {40, 72, 10240, "<int4, group_size = 128>",
                         "{hopper.splits = 4 : i64}"},
                        {100, 72, 1024, kInt4, "{hopper.tile = 256 : i64}"},
                        {100, 72, 1096, "bf16", "{hopper.tile = 256 : i64}"}})
    checkFused(c, random);
}

// Inputs whose products overflow, infinity and NaN.
TEST(HopperLinearSwiglu, TakesWhatIsNotFinite) {
  Random random(3);
  OpCase op = makeCase({3, 64, 128}, random);
  CompiledForDevice program(op.source);
  uint16_t *x = op.arguments[0].as<uint16_t>();
  x[5] = 0x7F7F;       // the largest finite
  x[128 + 7] = 0x7F80; // infinity
  x[256 + 9] = 0x7FC0; // NaN
  std::vector<const Tensor *> pointers;
  for (const Tensor &argument : op.arguments)
    pointers.push_back(&argument);
  auto fused = program.call("f", pointers), plain = program.call("g", pointers);
  EXPECT_EQ(difference(fused[0], plain[0]), "the same");
}

} // namespace
