// arith and math, on tensors and on scalars inside a linalg body, against finite differences.
#include "test/passes/Differentiate/GradientCase.h"

using namespace nibble;

namespace {

// An op of `arity` float operands, and where its arguments are taken from.
struct Elementwise {
  std::string op;
  int arity;
  double center = 0.0, spread = 1.0;
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
};

std::string operands(int arity) { return arity == 1 ? "%a" : arity == 2 ? "%a, %b" : "%a, %b, %c"; }

// On a tensor of open extent.
std::string onTensors(const Elementwise &e) {
  return "func.func @f(%a: tensor<?xf32>" + std::string(e.arity > 1 ? ", %b: tensor<?xf32>" : "") +
         (e.arity > 2 ? ", %c: tensor<?xf32>" : "") + ") -> tensor<?xf32> {\n  %y = " + e.op + " " + operands(e.arity) +
         " : tensor<?xf32>\n  return %y : tensor<?xf32>\n}";
}

// On scalars, as a front end's linalg.generic does.
std::string inBody(const Elementwise &e) {
  std::string arguments, inputs, types, block, maps;
  for (int i = 0; i < e.arity; ++i) {
    std::string letter(1, static_cast<char>('a' + i)), comma = i ? ", " : "";
    arguments += comma + "%t" + letter + ": tensor<2x3xf32>";
    inputs += comma + "%t" + letter;
    types += comma + "tensor<2x3xf32>";
    block += "%" + letter + ": f32, ";
    maps += "#id, ";
  }
  return "#id = affine_map<(i, j) -> (i, j)>\nfunc.func @f(" + arguments +
         ") -> tensor<2x3xf32> {\n  %e = tensor.empty() : " +
         "tensor<2x3xf32>\n  %y = linalg.generic {indexing_maps = [" + maps +
         "#id], iterator_types = [\"parallel\", \"parallel\"]} ins(" + inputs + " : " + types +
         ") outs(%e : tensor<2x3xf32>) {\n  ^bb0(" + block + "%o: f32):\n    %r = " + e.op + " " + operands(e.arity) +
         " : f32\n    linalg.yield %r : f32\n  } -> tensor<2x3xf32>\n  return %y : tensor<2x3xf32>\n}";
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

INSTANTIATE_TEST_SUITE_P(Elementwise, GradientTest, ::testing::ValuesIn(cases()), caseName);
