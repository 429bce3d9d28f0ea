// Transposing a square parameter gives a warning, because its extents do not tell the caller. With strict it stays a warning, for no
// product is left.
// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear=strict --verify-diagnostics
// RUN: sed s/expected-warning// %s | nibble-opt -split-input-file --nibble-recognize-linear=layout=value 2>&1 | FileCheck %s --implicit-check-not=warning
// CHECK: nn.linear

// expected-warning @below {{nibble-recognize-linear: parameter 'w' is square and turned to [N, K]: bind its transpose, or keep [K, N] with layout=value}}
func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x32xf32> {nn.parameter = "v"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %z32 = arith.constant dense<0.0> : tensor<4x32xf32>
  %h = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  %y = linalg.matmul ins(%h, %v : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z32 : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// expected-warning @below {{parameter 'w' and 1 more are square and turned to [N, K]: bind their transposes, or keep [K, N] with layout=value}}
func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x64xf32> {nn.parameter = "w"}, %v: tensor<64x64xf32> {nn.parameter = "v"}) -> tensor<4x64xf32> {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %h = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  %y = linalg.matmul ins(%h, %v : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}

// -----

// A parameter that is [N, K] already stays.
func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<4x64xf32> {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %e = tensor.empty() : tensor<64x64xf32>
  %t = linalg.transpose ins(%w : tensor<64x64xf32>) outs(%e : tensor<64x64xf32>) permutation = [1, 0]
  %y = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}
