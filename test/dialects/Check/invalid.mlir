// RUN: nibble-opt %s --split-input-file --verify-diagnostics

func.func @nothing(%a: tensor<4xf32>) {
  // expected-error @+1 {{says neither 'ulp' nor 'relative'}}
  check.expect_close %a, %a : tensor<4xf32>
  return
}

// -----

func.func @integers(%a: tensor<4xi32>) {
  // expected-error @+1 {{'ulp' is a count of steps, 0 or more, between floating-point numbers}}
  check.expect_close %a, %a {ulp = 1 : i64} : tensor<4xi32>
  return
}

// -----

func.func @negative(%a: tensor<4xf32>) {
  // expected-error @+1 {{'relative' is 0 or more}}
  check.expect_close %a, %a {relative = -1.0 : f64} : tensor<4xf32>
  return
}
