// Linears and their gradients on the PTX machine, compared with the reference:
// every tile size, ragged extents, every kind of weight. A token has the same
// bits alone, in a small batch and in a large one, which use different tiles.
#include "lib/Numerics/quantize.h"
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

struct LinearCase {
  int64_t tokens, n, k;
  std::string weight = "bf16"; // or a scheme, such as "<int4, group_size = 32>"
  bool bias = false, residual = false;
  std::string result = "bf16";
  double deviation = 0.05; // standard deviation of the weight

  bool isPacked() const { return weight.front() == '<'; }
  std::string weightType(const char *layout) const {
    return isPacked()
               ? fmt::format("!qat.packed<{}x{}, {}, {}>", n, k, weight, layout)
               : fmt::format("tensor<{}x{}xbf16>", n, k);
  }
  std::string dialect() const { return isPacked() ? "qat" : "nn"; }
  std::string name(const char *op) const {
    return fmt::format("{} {} tokens {}x{} {}{}{} -> {}", op, tokens, n, k,
                       weight, bias ? " bias" : "", residual ? " residual" : "",
                       result);
  }
};

// Makes the weight in the program's layout. The reference gets the same weight.
Tensor makeWeight(const LinearCase &c, Random &random) {
  Tensor plain = random.normal(DType::kBF16, {c.n, c.k}, c.deviation);
  if (!c.isPacked())
    return plain;
  auto layout = numerics::parsePacked(c.weightType("hopper"));
  if (!layout)
    throw std::runtime_error(c.weightType("hopper") + " is no packed type");
  Tensor slab = *Tensor::create(DType::kU8, {layout->bytes()});
  if (numerics::quantizeMatrix(plain.as<uint16_t>(), *layout,
                               slab.as<uint8_t>()))
    throw std::runtime_error("not finite");
  return slab;
}

OpCase forwardCase(const LinearCase &c, Random &random) {
  OpCase op;
  op.name = c.name("linear");
  op.dtype = DType::kBF16;
  std::string x = fmt::format("tensor<?x{}xbf16>", c.k);
  std::string y = fmt::format("tensor<?x{}x{}>", c.n, c.result);
  std::string bias = fmt::format("tensor<{}x{}>", c.n, c.result);
  std::string w = c.weightType("hopper");
  std::string arguments =
      fmt::format("%x: {}, %w: {} {{nn.parameter = \"w\"}}", x, w);
  std::string optional;
  op.arguments.push_back(random.normal(DType::kBF16, {c.tokens, c.k}, 1.0));
  op.arguments.push_back(makeWeight(c, random));
  op.perToken = {0};
  DType result = c.result == "f32" ? DType::kF32 : DType::kBF16;
  if (c.bias) {
    arguments += ", %b: " + bias;
    optional += " bias(%b : " + bias + ")";
    op.arguments.push_back(random.normal(result, {c.n}, 1.0));
  }
  if (c.residual) {
    arguments += ", %r: " + y;
    optional += " residual(%r : " + y + ")";
    op.perToken.push_back(static_cast<int>(op.arguments.size()));
    op.arguments.push_back(random.normal(result, {c.tokens, c.n}, 1.0));
  }
  op.source = fmt::format("func.func @f({}) -> {} {{\n  %y = {}.linear %x, "
                          "%w{} : {}, {} -> {}\n  return %y : {}\n}}",
                          arguments, y, c.dialect(), optional, x, w, y, y);
  return op;
}

OpCase inputGradCase(const LinearCase &c, Random &random) {
  OpCase op;
  op.name = c.name("input gradient");
  op.dtype = DType::kBF16;
  std::string dy = fmt::format("tensor<?x{}xbf16>", c.n);
  std::string dx = fmt::format("tensor<?x{}xbf16>", c.k);
  std::string w = c.weightType("hopper");
  op.source = fmt::format("func.func @f(%dy: {}, %w: {}) -> {} {{\n  %dx = "
                          "{}.linear_input_grad %dy, %w : {}, {} -> {}\n"
                          "  return %dx : {}\n}}",
                          dy, w, dx, c.dialect(), dy, w, dx, dx);
  op.arguments.push_back(random.normal(DType::kBF16, {c.tokens, c.n}, 1.0));
  op.arguments.push_back(makeWeight(c, random));
  op.perToken = {0};
  return op;
}

