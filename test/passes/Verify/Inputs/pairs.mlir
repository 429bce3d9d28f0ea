// Training (@logits) and rollout (@forward) in different form: pairs that nibble-verify-consistency accepts. Its test changes each
// attribute of each op.
#int4 = #qat.scheme<int4, group_size = 32>
!packed = !qat.packed<64x64, #int4, host>

// The linear itself reads a weight as codes.
module @packed_linear {
  func.func @logits(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<64x64xbf16> {nn.parameter = "w"}, %b: tensor<64xbf16> {nn.parameter = "b"},
                    %r: tensor<?x64xbf16> {nn.input = "r"}) -> tensor<?x64xbf16> {
    %w4 = qat.fake_quant %w {scheme = #int4} : tensor<64x64xbf16>
    %y = nn.linear %x, %w4 bias(%b : tensor<64xbf16>) : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    %z = arith.addf %y, %r : tensor<?x64xbf16>
    return %z : tensor<?x64xbf16>
  }
  func.func @forward(%x: tensor<?x64xbf16> {nn.input = "x"}, %p: !packed {nn.parameter = "w"}, %b: tensor<64xbf16> {nn.parameter = "b"},
                     %r: tensor<?x64xbf16> {nn.input = "r"}) -> tensor<?x64xbf16> {
    %z = qat.linear %x, %p bias(%b : tensor<64xbf16>) residual(%r : tensor<?x64xbf16>) : tensor<?x64xbf16>, !packed -> tensor<?x64xbf16>
    return %z : tensor<?x64xbf16>
  }
}

// A weight that is packed, converted to another layout and decoded.
module @decoded {
  func.func @logits(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<64x64xbf16> {nn.parameter = "w"}) -> tensor<?x64xbf16> {
    %w4 = qat.fake_quant %w {scheme = #int4} : tensor<64x64xbf16>
    %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
  func.func @forward(%x: tensor<?x64xbf16> {nn.input = "x"}, %w: tensor<64x64xbf16> {nn.parameter = "w"}) -> tensor<?x64xbf16> {
    %i = qat.quantize %w : tensor<64x64xbf16> -> !qat.packed<64x64, #int4, interchange>
    %p = qat.repack %i : !qat.packed<64x64, #int4, interchange> -> !packed
    %w4 = qat.dequantize %p : !packed -> tensor<64x64xbf16>
    %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
}

// Keys and values in pages.
module @pages {
  func.func @logits(%x: tensor<?x64xbf16> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
                    %sequences: tensor<?xi32> {nn.input = "sequences"}) -> tensor<?x64xbf16> {
    %y, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
        : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
    return %y : tensor<?x64xbf16>
  }
  func.func @forward(%x: tensor<?x64xbf16> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
                     %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"},
                     %keys: tensor<?x2x32x64xbf16> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xbf16> {nn.state = "value_cache:0"})
      -> tensor<?x64xbf16> {
    %k1, %v1 = nn.cache_write %x, %x, %keys, %values, %positions, %sequences, %pages
        : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    %y = nn.paged_attention %x, %k1, %v1, %positions, %sequences, %pages {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
        : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    return %y : tensor<?x64xbf16>
  }
}

// The rows that are sampled from, without calls.
module @rows {
  func.func private @norm(%x: tensor<?x64xbf16>, %w: tensor<64xbf16>) -> tensor<?x64xbf16> {
    %y = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
    return %y : tensor<?x64xbf16>
  }
  func.func @logits(%x: tensor<?x64xbf16> {nn.input = "x"}, %n: tensor<64xbf16> {nn.parameter = "n"}) -> tensor<?x64xbf16> {
    %y = call @norm(%x, %n) : (tensor<?x64xbf16>, tensor<64xbf16>) -> tensor<?x64xbf16>
    return %y : tensor<?x64xbf16>
  }
  func.func @forward(%x: tensor<?x64xbf16> {nn.input = "x"}, %n: tensor<64xbf16> {nn.parameter = "n"}, %rows: tensor<?xi32> {nn.input = "rows"}) -> tensor<?x64xbf16> {
    %t = nn.take_rows %x, %rows : tensor<?x64xbf16>, tensor<?xi32> -> tensor<?x64xbf16>
    %y = nn.rms_norm %t, %n {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<64xbf16>
    return %y : tensor<?x64xbf16>
  }
}
