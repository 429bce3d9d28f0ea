// RUN: nibble-opt %s --nibble-lower-copies | FileCheck %s
// One call of memcpy is best for row-major buffers.

// CHECK-LABEL: @plain
// CHECK-NOT: linalg
// CHECK: memref.copy
func.func @plain(%a: memref<?x32xf32>, %b: memref<?x32xf32>) {
  memref.copy %a, %b : memref<?x32xf32> to memref<?x32xf32>
  return
}

// The number of loops is unknown for these.
// CHECK-LABEL: @unranked
// CHECK-NOT: linalg
// CHECK: memref.copy
func.func @unranked(%a: memref<*xf32>, %b: memref<*xf32>) {
  memref.copy %a, %b : memref<*xf32> to memref<*xf32>
  return
}
