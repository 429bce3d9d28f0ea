// RUN: nibble-opt %s --nibble-decompose-tensors | FileCheck %s
// RUN: nibble-opt %s --nibble-bufferize | FileCheck %s --check-prefix=BUFFERS

// CHECK-LABEL: @softmax
// CHECK-NOT: linalg.softmax
// CHECK: arith.maxnumf
// CHECK: math.exp
// CHECK: arith.divf
// BUFFERS-LABEL: @softmax
// BUFFERS-NOT: tensor<
func.func @softmax(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK-LABEL: @pack
// CHECK-NOT: linalg.pack
// CHECK: linalg.transpose
// CHECK-NOT: linalg.unpack
// CHECK: return
func.func @pack(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<2x4x2x2xf32>
  %p = linalg.pack %x inner_dims_pos = [0, 1] inner_tiles = [2, 2] into %e : tensor<4x8xf32> -> tensor<2x4x2x2xf32>
  %f = tensor.empty() : tensor<4x8xf32>
  %y = linalg.unpack %p inner_dims_pos = [0, 1] inner_tiles = [2, 2] into %f : tensor<2x4x2x2xf32> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// CHECK-LABEL: func.func @winograd
// CHECK-NOT: linalg.winograd
// CHECK: linalg.matmul
// CHECK: return
func.func @winograd(%x: tensor<2x3x3x5xf32>) -> tensor<6x6x5x2xf32> {
  %e = tensor.empty() : tensor<6x6x5x2xf32>
  %y = linalg.winograd_filter_transform fmr(F_4_3) ins(%x : tensor<2x3x3x5xf32>) outs(%e : tensor<6x6x5x2xf32>) -> tensor<6x6x5x2xf32>
  return %y : tensor<6x6x5x2xf32>
}

// CHECK-LABEL: @bits
// CHECK: arith.bitcast %{{.*}} : tensor<8xf32> to tensor<8xi32>
func.func @bits(%x: tensor<8xf32>) -> tensor<8xi32> {
  %y = tensor.bitcast %x : tensor<8xf32> to tensor<8xi32>
  return %y : tensor<8xi32>
}

// A user-defined scheme becomes its body after differentiation.
// CHECK-LABEL: @straight_through
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>
// CHECK-NEXT: %[[Y:.*]] = math.roundeven %[[X]]
// CHECK-NEXT: return %[[Y]]
// BUFFERS-LABEL: @straight_through
// BUFFERS-NOT: tensor<
func.func @straight_through(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = qat.straight_through %x : tensor<4x8xf32> {
  ^bb0(%a: tensor<4x8xf32>):
    %r = math.roundeven %a : tensor<4x8xf32>
    qat.yield %r : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}
