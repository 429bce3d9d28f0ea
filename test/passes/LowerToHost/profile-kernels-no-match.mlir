// A module without anything to time stays as it is. Tensors are an error.
// RUN: nibble-opt %s --nibble-profile-kernels --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK-NOT: nibble_profile
func.func @plain(%a: memref<4xf32>, %i: index) -> f32 {
  %v = memref.load %a[%i] : memref<4xf32>
  return %v : f32
}

// -----

func.func @tensors(%a: tensor<4xf32>, %v: f32) -> tensor<4xf32> {
  // expected-error @+1 {{is timed after bufferization, on buffers}}
  %b = linalg.fill ins(%v : f32) outs(%a : tensor<4xf32>) -> tensor<4xf32>
  return %b : tensor<4xf32>
}
