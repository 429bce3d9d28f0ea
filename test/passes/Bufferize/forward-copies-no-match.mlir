// RUN: nibble-opt %s --nibble-forward-copies | FileCheck %s

// The kernel reads the buffer that it would write.
// CHECK-LABEL: func.func @read(
// CHECK: memref.copy
func.func @read(%weight: memref<64xf32>) {
  %new = memref.alloc() : memref<64xf32>
  kernel.compute "nn.copy" ins(%weight : memref<64xf32>) outs(%new : memref<64xf32>)
      {input_types = [tensor<64xf32>], output_types = [tensor<64xf32>], parameters = {}}
  memref.copy %new, %weight : memref<64xf32> to memref<64xf32>
  return
}

// Something other than a kernel stores to the buffer.
// CHECK-LABEL: func.func @stored(
// CHECK: memref.copy
func.func @stored(%value: f32, %weight: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %new = memref.alloc() : memref<64xf32>
  memref.store %value, %new[%c0] : memref<64xf32>
  memref.copy %new, %weight : memref<64xf32> to memref<64xf32>
  return
}
