// RUN: nibble-opt %s --nibble-walk-in-lanes | FileCheck %s

#same = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
#column = affine_map<(d0, d1) -> (d0)>

// Threads divide the rows. Sixteen bf16 elements are processed at a time, then the remainder one by one.
// CHECK-LABEL: @add
// CHECK-SAME: (%[[X:.*]]: memref<?x40xbf16>, %[[Y:.*]]: memref<?x40xbf16>, %[[Z:.*]]: memref<?x40xbf16>)
// CHECK: scf.parallel (%[[T:.*]]) =
// CHECK: scf.for %[[C:.*]] = %c0 to %c32 step %c16
// CHECK: %[[A:.*]] = vector.load %[[X]][%[[T]], %[[C]]] : memref<?x40xbf16>, vector<16xbf16>
// CHECK: %[[B:.*]] = vector.load %[[Y]][%[[T]], %[[C]]] : memref<?x40xbf16>, vector<16xbf16>
// CHECK: %[[SUM:.*]] = arith.addf %[[A]], %[[B]] : vector<16xbf16>
// CHECK: vector.store %[[SUM]], %[[Z]][%[[T]], %[[C]]]
// CHECK: scf.for %{{.*}} = %c32 to %c40 step %c1
// CHECK: arith.addf %{{.*}}, %{{.*}} : bf16
// CHECK: memref.store
func.func @add(%x: memref<?x40xbf16>, %y: memref<?x40xbf16>, %z: memref<?x40xbf16>) {
  linalg.generic {indexing_maps = [#same, #same, #same], iterator_types = ["parallel", "parallel"]}
      ins(%x, %y : memref<?x40xbf16>, memref<?x40xbf16>) outs(%z : memref<?x40xbf16>) {
  ^bb0(%a: bf16, %b: bf16, %c: bf16):
    %0 = arith.addf %a, %b : bf16
    linalg.yield %0 : bf16
  }
  return
}

// One element per row is broadcast to the lanes, like constants and values from outside. Comparisons give lanes of i1.
// CHECK-LABEL: @scale
// CHECK-SAME: (%[[X:.*]]: memref<8x32xf32>, %[[B:.*]]: memref<32xf32>, %[[S:.*]]: memref<8xf32>, %[[LIMIT:.*]]: f32,
// CHECK: scf.parallel (%[[T:.*]]) =
// CHECK: scf.for %[[C:.*]] =
// CHECK: vector.load %[[X]][%[[T]], %[[C]]]
// CHECK: vector.load %[[B]][%[[C]]]
// CHECK: %[[ONE:.*]] = memref.load %[[S]][%[[T]]]
// CHECK: vector.broadcast %[[ONE]] : f32 to vector<16xf32>
// CHECK: vector.broadcast %[[LIMIT]] : f32 to vector<16xf32>
// CHECK: arith.cmpf olt, {{.*}} : vector<16xf32>
// CHECK: arith.select {{.*}} : vector<16xi1>, vector<16xf32>
// CHECK: math.exp {{.*}} : vector<16xf32>
// CHECK-NOT: linalg.generic
func.func @scale(%x: memref<8x32xf32>, %b: memref<32xf32>, %s: memref<8xf32>, %limit: f32, %y: memref<8x32xf32>) {
  linalg.generic {indexing_maps = [#same, #row, #column, #same], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b, %s : memref<8x32xf32>, memref<32xf32>, memref<8xf32>) outs(%y : memref<8x32xf32>) {
  ^bb0(%e: f32, %bias: f32, %scale: f32, %out: f32):
    %two = arith.constant 2.0 : f32
    %0 = arith.mulf %e, %scale : f32
    %1 = arith.addf %0, %bias : f32
    %2 = arith.cmpf olt, %1, %limit : f32
    %3 = arith.select %2, %1, %two : f32
    %4 = math.exp %3 : f32
    linalg.yield %4 : f32
  }
  return
}

// A list is one row: it has lanes but no threads.
// CHECK-LABEL: @list
// CHECK-NOT: scf.parallel
// CHECK: scf.for
// CHECK: vector.load
// CHECK: scf.for
func.func @list(%x: memref<?xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}
