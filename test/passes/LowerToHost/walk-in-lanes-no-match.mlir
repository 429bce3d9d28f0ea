// RUN: nibble-opt %s --nibble-walk-in-lanes | FileCheck %s
// An op that does not walk over independent elements along a row stays linalg.

#same = affine_map<(d0, d1) -> (d0, d1)>
#turned = affine_map<(d0, d1) -> (d1, d0)>
#column = affine_map<(d0, d1) -> (d0)>

// A sum keeps the order of its loop.
// CHECK-LABEL: @reduction
// CHECK-NOT: vector
// CHECK: linalg.generic
func.func @reduction(%x: memref<?x32xf32>, %y: memref<?xf32>) {
  linalg.generic {indexing_maps = [#same, #column], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x32xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: @transposition
// CHECK-NOT: vector
// CHECK: linalg.generic
func.func @transposition(%x: memref<32x16xf32>, %y: memref<16x32xf32>) {
  linalg.generic {indexing_maps = [#turned, #same], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<32x16xf32>) outs(%y : memref<16x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// An index is not a lane number.
// CHECK-LABEL: @index
// CHECK-NOT: vector
// CHECK: linalg.generic
func.func @index(%y: memref<16x32xi32>) {
  linalg.generic {indexing_maps = [#same], iterator_types = ["parallel", "parallel"]} outs(%y : memref<16x32xi32>) {
  ^bb0(%c: i32):
    %0 = linalg.index 1 : index
    %1 = arith.index_cast %0 : index to i32
    linalg.yield %1 : i32
  }
  return
}

// Elements that are not contiguous in memory.
// CHECK-LABEL: @strided
// CHECK-NOT: vector
// CHECK: linalg.generic
func.func @strided(%x: memref<16x32xf32, strided<[64, 2]>>, %y: memref<16x32xf32>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<16x32xf32, strided<[64, 2]>>) outs(%y : memref<16x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// This calls a library function, which is not ours to split into lanes.
// CHECK-LABEL: @other
// CHECK-NOT: vector
// CHECK: linalg.generic
func.func @other(%x: memref<16x32xf32>, %y: memref<16x32xf32>) {
  linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<16x32xf32>) outs(%y : memref<16x32xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = math.sin %a : f32
    linalg.yield %0 : f32
  }
  return
}
