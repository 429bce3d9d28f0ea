// RUN: nibble-opt %s --nibble-forward-copies | FileCheck %s

// The kernel writes the argument itself.
// CHECK-LABEL: func.func @f(
// CHECK-SAME: %[[X:[a-z0-9]+]]: memref<64xf32>, %[[W:[a-z0-9]+]]: memref<64xf32>
// CHECK-NEXT: kernel.compute "nn.copy" ins(%[[X]] : memref<64xf32>) outs(%[[W]] : memref<64xf32>)
// CHECK-NEXT: return
func.func @f(%x: memref<64xf32>, %weight: memref<64xf32>) {
  %new = memref.alloc() : memref<64xf32>
  kernel.compute "nn.copy" ins(%x : memref<64xf32>) outs(%new : memref<64xf32>)
      {input_types = [tensor<64xf32>], output_types = [tensor<64xf32>], parameters = {}}
  memref.copy %new, %weight : memref<64xf32> to memref<64xf32>
  memref.dealloc %new : memref<64xf32>
  return
}
