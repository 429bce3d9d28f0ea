// RUN: nibble-opt %s --nibble-verify-consistency --split-input-file --verify-diagnostics

// The same op with another attribute.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %y = nn.rms_norm %x, %n {epsilon = 1.0e-6 : f32} : tensor<?x64xf32>, tensor<64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'nn.rms_norm' has epsilon = 9.99999974E-6 : f32 here, 9.99999997E-7 : f32 in training}}
  %y = nn.rms_norm %x, %n {epsilon = 1.0e-5 : f32} : tensor<?x64xf32>, tensor<64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Another weight.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    // expected-note @below {{in training}}
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"},
    // expected-error @below {{rollout differs from training: argument 'v' here, argument 'w' in training}}
    %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %v : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Quantized in training only.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x64xf32>
  %y = nn.linear %x, %w4 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    // expected-error @below {{rollout differs from training: argument 'w' here, 'w' on the grid #qat.scheme<int4, group_size = 32> in training}}
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Another group size.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64>} : tensor<64x64xf32>
  %y = nn.linear %x, %w4 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'qat.linear' reads 'w' with scheme = #qat.scheme<int4, group_size = 32> here, 'qat.fake_quant' with #qat.scheme<int4, group_size = 64> in training}}
  %y = qat.linear %x, %p : tensor<?x64xf32>, !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// A scheme whose rollout decodes with another scale.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32, convention = slime>} : tensor<64x64xf32>
  %y = nn.linear %x, %w4 : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{'w' on the grid #qat.scheme<int4, group_size = 32, convention = slime>: this scheme decodes packed weights with another scale than training does}}
  %y = qat.linear %x, %s : tensor<?x64xf32>, !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// N14: another block.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %y, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %k1, %v1 = nn.cache_write %x, %x, %keys, %values, %positions, %sequences, %pages
      : tensor<?x64xf32>, tensor<?x2x32x64xf32>, tensor<?x2x64x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  // expected-error @below {{rollout differs from training: 'nn.paged_attention' has kv_block = 32 : i64 here, 64 : i64 in training}}
  %y = nn.paged_attention %x, %k1, %v1, %positions, %sequences, %pages {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 32}
      : tensor<?x64xf32>, tensor<?x2x32x64xf32>, tensor<?x2x64x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x64xf32>
}

// -----

// Pages that were not written in this call.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %y, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{its pages are not what one nn.cache_write has just left}}
  %y = nn.paged_attention %x, %keys, %values, %positions, %sequences, %pages {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x2x32x64xf32>, tensor<?x2x64x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x64xf32>
}

// -----

// Rows are selected before the attention.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %y, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  %k1, %v1 = nn.cache_write %x, %x, %keys, %values, %positions, %sequences, %pages
      : tensor<?x64xf32>, tensor<?x2x32x64xf32>, tensor<?x2x64x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %r = nn.take_rows %x, %rows : tensor<?x64xf32>, tensor<?xi32> -> tensor<?x64xf32>
  // expected-error @below {{attention over some of the rows reads other keys than over all}}
  %y = nn.paged_attention %r, %k1, %v1, %positions, %sequences, %pages {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x2x32x64xf32>, tensor<?x2x64x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x64xf32>
}

// -----

// A completely different op.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %y = nn.rms_norm %x, %n {epsilon = 1.0e-6 : f32} : tensor<?x64xf32>, tensor<64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %positions: tensor<?xi32> {nn.input = "positions"},
    %sequences: tensor<?xi32> {nn.input = "sequences"}, %pages: tensor<?x?xi32> {nn.input = "pages"}, %rows: tensor<?xi32> {nn.input = "rows"},
    %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
    %s: !qat.packed<64x64, #qat.scheme<int4, group_size = 32, convention = slime>, host> {nn.parameter = "w"},
    %n: tensor<64xf32> {nn.parameter = "n"},
    %keys: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}, %values: tensor<?x2x64x32xf32> {nn.state = "value_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'nn.swiglu' here, 'nn.rms_norm' in training}}
  %y = nn.swiglu %x, %x : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// Splits of the K dimension determine bits, also when the rollout's linear reads packed weights and adds a residual.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<64x64xf32>
  // expected-note @below {{in training}}
  %y = nn.linear %x, %w4 {hopper.splits = 2 : i64} : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  %z = arith.addf %y, %x : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"},
    %p: !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'qat.linear' has hopper.splits = 4 : i64 here, 2 : i64 in training}}
  %z = qat.linear %x, %p residual(%x : tensor<?x64xf32>) {hopper.splits = 4 : i64}
      : tensor<?x64xf32>, !qat.packed<64x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// -----

