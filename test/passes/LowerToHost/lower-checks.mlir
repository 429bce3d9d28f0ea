// Checks over buffers become calls with their place, element type, extents and addresses.
// RUN: nibble-opt %s --nibble-lower-checks | FileCheck %s
// RUN: nibble-opt %s --nibble-lower-checks | nibble-opt --nibble-lower-checks | FileCheck %s

// CHECK-DAG: memref.global "private" constant @check_place_0 : memref<{{[0-9]+}}xi8>
// CHECK-DAG: memref.global "private" constant @check_place_1 : memref<{{[0-9]+}}xi8>

// CHECK-LABEL: func.func @checks
// CHECK: %[[EXTENT:.*]] = memref.dim %arg0
// CHECK: call @nibble_check_expect_eq
// CHECK: %[[ULP:.*]] = arith.constant -1 : i64
// CHECK: %[[RELATIVE:.*]] = arith.constant 1.000000e-05 : f64
// CHECK: call @nibble_check_expect_close({{.*}}, %[[ULP]], %[[RELATIVE]])
// CHECK-NOT: check.expect
// CHECK: func.func private @nibble_check_expect_eq(i64, i64, i64, i64, i64, i64, i64, i64)
// CHECK: func.func private @nibble_check_expect_close(i64, i64, i64, i64, i64, i64, i64, i64, i64, f64)
func.func @checks(%a: memref<?x4xbf16>, %b: memref<?x4xbf16>, %c: memref<f32>) {
  check.expect_eq %a, %b : memref<?x4xbf16>
  check.expect_close %c, %c {relative = 1.0e-5 : f64} : memref<f32>
  return
}
