// Checks run inside a program. A failed check is reported with its place, and the program fails.
// RUN: nibble-run %s --entry=holds
// RUN: not nibble-run %s --entry=fails 2>&1 | FileCheck %s
// RUN: sh -c 'nibble-run %s --entry=fails; test $? -eq 1'

func.func @holds() {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  // 1 and 1 + 2^-23; the other elements are equal.
  %b = arith.constant dense<[[0x3F800001, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %i = arith.constant dense<[5, 6, 7]> : tensor<3xi32>
  %nan = arith.constant dense<0x7FC0> : tensor<2xbf16>
  check.expect_eq %a, %a : tensor<2x2xf32>
  check.expect_eq %i, %i : tensor<3xi32>
  check.expect_eq %nan, %nan : tensor<2xbf16>
  check.expect_close %a, %b {ulp = 1 : i64} : tensor<2x2xf32>
  check.expect_close %a, %b {relative = 1.0e-6 : f64} : tensor<2x2xf32>
  return
}

func.func @fails() {
  %a = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[[0x3F800001, 2.0], [3.5, 4.0]]> : tensor<2x2xf32>
  %zero = arith.constant dense<[0.0, 1.0]> : tensor<2xbf16>
  %minus = arith.constant dense<[-0.0, 1.0]> : tensor<2xbf16>
  %nan = arith.constant dense<0x7FC0> : tensor<2xbf16>
  %three = arith.constant dense<3> : tensor<i32>
  %four = arith.constant dense<4> : tensor<i32>
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %n = arith.constant 1.0 : f32
  %short = tensor.splat %n[%c2] : tensor<?xf32>
  %long = tensor.splat %n[%c3] : tensor<?xf32>

  // CHECK: nibble-run: {{.*}}checks.mlir:[[#@LINE+1]]: check.expect_eq: 2 of 4 elements differ, first [0, 0]: actual 1, expected 1.0000001
  check.expect_eq %a, %b : tensor<2x2xf32>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_eq: 1 of 2 elements differ, first [0]: actual 0, expected -0
  check.expect_eq %zero, %minus : tensor<2xbf16>
  check.expect_close %zero, %minus {ulp = 0 : i64} : tensor<2xbf16>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_eq: 1 of 1 elements differ, first []: actual 3, expected 4
  check.expect_eq %three, %four : tensor<i32>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_close: {{[0-9]+}} ulp apart at [1, 0], allowed 2: actual 3, expected 3.5
  check.expect_close %a, %b {ulp = 2 : i64} : tensor<2x2xf32>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_close: relative error 8.6{{[0-9]+}}e-02, allowed 1.000e-02
  check.expect_close %a, %b {relative = 1.0e-2 : f64} : tensor<2x2xf32>
  // NaN always fails.
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_close: infinitely many ulp apart at [0], allowed 5: actual nan, expected nan
  check.expect_close %nan, %nan {ulp = 5 : i64} : tensor<2xbf16>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_close: relative error nan, allowed 1.000e+00
  check.expect_close %nan, %nan {relative = 1.0 : f64} : tensor<2xbf16>
  // CHECK-NEXT: checks.mlir:[[#@LINE+1]]: check.expect_eq: shapes differ: actual [2], expected [3]
  check.expect_eq %short, %long : tensor<?xf32>
  // CHECK-NOT: check.expect
  return
}
