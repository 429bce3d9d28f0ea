// Compares elementwise linalg with the host, which runs the same module.
#include "test/passes/LowerToHopper/DeviceProgram.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

using namespace nibble;
using namespace nibble::test;

namespace {

std::vector<Tensor> callWith(auto &&program,
                             const std::vector<Tensor> &arguments) {
  std::vector<const Tensor *> pointers;
  for (const Tensor &argument : arguments)
    pointers.push_back(&argument);
  return program.call("f", pointers);
}

void expectSame(const std::string &name, const std::vector<Tensor> &device,
                const std::vector<Tensor> &host) {
  ASSERT_EQ(device.size(), host.size()) << name;
  for (size_t i = 0; i < host.size(); ++i)
    EXPECT_EQ(difference(device[i], host[i]), "the same")
        << name << " result " << i;
}

void expectTheHosts(const std::string &name, const std::string &source,
                    const std::vector<Tensor> &arguments) {
  expectSame(name, callWith(CompiledForDevice(source), arguments),
             callWith(HostProgram(source), arguments));
}

struct Line {
  const char *result, *op, *operands;
};
constexpr Line kBody[] = {
    {"0", "arith.mulf", "%a, %b"},    {"1", "arith.addf", "%0, %t"},
    {"2", "math.exp", "%1"},          {"3", "arith.mulf", "%2, %half"},
    {"4", "math.tanh", "%3"},         {"5", "math.absf", "%a"},
    {"6", "arith.addf", "%5, %half"}, {"7", "math.log", "%6"},
    {"8", "math.rsqrt", "%6"},        {"9", "arith.divf", "%7, %8"}};

std::string flatSource(const std::string &element, int features) {
  std::string body;
  for (const Line &line : kBody)
    body += fmt::format("    %{} = {} {} : {}\n", line.result, line.op,
                        line.operands, element);
  return fmt::format(R"mlir(
#id = affine_map<(d0, d1) -> (d0, d1)>
#none = affine_map<(d0, d1) -> ()>
func.func @f(%x: tensor<?x{0}x{1}>, %y: tensor<?x{0}x{1}>, %s: tensor<{1}>) -> (tensor<?x{0}x{1}>, tensor<?x{0}x{1}>) {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x{0}x{1}>
  %e = tensor.empty(%n) : tensor<?x{0}x{1}>
  %half = arith.constant 0.5 : {1}
  %r:2 = linalg.generic {{indexing_maps = [#id, #id, #none, #id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%x, %y, %s : tensor<?x{0}x{1}>, tensor<?x{0}x{1}>, tensor<{1}>) outs(%e, %e : tensor<?x{0}x{1}>, tensor<?x{0}x{1}>) {{
  ^bb0(%a: {1}, %b: {1}, %t: {1}, %o: {1}, %p: {1}):
{2}    %c = arith.cmpf ogt, %a, %b : {1}
    %10 = arith.select %c, %9, %b : {1}
    linalg.yield %4, %10 : {1}, {1}
  }} -> (tensor<?x{0}x{1}>, tensor<?x{0}x{1}>)
  return %r#0, %r#1 : tensor<?x{0}x{1}>, tensor<?x{0}x{1}>
}})mlir",
                     features, element, body);
}

// exp, log and tanh are the program's own polynomials. bf16 is computed in
// float32 and rounded after every operation.
TEST(HopperLinalg, FlatBodiesAreTheHosts) {
  Random random(1);
  for (DType dtype : {DType::kBF16, DType::kF32})
    for (int features : {64, 21}) {
      std::string element = dtype == DType::kBF16 ? "bf16" : "f32";
      std::vector<Tensor> arguments;
      arguments.push_back(random.normal(dtype, {7, features}));
      arguments.push_back(random.normal(dtype, {7, features}));
      arguments.push_back(makeTensor(dtype, {}, {0.25}));
      expectTheHosts(fmt::format("{} {}", element, features),
                     flatSource(element, features), arguments);
    }
}

