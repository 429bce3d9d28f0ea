// RUN: nibble-opt %s --nibble-round-gradients | FileCheck %s
// RUN: nibble-opt %S/round-gradients.mlir --nibble-round-gradients --nibble-round-gradients | FileCheck %S/round-gradients.mlir

// A bf16 gradient is used as it is. A float32 gradient that no product uses stays.
// CHECK-LABEL: func.func @none
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @none(%dy: tensor<?x64xbf16>, %dz: tensor<?x64xf32>, %x: tensor<?x128xbf16>, %w: tensor<64x128xbf16>, %dw: tensor<64x128xf32>, %db: tensor<64xf32>)
    -> (tensor<?x128xbf16>, tensor<64x128xf32>, tensor<64xf32>) {
  %0 = nn.sum_tokens %dz, %db : tensor<?x64xf32>, tensor<64xf32>
  %1 = nn.linear_weight_grad %dy, %x, %dw : tensor<?x64xbf16>, tensor<?x128xbf16>, tensor<64x128xf32>
  %2 = nn.linear_input_grad %dy, %w : tensor<?x64xbf16>, tensor<64x128xbf16> -> tensor<?x128xbf16>
  return %2, %1, %0 : tensor<?x128xbf16>, tensor<64x128xf32>, tensor<64xf32>
}
