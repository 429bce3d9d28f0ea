// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// RUN: nibble-opt %s --mlir-print-op-generic | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @normed
// CHECK: nn.rope_cache_write %{{.*}} norms(%{{.*}}, %{{.*}} : tensor<32xbf16>, tensor<32xbf16>) {epsilon = 9.99999997E-7 : f32} : tensor<?x64xbf16>
func.func @normed(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
                  %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>, %n: tensor<32xbf16>) -> tensor<?x64xbf16> {
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc norms(%n, %n : tensor<32xbf16>, tensor<32xbf16>) {epsilon = 1.0e-6 : f32}
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}

// CHECK-LABEL: func.func @plain
// CHECK: nn.rope_cache_write %{{.*}} : tensor<?x64xbf16>
func.func @plain(%q: tensor<?x64xbf16>, %k: tensor<?x32xbf16>, %c: tensor<?x16xf32>, %i: tensor<?xi32>, %p: tensor<?x?xi32>,
                 %kc: tensor<?x1x32x64xbf16>, %vc: tensor<?x1x64x32xbf16>) -> tensor<?x64xbf16> {
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %k, %c, %c, %i, %i, %p, %kc, %vc
      : tensor<?x64xbf16>, tensor<?x32xbf16>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x32x64xbf16>, tensor<?x1x64x32xbf16>
  return %q1 : tensor<?x64xbf16>
}
