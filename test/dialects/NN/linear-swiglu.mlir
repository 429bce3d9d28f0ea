// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// RUN: nibble-opt %s --mlir-print-op-generic | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: nn.linear_swiglu %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
func.func @plain(%x: tensor<?x64xbf16>, %w: tensor<128x64xbf16>) -> tensor<?x128xbf16> {
  %y = nn.linear_swiglu %x, %w, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// CHECK-LABEL: func.func @packed
// CHECK: qat.linear_swiglu %{{.*}}, %{{.*}}, %{{.*}} : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, hopper> -> tensor<?x128xbf16>
func.func @packed(%x: tensor<?x64xbf16>, %w: !qat.packed<128x64, <int4, group_size = 32>, hopper>) -> tensor<?x128xbf16> {
  %y = qat.linear_swiglu %x, %w, %w : tensor<?x64xbf16>, !qat.packed<128x64, <int4, group_size = 32>, hopper> -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}
