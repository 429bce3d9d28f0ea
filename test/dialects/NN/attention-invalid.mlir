// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @rows(%q: tensor<3x64xbf16>, %k: tensor<4x32xbf16>, %i: tensor<3xi32>, %s: tensor<?xi32>) -> tensor<3x64xbf16> {
  // expected-error @+1 {{'nn.attention' op k 'tensor<4x32xbf16>' needs extent 3 in dimension 0}}
  %y, %lse = nn.attention %q, %k, %k, %i, %s {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<3x64xbf16>, tensor<4x32xbf16>, tensor<3xi32>, tensor<?xi32> -> tensor<3x2xf32>
  return %y : tensor<3x64xbf16>
}

// -----

func.func @lse(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention' op lse 'tensor<?x4xf32>' needs extent 2 in dimension 1}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x4xf32>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @heads(%q: tensor<?x96xbf16>, %k: tensor<?x64xbf16>, %i: tensor<?xi32>) -> tensor<?x96xbf16> {
  // expected-error @+1 {{'nn.attention' op 3 query heads are not a multiple of 2 key/value heads}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 3, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x96xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x3xf32>
  return %y : tensor<?x96xbf16>
}

// -----

func.func @block(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention' op N14: kv_block is a positive multiple of 16, not 24}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 24}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @window(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention' op window is 0 (everything) or a number of positions, not -1}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64, window = -1}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @features(%q: tensor<?x63xbf16>, %k: tensor<?x32xbf16>, %i: tensor<?xi32>) -> tensor<?x63xbf16> {
  // expected-error @+1 {{'nn.attention' op a row of 'tensor<?x63xbf16>' is not a whole number of 2 heads}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x63xbf16>, tensor<?x32xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x63xbf16>
}

// -----

func.func @keys(%q: tensor<?x64xbf16>, %k: tensor<?x64xbf16>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention' op keys have 64 elements a token, not 32}}
  %y, %lse = nn.attention %q, %k, %k, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @gradient_lse(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %lse: tensor<?x4xf32>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention_grad' op lse 'tensor<?x4xf32>' needs extent 2 in dimension 1}}
  %dq, %dk, %dv = nn.attention_grad %q, %q, %k, %k, %q, %lse, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>
  return %dq : tensor<?x64xbf16>
}

// -----

func.func @gradient_block(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %lse: tensor<?x2xf32>, %i: tensor<?xi32>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.attention_grad' op N14: kv_block is a positive multiple of 16, not 0}}
  %dq, %dk, %dv = nn.attention_grad %q, %q, %k, %k, %q, %lse, %i, %i {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 0}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x2xf32>, tensor<?xi32>, tensor<?xi32>
  return %dq : tensor<?x64xbf16>
}

// -----

func.func @write_caches(%k: tensor<?x32xbf16>, %keys: tensor<?x1x32x64xbf16>, %i: tensor<?xi32>, %p: tensor<?x?xi32>) -> tensor<?x1x32x64xbf16> {
  // expected-error @+1 {{'nn.cache_write' op key cache 'tensor<?x1x32x64xbf16>' and value cache 'tensor<?x1x32x64xbf16>' are not [pages, heads, D, B] and [pages, heads, B, D]}}
  %k1, %v1 = nn.cache_write %k, %k, %keys, %keys, %i, %i, %p
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %k1 : tensor<?x1x32x64xbf16>
}

// -----

func.func @write_open(%k: tensor<?x32xbf16>, %keys: tensor<?x1x32x?xbf16>, %values: tensor<?x1x?x32xbf16>, %i: tensor<?xi32>, %p: tensor<?x?xi32>)
    -> tensor<?x1x32x?xbf16> {
  // expected-error @+1 {{'nn.cache_write' op only the number of pages of a cache may be unknown}}
  %k1, %v1 = nn.cache_write %k, %k, %keys, %values, %i, %i, %p
      : tensor<?x32xbf16>, tensor<?x1x32x?xbf16>, tensor<?x1x?x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %k1 : tensor<?x1x32x?xbf16>
}

// -----

func.func @write_features(%k: tensor<?x64xbf16>, %keys: tensor<?x1x32x64xbf16>, %values: tensor<?x1x64x32xbf16>, %i: tensor<?xi32>, %p: tensor<?x?xi32>)
    -> tensor<?x1x32x64xbf16> {
  // expected-error @+1 {{'nn.cache_write' op k 'tensor<?x64xbf16>' needs extent 32 in dimension 1}}
  %k1, %v1 = nn.cache_write %k, %k, %keys, %values, %i, %i, %p
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %k1 : tensor<?x1x32x64xbf16>
}

// -----

func.func @paged_block(%q: tensor<?x64xbf16>, %keys: tensor<?x1x32x64xbf16>, %values: tensor<?x1x64x32xbf16>, %i: tensor<?xi32>, %p: tensor<?x?xi32>)
    -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.paged_attention' op N14: a page of 64 slots is not a whole number of blocks of 48}}
  %y = nn.paged_attention %q, %keys, %values, %i, %i, %p {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 48}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x64xbf16>
}

// -----

func.func @paged_keys(%q: tensor<?x64xbf16>, %keys: tensor<?x2x32x64xbf16>, %values: tensor<?x2x64x32xbf16>, %i: tensor<?xi32>, %p: tensor<?x?xi32>)
    -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.paged_attention' op keys have 64 elements a token, not 32}}
  %y = nn.paged_attention %q, %keys, %values, %i, %i, %p {heads = 2, kv_heads = 1, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x2x32x64xbf16>, tensor<?x2x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y : tensor<?x64xbf16>
}
