// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @caches(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x32x64xbf16>, %n: tensor<32xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op key cache 'tensor<?x1x32x64xbf16>' and value cache 'tensor<?x1x32x64xbf16>' are not [pages, heads, D, B] and [pages, heads, B, D]}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x32x64xbf16>
  return %q1 : tensor<?x64xbf16>
}

// -----

func.func @tokens(%q: tensor<3x64xbf16>, %k: tensor<4x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<3x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op k 'tensor<4x32xbf16>' needs extent 3 in dimension 0}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<3x64xbf16>, tensor<4x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<3x64xbf16>
}

// -----

func.func @keys(%q: tensor<?x64xbf16>, %k: tensor<?x64xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op k 'tensor<?x64xbf16>' needs extent 32 in dimension 1}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}

// -----

func.func @angles(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x8xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op heads of 32 elements are not rotated by 'tensor<?x8xf32>'}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}

// -----

func.func @queries(%q: tensor<?x48xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x48xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op a row of 48 is not a whole number of heads of 32}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<?x48xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x48xbf16>
}

// -----

func.func @one_norm(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op norms are those of queries and keys, two or none, not 1}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc norms(%n : tensor<32xbf16>)
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}

// -----

func.func @norm_of_rows(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<64xbf16>) -> tensor<?x64xbf16> {
  // expected-error @+1 {{'nn.rope_cache_write' op norm 'tensor<64xbf16>' needs extent 32 in dimension 0}}
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc norms(%n, %n : tensor<64xbf16>, tensor<64xbf16>)
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}
