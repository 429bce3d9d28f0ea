// RUN: nibble-opt %s --nibble-lower-copies | FileCheck %s
// RUN: nibble-opt %s --nibble-lower-copies --nibble-walk-in-lanes | FileCheck %s --check-prefix=LANES

// Rows of a wider buffer have contiguous elements, which are copied sixteen at a time for any type.
// CHECK-LABEL: @slice
// CHECK-SAME: (%[[A:.*]]: memref<4x32xf64, strided<[40, 1], offset: 2>>, %[[B:.*]]: memref<4x32xf64>)
// CHECK-NOT: memref.copy
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%[[A]] : {{.*}}) outs(%[[B]] : memref<4x32xf64>)
// CHECK-NEXT: ^bb0(%[[X:.*]]: f64, %{{.*}}: f64):
// CHECK-NEXT: linalg.yield %[[X]] : f64
// LANES-LABEL: @slice
// LANES: scf.parallel
// LANES: vector.load {{.*}} vector<16xf64>
// LANES: vector.store {{.*}} vector<16xf64>
// LANES-NOT: linalg
func.func @slice(%a: memref<4x32xf64, strided<[40, 1], offset: 2>>, %b: memref<4x32xf64>) {
  memref.copy %a, %b : memref<4x32xf64, strided<[40, 1], offset: 2>> to memref<4x32xf64>
  return
}

// Open extents, a step along the last dimension, or a strided target: these are copied element by element.
// CHECK-LABEL: @steps
// CHECK-NOT: memref.copy
// CHECK: linalg.generic
// LANES-LABEL: @steps
// LANES-NOT: vector
// LANES: linalg.generic
func.func @steps(%a: memref<?x?xbf16>, %b: memref<?x?xbf16, strided<[?, 2], offset: ?>>) {
  memref.copy %a, %b : memref<?x?xbf16> to memref<?x?xbf16, strided<[?, 2], offset: ?>>
  return
}

// i1 elements take a byte each in a buffer, but not in a vector.
// CHECK-LABEL: @mask
// CHECK: linalg.generic
// LANES-LABEL: @mask
// LANES-NOT: vector
// LANES: linalg.generic
func.func @mask(%a: memref<4x32xi1, strided<[40, 1]>>, %b: memref<4x32xi1>) {
  memref.copy %a, %b : memref<4x32xi1, strided<[40, 1]>> to memref<4x32xi1>
  return
}

// CHECK-LABEL: @one
// CHECK: linalg.generic {{.*}} iterator_types = []}
func.func @one(%a: memref<f32, strided<[], offset: ?>>, %b: memref<f32>) {
  memref.copy %a, %b : memref<f32, strided<[], offset: ?>> to memref<f32>
  return
}
