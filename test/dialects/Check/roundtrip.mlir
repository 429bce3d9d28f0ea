// RUN: nibble-opt %s | nibble-opt | FileCheck %s

// CHECK-LABEL: func.func @checks
// CHECK: check.expect_eq %{{.*}}, %{{.*}} : tensor<?xi32>
// CHECK: check.expect_close %{{.*}}, %{{.*}} {relative = 1.000000e-05 : f64, ulp = 2 : i64} : tensor<8x16xbf16>
// CHECK: check.expect_eq %{{.*}}, %{{.*}} : memref<4xi1>
func.func @checks(%a: tensor<?xi32>, %b: tensor<8x16xbf16>, %c: memref<4xi1>) {
  check.expect_eq %a, %a : tensor<?xi32>
  check.expect_close %b, %b {ulp = 2 : i64, relative = 1.0e-5 : f64} : tensor<8x16xbf16>
  check.expect_eq %c, %c : memref<4xi1>
  return
}
