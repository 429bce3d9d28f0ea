// Derived rollouts pass, before and after fusion. A handwritten rollout in another form passes too.
// RUN: nibble-opt %examples/layer.mlir --nibble-quantize --nibble-derive-rollout --nibble-verify-consistency --nibble-fuse --nibble-verify-consistency | FileCheck %s --check-prefix=DERIVED
// A convention that decodes with the scale used in the division is as good as ours.
// RUN: nibble-opt %examples/layer.mlir --nibble-quantize=convention=compressed-tensors --nibble-derive-rollout --nibble-verify-consistency --nibble-fuse --nibble-verify-consistency | FileCheck %s --check-prefix=DERIVED
// RUN: nibble-opt %s --nibble-verify-consistency | FileCheck %s

// DERIVED: func.func @forward
// CHECK: func.func @forward
#int4 = #qat.scheme<int4, group_size = 32>

func.func private @norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  return %y : tensor<?x64xbf16>
}

func.func @logits(%tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
                  %sequences: tensor<?xi32> {nn.input = "sequences"}, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                  %norm: tensor<64xbf16> {nn.parameter = "norm"}, %w: tensor<64x64xbf16> {nn.parameter = "w"},
                  %bias: tensor<64xbf16> {nn.parameter = "bias"}) -> tensor<?x96xf32> {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %h = call @norm(%x, %norm) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
  %a, %lse = nn.attention %h, %h, %h, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  %w4 = qat.fake_quant %w {scheme = #int4} : tensor<64x64xbf16>
  %o = nn.linear %a, %w4 bias(%bias : tensor<64xbf16>) : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
  %y = arith.addf %o, %x : tensor<?x64xbf16>
  %logits = nn.linear %y, %table : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %logits : tensor<?x96xf32>
}

// Arguments in another order, no call, epilogues in the linear, rows selected late; attributes that do not affect bits.
func.func @forward(%w: !qat.packed<64x64, #int4, host> {nn.parameter = "w"}, %bias: tensor<64xbf16> {nn.parameter = "bias"},
                   %norm: tensor<64xbf16> {nn.parameter = "norm"}, %table: tensor<96x64xbf16> {nn.parameter = "table"},
                   %tokens: tensor<?xi32> {nn.input = "tokens"}, %positions: tensor<?xi32> {nn.input = "positions"},
                   %sequences: tensor<?xi32> {nn.input = "sequences"}, %rows: tensor<?xi32> {nn.input = "rows"},
                   %pages: tensor<?x?xi32> {nn.input = "pages"}, %keys: tensor<?x2x32x64xbf16> {nn.state = "key_cache:0"},
                   %values: tensor<?x2x64x32xbf16> {nn.state = "value_cache:0"})
    -> (tensor<?x96xf32> {nn.output = "logits"}, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>) {
  %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<96x64xbf16> -> tensor<?x64xbf16>
  %h = nn.rms_norm %x, %norm {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
  %k1, %v1 = nn.cache_write %h, %h, %keys, %values, %positions, %sequences, %pages
      : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %a = nn.paged_attention %h, %k1, %v1, %positions, %sequences, %pages {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = qat.linear %a, %w bias(%bias : tensor<64xbf16>) residual(%x : tensor<?x64xbf16>)
      {hopper.stages = 4 : i64, hopper.tile = 64 : i64} : tensor<?x64xbf16>, !qat.packed<64x64, #int4, host> -> tensor<?x64xbf16>
  %r = nn.take_rows %y, %rows : tensor<?x64xbf16>, tensor<?xi32> -> tensor<?x64xbf16>
  %logits = nn.linear %r, %table : tensor<?x64xbf16>, tensor<96x64xbf16> -> tensor<?x96xf32>
  return %logits, %k1, %v1 : tensor<?x96xf32>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>
}
