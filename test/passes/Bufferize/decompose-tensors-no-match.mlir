// RUN: nibble-opt %s --nibble-decompose-tensors | FileCheck %s
// Ops with a form over buffers stay, and so do ops without any form.

// CHECK-LABEL: @signed
// CHECK: tensor.bitcast %{{.*}} : tensor<8xui8> to tensor<8xi8>
func.func @signed(%x: tensor<8xui8>) -> tensor<8xi8> {
  %y = tensor.bitcast %x : tensor<8xui8> to tensor<8xi8>
  return %y : tensor<8xi8>
}

// CHECK-LABEL: @slice
// CHECK: tensor.concat
// CHECK: tensor.gather
func.func @slice(%x: tensor<4x8xf32>, %i: tensor<2x1xi64>) -> tensor<2x16xf32> {
  %c = tensor.concat dim(1) %x, %x : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x16xf32>
  %y = tensor.gather %c[%i] gather_dims([0]) : (tensor<4x16xf32>, tensor<2x1xi64>) -> tensor<2x16xf32>
  return %y : tensor<2x16xf32>
}
