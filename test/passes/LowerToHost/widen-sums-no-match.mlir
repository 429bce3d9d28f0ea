// RUN: nibble-opt %s --nibble-widen-sums | FileCheck %s

// CHECK-NOT: memref.alloc

// The sum is float64 already.
// CHECK-LABEL: @double
// CHECK: arith.addf %{{.*}} : f64
func.func @double(%x: memref<?xf64>, %s: memref<f64>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<?xf64>) outs(%s : memref<f64>) {
  ^bb0(%a: f64, %sum: f64):
    %n = arith.addf %a, %sum : f64
    linalg.yield %n : f64
  }
  return
}

// This is no plain sum, because the partial sum is read twice.
// CHECK-LABEL: @chain
// CHECK: arith.addf %{{.*}} : f32
func.func @chain(%x: memref<?xf32>, %s: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : memref<?xf32>) outs(%s : memref<f32>) {
  ^bb0(%a: f32, %sum: f32):
    %p = arith.mulf %a, %sum : f32
    %n = arith.addf %p, %sum : f32
    linalg.yield %n : f32
  }
  return
}

// This is no reduction, because each element is added once.
// CHECK-LABEL: @elementwise
// CHECK: arith.addf %{{.*}} : f32
func.func @elementwise(%x: memref<?xf32>, %s: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%a: f32, %sum: f32):
    %n = arith.addf %a, %sum : f32
    linalg.yield %n : f32
  }
  return
}
