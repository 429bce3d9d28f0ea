// Every differentiable op of nn and qat against finite differences.
#include "test/passes/Differentiate/GradientCase.h"

using namespace nibble;

static const GradientCase kCases[] = {
    {"Linear", R"(
  func.func @f(%x: tensor<?x5xf32>, %w: tensor<3x5xf32>) -> tensor<?x3xf32> {
    %y = nn.linear %x, %w : tensor<?x5xf32>, tensor<3x5xf32> -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  })"},
    {"LinearBiasResidual", R"(
  func.func @f(%x: tensor<?x5xbf16>, %w: tensor<3x5xbf16> {nn.parameter = "w"}, %b: tensor<3xbf16> {nn.parameter = "b"}, %r: tensor<?x3xbf16>) -> tensor<?x3xbf16> {
    %y = nn.linear %x, %w bias(%b : tensor<3xbf16>) residual(%r : tensor<?x3xbf16>) : tensor<?x5xbf16>, tensor<3x5xbf16> -> tensor<?x3xbf16>
    return %y : tensor<?x3xbf16>
  })"},
    {"RmsNorm", R"(
  func.func @f(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
    %y = nn.rms_norm %x, %w {epsilon = 1.0e-3 : f32} : tensor<?x8xf32>, tensor<8xf32>
    return %y : tensor<?x8xf32>
  })"},
    {"RmsNormOfHeads", R"(
  func.func @f(%x: tensor<?x8xf32>, %w: tensor<4xf32> {nn.parameter = "w"}) -> tensor<?x8xf32> {
    %y = nn.rms_norm %x, %w {epsilon = 1.0e-3 : f32} : tensor<?x8xf32>, tensor<4xf32>
    return %y : tensor<?x8xf32>
  })"},
    {"RmsNormInputOnly", R"(
  func.func @f(%x: tensor<?x8xf32>, %w: tensor<8xf32>) -> tensor<?x8xf32> {
    %y = nn.rms_norm %x, %w {epsilon = 1.0e-3 : f32} : tensor<?x8xf32>, tensor<8xf32>
    return %y : tensor<?x8xf32>
  })",
     "0"},
    {"Rope", R"(
  func.func @f(%x: tensor<?x8xf32>, %positions: tensor<?xi32> {nn.input = "positions"}) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.1>, attention_factor = 1.25 : f32} : tensor<?xi32> -> tensor<?x2xf32>
    %y = nn.rope %x, %cos, %sin : tensor<?x8xf32>, tensor<?x2xf32>
    %z = nn.rope %x, %cos, %sin {inverse} : tensor<?x8xf32>, tensor<?x2xf32>
    return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
  })"},
    {"Attention", R"(
  func.func @f(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %positions: tensor<?xi32> {nn.input = "positions"},
               %sequences: tensor<?xi32> {nn.input = "sequences"}) -> tensor<?x16xf32> {
    %y, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 4, kv_heads = 2, scale = 0.5 : f32, kv_block = 16}
        : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x4xf32>
    return %y : tensor<?x16xf32>
  })"},
    {"AttentionWindow", R"(
  func.func @f(%q: tensor<?x4xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %positions: tensor<?xi32> {nn.input = "positions"},
               %sequences: tensor<?xi32> {nn.input = "sequences"}) -> tensor<?x4xf32> {
    %y, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 1, kv_heads = 1, scale = 0.5 : f32, kv_block = 16, window = 2}
        : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x1xf32>
    return %y : tensor<?x4xf32>
  })"},
    {"Swiglu", R"(
  func.func @f(%g: tensor<?x5xf32>, %u: tensor<?x5xf32>) -> tensor<?x5xf32> {
    %y = nn.swiglu %g, %u : tensor<?x5xf32>
    return %y : tensor<?x5xf32>
  })"},
    {"Embedding", R"(
  func.func @f(%tokens: tensor<?xi32> {nn.input = "tokens"}, %t: tensor<4x3xbf16> {nn.parameter = "table"}) -> tensor<?x3xbf16> {
    %y = nn.embedding %tokens, %t : tensor<?xi32>, tensor<4x3xbf16> -> tensor<?x3xbf16>
    return %y : tensor<?x3xbf16>
  })",
     "parameters"},
    {"TakeRows", R"(
  func.func @f(%x: tensor<?x3xf32>, %rows: tensor<?xi32> {nn.input = "rows"}) -> tensor<?x3xf32> {
    %y = nn.take_rows %x, %rows : tensor<?x3xf32>, tensor<?xi32> -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  })"},
    {"LogProbabilityAndEntropy", R"(
  func.func @f(%x: tensor<?x4xf32>, %targets: tensor<?xi32> {nn.input = "targets"}) -> (tensor<?xf32>, tensor<?xf32>) {
    %t = arith.constant dense<[0.5, 1.0, 1.5, 0.75, 1.0, 2.0]> : tensor<6xf32>
    %tau = tensor.cast %t : tensor<6xf32> to tensor<?xf32>
    %logp, %lse, %entropy = nn.log_probability %x, %targets, %tau : tensor<?x4xf32>, tensor<?xi32>, tensor<?xf32>
    return %logp, %entropy : tensor<?xf32>, tensor<?xf32>
  })"},
    {"SumAndBroadcast", R"(
  func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
    %s = nn.sum %x : tensor<?xf32> -> tensor<f32>
    %e = math.exp %s : tensor<f32>
    %b = nn.broadcast %e, %x : tensor<f32>, tensor<?xf32>
    %y = arith.mulf %b, %x : tensor<?xf32>
    return %y : tensor<?xf32>
  })"},
    {"FakeQuant", R"(
  func.func @f(%x: tensor<?x16xf32>, %w: tensor<3x16xbf16> {nn.parameter = "w"}) -> tensor<?x3xf32> {
    %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 16>} : tensor<3x16xbf16>
    %y = nn.linear %x, %w4 : tensor<?x16xf32>, tensor<3x16xbf16> -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  })"},
    {"StraightThrough", R"(
  func.func @f(%x: tensor<?x3xf32>, %w: tensor<4x3xf32>) -> tensor<?x4xf32> {
    %s = qat.straight_through %w : tensor<4x3xf32> {
    ^bb0(%a: tensor<4x3xf32>):
      qat.yield %a : tensor<4x3xf32>
    }
    %y = nn.linear %x, %s : tensor<?x3xf32>, tensor<4x3xf32> -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  })"},
    {"OneWeightManyUses", R"(
  func.func @f(%tokens: tensor<?xi32> {nn.input = "tokens"}, %t: tensor<4x16xbf16> {nn.parameter = "table"}) -> tensor<?x4xf32> {
    %x = nn.embedding %tokens, %t : tensor<?xi32>, tensor<4x16xbf16> -> tensor<?x16xbf16>
    %t4 = qat.fake_quant %t {scheme = #qat.scheme<int4, group_size = 16>} : tensor<4x16xbf16>
    %y = nn.linear %x, %t4 : tensor<?x16xbf16>, tensor<4x16xbf16> -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  })",
     "parameters"},
};

INSTANTIATE_TEST_SUITE_P(NN, GradientTest, ::testing::ValuesIn(kCases),
                         caseName);