// Compares the same op with two tile sizes. An element is the result of one
// tile if both have the same bits, else a number that is far off.
OpCase tilesCase(OpCase op, const std::string &operation,
                 const std::string &type, int64_t tile, int64_t other) {
  auto withTile = [&](const char *result, int64_t tile) {
    size_t at = operation.find(" : ");
    return fmt::format("  {} = {} {{hopper.tile = {} : i64}}{}\n", result,
                       operation.substr(0, at), tile, operation.substr(at));
  };
  std::string element =
      type.find("xbf16") != std::string::npos ? "bf16" : "f32";
  op.name = fmt::format("{}, tiles of {} and {}", op.name, tile, other);
  size_t body = op.source.find("  %");
  op.source = "#id = affine_map<(d0, d1) -> (d0, d1)>\n" +
              op.source.substr(0, body) + withTile("%y", tile) +
              withTile("%z", other) +
              fmt::format(R"mlir(  %c0 = arith.constant 0 : index
  %n = tensor.dim %y, %c0 : {0}
  %e = tensor.empty(%n) : {0}
  %far = arith.constant 1.0e+30 : {1}
  %r = linalg.generic {{indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}} ins(%y, %z : {0}, {0}) outs(%e : {0}) {{
  ^bb0(%a: {1}, %b: {1}, %o: {1}):
    %same = arith.cmpf oeq, %a, %b : {1}
    %s = arith.select %same, %a, %far : {1}
    linalg.yield %s : {1}
  }} -> {0}
  return %r : {0}
}})mlir",
                          type, element);
  return op;
}

OpCase weightGradCase(const LinearCase &c, Random &random) {
  OpCase op;
  op.name = c.name("weight gradient");
  op.dtype = DType::kBF16;
  std::string dy = fmt::format("tensor<?x{}x{}>", c.n, c.result);
  std::string x = fmt::format("tensor<?x{}xbf16>", c.k);
  std::string dw = fmt::format("tensor<{}x{}xf32>", c.n, c.k);
  op.source = fmt::format("func.func @f(%dy: {0}, %x: {1}, %i: {2} {{nn.state "
                          "= \"g\"}}) -> ({2} {{nn.state = \"g\"}}) {{\n"
                          "  %dw = nn.linear_weight_grad %dy, %x, %i : {0}, "
                          "{1}, {2}\n  return %dw : {2}\n}}",
                          dy, x, dw);
  op.arguments.push_back(random.normal(
      c.result == "f32" ? DType::kF32 : DType::kBF16, {c.tokens, c.n}, 1.0));
  op.arguments.push_back(random.normal(DType::kBF16, {c.tokens, c.k}, 1.0));
  op.arguments.push_back(random.normal(DType::kF32, {c.n, c.k}, 1.0));
  op.inPlace = {{2, 0}};
  return op;
}

const std::string kInt4 = "<int4, group_size = 32>";
const std::string kMxfp4 = "<mxfp4, group_size = 32>";

TEST(HopperLinear, ForwardMeansWhatTheReferenceSays) {
  Random random(1);
  for (const LinearCase &c :
       {LinearCase{1, 64, 128, kInt4},
        {5, 128, 256, "<int4, group_size = 128>"},
        {9, 200, 704, kInt4, true, true},
        {20, 72, 192, "<int4, group_size = 64>", false, true},
        {40, 136, 160, "<int4, group_size = 16>", true},
        {130, 272, 384, kInt4},
        {7, 64, 264, "<int4, group_size = 0>"},
        {3, 272, 256, kInt4, false, false, "f32"},
        {1, 64, 64},
        {6, 200, 72, "bf16", true, true},
        {17, 270, 256, "bf16", false, false, "f32"},
        {67, 128, 320},
        {150, 136, 128, "bf16", false, true},
        {4, 128, 128, "<int8, group_size = 32>"},
        {4, 136, 128, "<fp8, group_size = 128>"},
        {1, 64, 128, kMxfp4},
        {9, 200, 704, kMxfp4, true, true},
        {20, 72, 192, kMxfp4, false, true},
        {40, 136, 160, kMxfp4, true},
        {130, 272, 384, kMxfp4}})
    checkOnDevice(forwardCase(c, random));
}

