// RUN: nibble-opt %s --canonicalize | FileCheck %s

// The norm of an empty list of gradients.
// CHECK-LABEL: func.func @no_tensors
// CHECK-SAME: %[[S:.*]]: tensor<f32>
// CHECK-NEXT: return %[[S]]
func.func @no_tensors(%s: tensor<f32>) -> tensor<f32> {
  %sum = nn.square_sum %s : tensor<f32>
  return %sum : tensor<f32>
}

// CHECK-LABEL: func.func @one_tensor
// CHECK: nn.square_sum
func.func @one_tensor(%s: tensor<f32>, %x: tensor<4xf32>) -> tensor<f32> {
  %sum = nn.square_sum %s, %x : tensor<f32>, tensor<4xf32>
  return %sum : tensor<f32>
}
