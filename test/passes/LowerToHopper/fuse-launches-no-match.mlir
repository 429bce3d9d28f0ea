// An op stays separate when another op reads its result, or when the pattern differs.
// RUN: nibble-opt %s --nibble-fuse-launches --split-input-file | FileCheck %s

// The rotated keys are also returned.
// CHECK-LABEL: func.func @shared(
// CHECK-NOT: nn.rope_cache_write
// CHECK-COUNT-2: nn.rope
// CHECK: nn.cache_write
func.func @shared(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                  %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                  %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %q1 = nn.rope %q, %cos, %sin : tensor<?x64xbf16>, tensor<?x16xf32>
  %k1 = nn.rope %k, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k1, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q1, %kc1, %vc1, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.17 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %k1, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// -----

// Queries that are rotated back, and a write without attention.
// CHECK-LABEL: func.func @inverse(
// CHECK-NOT: nn.rope_cache_write
// CHECK: nn.paged_attention
func.func @inverse(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                   %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                   %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %q1 = nn.rope %q, %cos, %sin {inverse} : tensor<?x64xbf16>, tensor<?x16xf32>
  %k1 = nn.rope %k, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k1, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q1, %kc1, %vc1, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.17 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// CHECK-LABEL: func.func @unread(
// CHECK: nn.cache_write
func.func @unread(%k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                  %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                  %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>) -> (tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %k1 = nn.rope %k, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k1, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %kc1, %vc1 : tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// -----

// Norms with different epsilons: the rotation is fused, the norms stay.
// CHECK-LABEL: func.func @epsilons(
// CHECK-COUNT-2: nn.rms_norm
// CHECK: nn.rope_cache_write
// CHECK-NOT: norms(
func.func @epsilons(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %v: tensor<?x32xbf16>, %cos: tensor<?x16xf32>, %sin: tensor<?x16xf32>,
                    %nq: tensor<32xbf16>, %nk: tensor<32xbf16>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>,
                    %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>) {
  %q1 = nn.rms_norm %q, %nq {epsilon = 1.0e-6 : f32} : tensor<?x64xbf16>, tensor<32xbf16>
  %k1 = nn.rms_norm %k, %nk {epsilon = 1.0e-5 : f32} : tensor<?x32xbf16>, tensor<32xbf16>
  %q2 = nn.rope %q1, %cos, %sin : tensor<?x64xbf16>, tensor<?x16xf32>
  %k2 = nn.rope %k1, %cos, %sin : tensor<?x32xbf16>, tensor<?x16xf32>
  %kc1, %vc1 = nn.cache_write %k2, %v, %kc, %vc, %positions, %sequences, %pages
      : tensor<?x32xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  %y = nn.paged_attention %q2, %kc1, %vc1, %positions, %sequences, %pages {heads = 2, kv_heads = 1, scale = 0.17 : f32, kv_block = 64}
      : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
  return %y, %kc1, %vc1 : tensor<?x64xbf16>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
}

// -----

// A gate that a gradient needs; a bias; different rows; only one packed weight; splits of only one linear.
// CHECK-LABEL: func.func @linears(
// CHECK-COUNT-5: nn.swiglu
// CHECK-NOT: linear_swiglu
func.func @linears(%x: tensor<?x64xbf16>, %z: tensor<?x64xbf16>, %g: tensor<128x64xbf16>, %u: tensor<128x64xbf16>, %b: tensor<128xbf16>,
                   %p: !qat.packed<128x64, <int4, group_size = 32>, host>)
    -> (tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>) {
  %g0 = nn.linear %x, %g : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %u0 = nn.linear %x, %u : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %0 = nn.swiglu %g0, %u0 : tensor<?x128xbf16>
  %g1 = nn.linear %x, %g bias(%b : tensor<128xbf16>) : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %u1 = nn.linear %x, %u : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %1 = nn.swiglu %g1, %u1 : tensor<?x128xbf16>
  %g2 = nn.linear %x, %g : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %u2 = nn.linear %z, %u : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %2 = nn.swiglu %g2, %u2 : tensor<?x128xbf16>
  %g3 = nn.linear %x, %g : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %u3 = qat.linear %x, %p : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, host> -> tensor<?x128xbf16>
  %3 = nn.swiglu %g3, %u3 : tensor<?x128xbf16>
  %g4 = nn.linear %x, %g {hopper.splits = 2 : i64} : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %u4 = nn.linear %x, %u : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  %4 = nn.swiglu %g4, %u4 : tensor<?x128xbf16>
  return %0, %g0, %1, %2, %3, %4
      : tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>, tensor<?x128xbf16>
}