// Small scales are decoded in another way than large ones and 0, except in a
// batch of 40 tokens.
TEST(HopperLinear, ScalesOfEverySize) {
  Random random(5);
  for (double deviation : {0.0, 1e-38, 0.01, 0.08, 1.0, 1e20})
    for (const char *scheme :
         {"<int4, group_size = 32>", "<int4, group_size = 128>",
          "<mxfp4, group_size = 32>"})
      checkOnDevice(forwardCase(
          {40, 72, 256, scheme, false, false, "f32", deviation}, random));
}

// Split-K: the splits are blocks of a cluster for few tokens. For many tokens
// one block computes them in sequence.
TEST(HopperLinear, SplitsAreAddedInTheirOrder) {
  Random random(4);
  for (const LinearCase &c : {LinearCase{3, 72, 1024, kInt4, false, true},
                              {70, 72, 1024, kInt4, false, true},
                              {17, 136, 2304, kInt4},
                              {17, 136, 2304, kMxfp4},
                              {5, 64, 4096, "<int4, group_size = 128>"},
                              {66, 64, 4096, "<int4, group_size = 128>"},
                              {2, 70, 1096, "bf16", true, false, "f32"},
                              {65, 72, 2048, "bf16", false, true},
                              {12, 130, 4096}})
    checkOnDevice(forwardCase(c, random));
}

// Tiles of 256 tokens hold totals of splits in shared memory and load codes by
// halves of a slab. Their bits equal those of other tiles, for small and for
// large scales.
TEST(HopperLinear, WideTilesHaveTheBitsOfOthers) {
  Random random(6);
  auto check = [&](const LinearCase &c, int64_t other) {
    std::string y = fmt::format("tensor<?x{}x{}>", c.n, c.result);
    std::string operation =
        fmt::format("{}.linear %x, %w : tensor<?x{}xbf16>, {} -> {}",
                    c.dialect(), c.k, c.weightType("hopper"), y);
    checkOnDevice(tilesCase(forwardCase(c, random), operation, y, 256, other));
  };
  check({260, 72, 1024, kInt4}, 64);
  check({130, 136, 2304, "<int4, group_size = 128>", false, false, "f32", 1.0},
        128);
  check({131, 64, 1088, "<int4, group_size = 16>"}, 32);
  check({131, 72, 1088, kMxfp4, false, false, "f32"}, 16);
  check({130, 136, 200, "<int4, group_size = 0>"}, 128);
  check({258, 136, 1096}, 128);
  check({140, 270, 72, "bf16", false, false, "f32"}, 64);
  LinearCase c{140, 136, 264};
  std::string dx = fmt::format("tensor<?x{}xbf16>", c.k);
  std::string operation =
      fmt::format("nn.linear_input_grad %dy, %w : tensor<?x{}xbf16>, {} -> {}",
                  c.n, c.weightType("hopper"), dx);
  checkOnDevice(tilesCase(inputGradCase(c, random), operation, dx, 256, 64));
}

TEST(HopperLinear, InputGradientMeansWhatTheReferenceSays) {
  Random random(2);
  for (const LinearCase &c : {LinearCase{1, 64, 128},
                              {10, 72, 200},
                              {33, 272, 136},
                              {140, 128, 264},
                              {5, 200, 704, kInt4},
                              {70, 64, 128, "<int4, group_size = 128>"},
                              {5, 72, 160, kMxfp4}})
    checkOnDevice(inputGradCase(c, random));
}

TEST(HopperLinear, WeightGradientMeansWhatTheReferenceSays) {
  Random random(3);
  for (const LinearCase &c : {LinearCase{1, 64, 128},
                              {70, 72, 200},
                              {131, 136, 136},
                              {20, 272, 256, "bf16", false, false, "f32"}})
    checkOnDevice(weightGradCase(c, random));
  // The same with tiles of 256 columns, bit for bit.
  OpCase c = weightGradCase({70, 136, 264}, random);
  CompiledForDevice narrow(withElement(c.source, c.dtype));
  c.name += ", tiles of 256";
  c.source.insert(c.source.find(" : ", c.source.find("%dw =")),
                  " {hopper.tile = 256 : i64}");
  CompiledForDevice wide(withElement(c.source, c.dtype));
  EXPECT_EQ(difference(runOnDevice(narrow, c)[0], runOnDevice(wide, c)[0]),
            "the same");
  checkOnDevice(c);
}

} // namespace
