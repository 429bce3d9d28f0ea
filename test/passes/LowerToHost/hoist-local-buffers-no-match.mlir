// RUN: nibble-opt %s --nibble-hoist-local-buffers | FileCheck %s

// Outside of a parallel region, a scope frees its buffer and stays.
// CHECK-LABEL: func.func @f(
// CHECK: memref.alloca_scope
// CHECK-NEXT: memref.alloca()
func.func @f(%value: f32) {
  %c0 = arith.constant 0 : index
  memref.alloca_scope {
    %buffer = memref.alloca() : memref<16xf32>
    memref.store %value, %buffer[%c0] : memref<16xf32>
  }
  return
}