// Broadcast dimensions, a transposed operand, constants as indices, indices in
// the body, and ranks 0 to 4.
TEST(HopperLinalg, MapsAreTheHosts) {
  Random random(2);
  for (int last : {8, 6, 5}) {
    std::string source = fmt::format(R"mlir(
func.func @f(%x: tensor<3x?x{0}xf32>, %row: tensor<{0}xbf16>, %t: tensor<{0}x?xf32>, %one: tensor<3x1x{0}xf32>, %z: tensor<f32>)
    -> (tensor<3x?x{0}xf32>, tensor<2x3x?x{0}xbf16>, tensor<f32>, tensor<?x{0}xf32>) {{
  %c1 = arith.constant 1 : index
  %n = tensor.dim %x, %c1 : tensor<3x?x{0}xf32>
  %e = tensor.empty(%n) : tensor<3x?x{0}xf32>
  %a = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d2)>,
      affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, 0, d2)>, affine_map<(d0, d1, d2) -> (d0, d1, d2)>],
      iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%x, %row, %t, %one : tensor<3x?x{0}xf32>, tensor<{0}xbf16>, tensor<{0}x?xf32>, tensor<3x1x{0}xf32>) outs(%e : tensor<3x?x{0}xf32>) {{
  ^bb0(%0: f32, %1: bf16, %2: f32, %3: f32, %o: f32):
    %w = arith.extf %1 : bf16 to f32
    %4 = arith.mulf %0, %w : f32
    %5 = arith.subf %4, %2 : f32
    %6 = arith.addf %5, %3 : f32
    %i = linalg.index 2 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %7 = arith.addf %6, %k : f32
    linalg.yield %7 : f32
  }} -> tensor<3x?x{0}xf32>
  %e4 = tensor.empty(%n) : tensor<2x3x?x{0}xbf16>
  %four = linalg.generic {{indexing_maps = [affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}} ins(%a : tensor<3x?x{0}xf32>) outs(%e4 : tensor<2x3x?x{0}xbf16>) {{
  ^bb0(%0: f32, %o: bf16):
    %1 = arith.truncf %0 : f32 to bf16
    linalg.yield %1 : bf16
  }} -> tensor<2x3x?x{0}xbf16>
  %ez = tensor.empty() : tensor<f32>
  %sq = linalg.generic {{indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}} ins(%z : tensor<f32>) outs(%ez : tensor<f32>) {{
  ^bb0(%0: f32, %o: f32):
    %1 = arith.mulf %0, %0 : f32
    linalg.yield %1 : f32
  }} -> tensor<f32>
  %et = tensor.empty(%n) : tensor<?x{0}xf32>
  %back = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1, d0)>],
      iterator_types = ["parallel", "parallel"]}} ins(%t : tensor<{0}x?xf32>) outs(%et : tensor<?x{0}xf32>) {{
  ^bb0(%0: f32, %o: f32):
    linalg.yield %0 : f32
  }} -> tensor<?x{0}xf32>
  return %a, %four, %sq, %back : tensor<3x?x{0}xf32>, tensor<2x3x?x{0}xbf16>, tensor<f32>, tensor<?x{0}xf32>
}})mlir",
                                     last);
    std::vector<Tensor> arguments;
    arguments.push_back(random.normal(DType::kF32, {3, 11, last}));
    arguments.push_back(random.normal(DType::kBF16, {last}));
    arguments.push_back(random.normal(DType::kF32, {last, 11}));
    arguments.push_back(random.normal(DType::kF32, {3, 1, last}));
    arguments.push_back(makeTensor(DType::kF32, {}, {3}));
    expectTheHosts(fmt::format("last extent {}", last), source, arguments);
  }
}

TEST(HopperLinalg, FillsAndNamedOps) {
  Random random(3);
  std::vector<Tensor> arguments;
  arguments.push_back(random.normal(DType::kF32, {5, 12}));
  expectTheHosts("fill and add", R"mlir(
func.func @f(%x: tensor<?x12xf32>) -> (tensor<?x12xf32>, tensor<4x6xbf16>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x12xf32>
  %v = arith.constant 1.5 : f32
  %w = arith.constant -2.5 : bf16
  %e = tensor.empty(%n) : tensor<?x12xf32>
  %f = linalg.fill ins(%v : f32) outs(%e : tensor<?x12xf32>) -> tensor<?x12xf32>
  %e1 = tensor.empty(%n) : tensor<?x12xf32>
  %s = linalg.add ins(%x, %f : tensor<?x12xf32>, tensor<?x12xf32>) outs(%e1 : tensor<?x12xf32>) -> tensor<?x12xf32>
  %e2 = tensor.empty() : tensor<4x6xbf16>
  %g = linalg.fill ins(%w : bf16) outs(%e2 : tensor<4x6xbf16>) -> tensor<4x6xbf16>
  return %s, %g : tensor<?x12xf32>, tensor<4x6xbf16>
})mlir",
                 arguments);
}

TEST(HopperLinalg, WhatHasNoKernelIsRefused) {
  EXPECT_NE(whyNotForDevice(R"mlir(
func.func @f(%x: tensor<4x8xf32>, %i: tensor<4xf32>) -> tensor<4xf32> {
  %r = linalg.reduce ins(%x : tensor<4x8xf32>) outs(%i : tensor<4xf32>) dimensions = [1]
    (%a: f32, %b: f32) { %s = arith.addf %a, %b : f32
      linalg.yield %s : f32 }
  return %r : tensor<4xf32>
})mlir")
                .find("has a loop that reduces"),
            std::string::npos);
  EXPECT_NE(whyNotForDevice(R"mlir(
func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %r = linalg.map ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>)
    (%a: f32, %o: f32) { %s = math.powf %a, %a : f32
      linalg.yield %s : f32 }
  return %r : tensor<8xf32>
})mlir")
                .find("'math.powf' has no form"),
            std::string::npos);
}

} // namespace