// An attribute that only training has.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %y = nn.linear %x, %w {hopper.splits = 2 : i64} : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'nn.linear' has hopper.splits = 2 : i64 in training, none here}}
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// An addition that a residual replaces must do nothing but add.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  // expected-note @below {{in training}}
  %z = arith.addf %y, %x fastmath<fast> : tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'nn.linear' has fastmath = #arith.fastmath<none> here, #arith.fastmath<fast> in training}}
  %z = nn.linear %x, %w residual(%x : tensor<?x64xf32>) : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// -----

// A weight of the same name, transposed.
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"},
    // expected-note @below {{in training}}
    %w: tensor<64x64xf32> {nn.parameter = "w", nn.transposed}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"},
    // expected-error @below {{rollout differs from training: argument 'w' has nn.transposed = unit in training, none here}}
    %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<?x64xf32> {
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// An attribute on a call whose callee is the same.
func.func private @layer(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %y = nn.swiglu %x, %x : tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}) -> tensor<?x64xf32> {
  // expected-note @below {{in training}}
  %y = call @layer(%x) {test.order = 1 : i64} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
func.func @forward(%x: tensor<?x64xf32> {nn.input = "x"}) -> tensor<?x64xf32> {
  // expected-error @below {{rollout differs from training: 'func.call' has test.order = 2 : i64 here, 1 : i64 in training}}
  %y = call @layer(%x) {test.order = 2 : i64} : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// An attribute inside a body.
func.func @logits(%x: tensor<8x64xf32> {nn.input = "x"}) -> tensor<8x64xf32> {
  // expected-note @below {{in training}}
  %y = qat.straight_through %x : tensor<8x64xf32> {
  ^bb0(%a: tensor<8x64xf32>):
    %b = arith.addf %a, %a fastmath<fast> : tensor<8x64xf32>
    qat.yield %b : tensor<8x64xf32>
  }
  return %y : tensor<8x64xf32>
}
func.func @forward(%x: tensor<8x64xf32> {nn.input = "x"}) -> tensor<8x64xf32> {
  // expected-error @below {{rollout differs from training: 'arith.addf' has fastmath = #arith.fastmath<none> here, #arith.fastmath<fast> in training}}
  %y = qat.straight_through %x : tensor<8x64xf32> {
  ^bb0(%a: tensor<8x64xf32>):
    %b = arith.addf %a, %a : tensor<8x64xf32>
    qat.yield %b : tensor<8x64xf32>
  }
  return %y : tensor<8x64xf32>
}

// -----

// Swapped operands of an op inside a body.
#id = affine_map<(i, j) -> (i, j)>
func.func @logits(%x: tensor<8x64xf32> {nn.input = "x"}, %w: tensor<8x64xf32> {nn.parameter = "w"}) -> tensor<8x64xf32> {
  // expected-note @below {{in training}}
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<8x64xf32>) outs(%x : tensor<8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.subf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}
func.func @forward(%x: tensor<8x64xf32> {nn.input = "x"}, %w: tensor<8x64xf32> {nn.parameter = "w"}) -> tensor<8x64xf32> {
  // expected-error @below {{rollout differs from training: 'linalg.generic' has another body than in training}}
  %y = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %w : tensor<8x64xf32>, tensor<8x64xf32>) outs(%x : tensor<8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %d = arith.subf %b, %a : f32
    linalg.yield %d : f32
  } -> tensor<8x64xf32>
  return %y : tensor<8x64xf32>
}

// -----

// An endless recursion.
// expected-error @below {{nibble-verify-consistency: 'logits' calls itself}}
func.func @logits(%x: tensor<?x64xf32> {nn.input = "x"}) -> tensor<?x64xf32> {
  %y = call @logits(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// -----

// expected-error @below {{nibble-verify-consistency: there is no function 'logits' with a result}}
module {}
