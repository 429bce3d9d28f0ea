// Compares gradients of arith and math with finite differences, on tensors and
// on scalars inside a linalg body.
#include "test/passes/Differentiate/GradientCase.h"

#include <cmath>
#include <limits>

using namespace nibble;

namespace {

// An op of `arity` float operands, and the source of its arguments.
struct Elementwise {
  std::string op;
  int arity;
  double center = 0.0;
  double spread = 1.0;
};

const Elementwise kOps[] = {
    {"arith.addf", 2},
    {"arith.subf", 2},
    {"arith.mulf", 2},
    {"arith.divf", 2, 2.0, 1.0},
    {"arith.maximumf", 2},
    {"arith.minimumf", 2},
    {"arith.maxnumf", 2},
    {"arith.minnumf", 2},
    {"arith.negf", 1},
    {"math.exp", 1},
    {"math.exp2", 1},
    {"math.expm1", 1},
    {"math.log", 1, 2.0, 1.0},
    {"math.log1p", 1, 1.0, 0.5},
    {"math.log2", 1, 2.0, 1.0},
    {"math.log10", 1, 2.0, 1.0},
    {"math.sqrt", 1, 2.0, 1.0},
    {"math.rsqrt", 1, 2.0, 1.0},
    {"math.cbrt", 1, 2.0, 1.0},
    {"math.tanh", 1},
    {"math.sin", 1},
    {"math.cos", 1},
    {"math.tan", 1},
    {"math.sinh", 1},
    {"math.cosh", 1},
    {"math.atan", 1},
    {"math.erf", 1},
    {"math.absf", 1},
    {"math.powf", 2, 2.0, 1.0},
    {"math.fma", 3},
    {"math.acos", 1, 0.0, 0.5},
    {"math.asin", 1, 0.0, 0.5},
    {"math.acosh", 1, 2.0, 0.5},
    {"math.asinh", 1},
    {"math.atanh", 1, 0.0, 0.5},
    {"math.erfc", 1},
    {"math.atan2", 2, 2.0, 1.0},
    {"arith.remf", 2, 2.0, 0.5},
};

std::string operands(int arity) {
  return arity == 1 ? "%a" : arity == 2 ? "%a, %b" : "%a, %b, %c";
}

// On a tensor of open extent.
std::string onTensors(const Elementwise &e) {
  return "func.func @f(%a: tensor<?xf32>" +
         std::string(e.arity > 1 ? ", %b: tensor<?xf32>" : "") +
         (e.arity > 2 ? ", %c: tensor<?xf32>" : "") +
         ") -> tensor<?xf32> {\n  %y = " + e.op + " " + operands(e.arity) +
         " : tensor<?xf32>\n  return %y : tensor<?xf32>\n}";
}

// On scalars, as in a front end's linalg.generic.
std::string inBody(const Elementwise &e) {
  std::string arguments, inputs, types, block, maps;
  for (int i = 0; i < e.arity; ++i) {
    std::string letter(1, static_cast<char>('a' + i));
    std::string comma = i ? ", " : "";
    arguments += comma + "%t" + letter + ": tensor<2x3xf32>";
    inputs += comma + "%t" + letter;
    types += comma + "tensor<2x3xf32>";
    block += "%" + letter + ": f32, ";
    maps += "#id, ";
  }
  return "#id = affine_map<(i, j) -> (i, j)>\nfunc.func @f(" + arguments +
         ") -> tensor<2x3xf32> {\n  %e = tensor.empty() : " +
         "tensor<2x3xf32>\n  %y = linalg.generic {indexing_maps = [" + maps +
         "#id], iterator_types = [\"parallel\", \"parallel\"]} ins(" + inputs +
         " : " + types + ") outs(%e : tensor<2x3xf32>) {\n  ^bb0(" + block +
         "%o: f32):\n    %r = " + e.op + " " + operands(e.arity) +
         " : f32\n    linalg.yield %r : f32\n  } -> tensor<2x3xf32>\n  return "
         "%y : tensor<2x3xf32>\n}";
}

std::vector<GradientCase> cases() {
  std::vector<GradientCase> all;
  for (const Elementwise &e : kOps) {
    std::string name = e.op.substr(e.op.find('.') + 1);
    all.push_back({name + "OnTensors", onTensors(e), "", e.center, e.spread});
    all.push_back({name + "InBody", inBody(e), "", e.center, e.spread});
  }
  all.push_back({"Select", R"(
  func.func @f(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
    %c = arith.cmpf olt, %a, %b : tensor<?xf32>
    %y = arith.select %c, %a, %b : tensor<?xi1>, tensor<?xf32>
    %z = arith.mulf %y, %a : tensor<?xf32>
    return %z : tensor<?xf32>
  })"});
  all.push_back({"ExtendAndTruncate", R"(
  func.func @f(%a: tensor<?xbf16>) -> tensor<?xbf16> {
    %w = arith.extf %a : tensor<?xbf16> to tensor<?xf32>
    %e = math.exp %w : tensor<?xf32>
    %y = arith.truncf %e : tensor<?xf32> to tensor<?xbf16>
    return %y : tensor<?xbf16>
  })"});
  all.push_back({"Bfloat16", R"(
  func.func @f(%a: tensor<?xbf16>, %b: tensor<?xbf16>) -> tensor<?xbf16> {
    %p = arith.mulf %a, %b : tensor<?xbf16>
    %t = math.tanh %p : tensor<?xbf16>
    %y = arith.divf %t, %b : tensor<?xbf16>
    return %y : tensor<?xbf16>
  })",
                 "", 1.5, 0.5});
  all.push_back({"Clamp", R"(
  func.func @f(%a: tensor<?xf32>) -> tensor<?xf32> {
    %c0 = arith.constant 0 : index
    %n = tensor.dim %a, %c0 : tensor<?xf32>
    %e = tensor.empty(%n) : tensor<?xf32>
    %low = arith.constant -0.8 : f32
    %high = arith.constant 0.8 : f32
    %lows = linalg.fill ins(%low : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    %highs = linalg.fill ins(%high : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    %y = math.clampf %a to [%lows, %highs] : tensor<?xf32>
    return %y : tensor<?xf32>
  })"});
  all.push_back({"CopySign", R"(
  func.func @f(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
    %y = math.copysign %a, %b : tensor<?xf32>
    return %y : tensor<?xf32>
  })",
                 "0"});
  for (int exponent : {-2, -1, 1, 2, 3}) {
    std::string name = "IntegerPower" +
                       std::string(exponent < 0 ? "Minus" : "") +
                       std::to_string(std::abs(exponent));
    std::string constant =
        "arith.constant " + std::to_string(exponent) + " : i64";
    all.push_back({name, R"(
  #id = affine_map<(i) -> (i)>
  func.func @f(%t: tensor<5xf32>) -> tensor<5xf32> {
    %n = )" + constant + R"(
    %e = tensor.empty() : tensor<5xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%t : tensor<5xf32>) outs(%e : tensor<5xf32>) {
    ^bb0(%a: f32, %o: f32):
      %r = math.fpowi %a, %n : f32, i64
      linalg.yield %r : f32
    } -> tensor<5xf32>
    return %y : tensor<5xf32>
  })",
                   "", 2.0, 1.0});
  }
  all.push_back({"IntegerPowerOfTensors", R"(
  func.func @f(%a: tensor<?xf32>, %n: tensor<?xi32> {nn.input = "tokens"}) -> tensor<?xf32> {
    %y = math.fpowi %a, %n : tensor<?xf32>, tensor<?xi32>
    return %y : tensor<?xf32>
  })",
                 "", 2.0, 1.0});
  all.push_back({"Scalars", R"(
  func.func @f(%a: f32, %b: f32) -> f32 {
    %c = arith.constant 3.0 : f32
    %p = arith.mulf %a, %b : f32
    %s = math.sin %p : f32
    %q = arith.divf %s, %c : f32
    %y = arith.addf %q, %a : f32
    return %y : f32
  })"});
  return all;
}

} // namespace

// A function may have no derivative, or a factor of its formula no value. There
// the gradients are those of PyTorch.
TEST(GradientAtKinks, IsPyTorch) {
  struct Case {
    const char *body; // computes %y from %a, %b, and the constants below
    double a, b;
    double da, db;
  };
  const double kInf = std::numeric_limits<double>::infinity();
  for (const Case &c : {
           Case{"math.powf %a, %b : f64", 0.0, 0.0, 0.0, 0.0},
           Case{"math.powf %a, %b : f64", 0.0, 1.0, 1.0, 0.0},
           Case{"math.powf %a, %b : f64", 0.0, 2.0, 0.0, 0.0},
           Case{"math.powf %a, %b : f64", 0.0, 0.5, kInf, 0.0},
           Case{"math.powf %a, %b : f64", 3.0, 0.0, 0.0, std::log(3.0)},
           Case{"math.fpowi %a, %n0 : f64, i64", 0.0, 0.0, 0.0, 0.0},
           Case{"math.fpowi %a, %n1 : f64, i64", 0.0, 0.0, 1.0, 0.0},
           Case{"math.fpowi %a, %n2 : f64, i64", 0.0, 0.0, 0.0, 0.0},
           Case{"math.fpowi %a, %n3 : f64, i64", -2.0, 0.0, 12.0, 0.0},
           Case{"math.fpowi %a, %least : f64, i64", 3.0, 0.0, 0.0, 0.0},
           Case{"math.fpowi %a, %least : f64, i64", -1.0, 0.0,
                9223372036854775808.0, 0.0},
           Case{"math.fpowi %a, %few : f64, i8", 2.0, 0.0,
                -std::ldexp(1.0, -122), 0.0}, // -128 * 2^-129
           Case{"math.absf %a : f64", 0.0, 0.0, 0.0, 0.0},
           Case{"math.sqrt %a : f64", 0.0, 0.0, kInf, 0.0},
           Case{"math.log %a : f64", 0.0, 0.0, kInf, 0.0},
           Case{"math.atan2 %a, %b : f64", 0.0, 0.0, 0.0, 0.0},
           Case{"math.copysign %a, %b : f64", 0.0, -1.0, 0.0, 0.0},
           Case{"arith.maximumf %a, %b : f64", 0.25, 0.25, 0.5, 0.5},
           Case{"arith.minimumf %a, %b : f64", 0.25, 0.25, 0.5, 0.5},
           Case{"arith.maxnumf %a, %b : f64", 0.25, 0.25, 1.0, 0.0},
           Case{"arith.maximumf %a, %half : f64", 0.5, 0.0, 1.0,
                0.0}, // a clamp at its bound
           Case{"arith.minimumf %half, %a : f64", 0.5, 0.0, 1.0, 0.0},
           Case{"arith.select %greater, %a, %zero : f64", 0.0, 0.0, 0.0,
                0.0}, // relu
           Case{"arith.select %below, %zero, %a : f64", 0.0, 0.0, 1.0,
                0.0}, // clamp
           Case{"arith.select %larger, %a, %b : f64", 0.25, 0.25, 0.5,
                0.5}, // torch.maximum
           Case{"arith.select %above, %zero, %a : f64", 0.0, 0.0, 0.5,
                0.0}, // torch.maximum with a constant
           Case{"math.clampf %a to [%zero, %half] : f64", 0.5, 0.0, 1.0, 0.0},
           Case{"math.clampf %a to [%zero, %half] : f64", 0.75, 0.0, 0.0, 0.0},
           Case{"math.floor %a : f64", 0.25, 0.0, 0.0, 0.0},
           Case{"arith.remf %a, %b : f64", 7.0, 2.0, 1.0, -3.0},
       }) {
    SCOPED_TRACE(::testing::Message()
                 << c.body << " at " << c.a << ", " << c.b);
    std::string text = R"(
  func.func @f(%a: f64, %b: f64) -> f64 {
    %n0 = arith.constant 0 : i64
    %n1 = arith.constant 1 : i64
    %n2 = arith.constant 2 : i64
    %n3 = arith.constant 3 : i64
    %least = arith.constant -9223372036854775808 : i64
    %few = arith.constant -128 : i8
    %zero = arith.constant 0.0 : f64
    %half = arith.constant 0.5 : f64
    %greater = arith.cmpf ugt, %a, %zero : f64
    %larger = arith.cmpf ogt, %a, %b : f64
    %above = arith.cmpf ogt, %zero, %a : f64
    %below = arith.cmpf ult, %a, %zero : f64
    %y = )" + std::string(c.body) +
                       "\n    return %y : f64\n  }";
    std::vector<double> gradients = gradientsAt(text, {c.a, c.b});
    ASSERT_EQ(gradients.size(), 2u);
    EXPECT_EQ(gradients[0], c.da);
    EXPECT_EQ(gradients[1], c.db);
  }
}

INSTANTIATE_TEST_SUITE_P(Elementwise, GradientTest,
                         ::testing::ValuesIn(cases()), caseName);
