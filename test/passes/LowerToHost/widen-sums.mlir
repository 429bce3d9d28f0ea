// RUN: nibble-opt %s --nibble-widen-sums | FileCheck %s

// Sums of bf16 columns in a strided buffer of open extent.
// CHECK-LABEL: @columns
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf32>, %[[S:.*]]: memref<?xbf16, strided<[2], offset: ?>>)
// CHECK: %[[N:.*]] = memref.dim %[[S]]
// CHECK: %[[WIDE:.*]] = memref.alloc(%[[N]]) : memref<?xf64>
// CHECK: linalg.generic {{.*}} ins(%[[S]] : {{.*}}) outs(%[[WIDE]] : memref<?xf64>)
// CHECK: arith.extf %{{.*}} : f32 to f64
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%[[X]] : {{.*}}) outs(%[[WIDE]] : memref<?xf64>)
// CHECK: %[[TERM:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK: %[[FLOAT:.*]] = arith.extf %[[TERM]] : bf16 to f32
// CHECK: %[[DOUBLE:.*]] = arith.extf %[[FLOAT]] : f32 to f64
// CHECK: arith.addf %{{.*}}, %[[DOUBLE]] : f64
// CHECK: linalg.generic {{.*}} ins(%[[WIDE]] : memref<?xf64>) outs(%[[S]] : {{.*}})
// CHECK: arith.truncf %{{.*}} : f64 to bf16
// CHECK: memref.dealloc %[[WIDE]]
func.func @columns(%x: memref<?x?xf32>, %s: memref<?xbf16, strided<[2], offset: ?>>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                  iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<?x?xf32>) outs(%s : memref<?xbf16, strided<[2], offset: ?>>) {
  ^bb0(%a: f32, %sum: bf16):
    %b = arith.truncf %a : f32 to bf16
    %n = arith.addf %b, %sum : bf16
    linalg.yield %n : bf16
  }
  return
}

// A named op.
// CHECK-LABEL: @product
// CHECK-NOT: linalg.matmul
// CHECK: arith.mulf %{{.*}} : f32
// CHECK: arith.addf %{{.*}} : f64
func.func @product(%x: memref<4x8xf32>, %w: memref<8x3xf32>, %y: memref<4x3xf32>) {
  linalg.matmul ins(%x, %w : memref<4x8xf32>, memref<8x3xf32>) outs(%y : memref<4x3xf32>)
  return
}

// A maximum next to a sum stays as it is.
// CHECK-LABEL: @both
// CHECK-SAME: (%{{.*}}: memref<?xf32>, %[[M:.*]]: memref<f32>, %{{.*}}: memref<f32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%{{.*}}) outs(%[[M]], %{{.*}} : memref<f32>, memref<f64>)
// CHECK: arith.maximumf %{{.*}} : f32
// CHECK: arith.addf %{{.*}} : f64
func.func @both(%x: memref<?xf32>, %m: memref<f32>, %s: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>],
                  iterator_types = ["reduction"]} ins(%x : memref<?xf32>) outs(%m, %s : memref<f32>, memref<f32>) {
  ^bb0(%a: f32, %most: f32, %sum: f32):
    %p = arith.maximumf %a, %most : f32
    %n = arith.addf %sum, %a : f32
    linalg.yield %p, %n : f32, f32
  }
  return
}
