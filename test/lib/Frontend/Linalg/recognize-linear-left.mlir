// A product with a weight that stays linalg gets a word at its place, with the reason; with strict that is an error.
// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear --verify-diagnostics
// RUN: not nibble-opt %s -split-input-file --nibble-recognize-linear=strict 2>&1 | FileCheck %s
// CHECK-COUNT-9: error: nibble-recognize-linear: 'linalg.{{.*}}' does not become nn.linear, so its weight cannot be quantized:

func.func @main(%x: tensor<4x64xf16>, %w: tensor<64x32xf16> {nn.parameter = "w"}) -> tensor<4x32xf16> {
  %z = arith.constant dense<0.0> : tensor<4x32xf16>
  // expected-warning @below {{parameter 'w' has elements of type f16, and nn.linear takes bf16 and f32}}
  %y = linalg.matmul ins(%x, %w : tensor<4x64xf16>, tensor<64x32xf16>) outs(%z : tensor<4x32xf16>) -> tensor<4x32xf16>
  return %y : tensor<4x32xf16>
}

// -----

func.func @main(%x: memref<4x64xf32>, %w: memref<64x32xf32> {nn.parameter = "w"}, %y: memref<4x32xf32>) {
  // expected-warning @below {{its operands are memrefs, and nn.linear takes tensors: recognize it before bufferization}}
  linalg.matmul ins(%x, %w : memref<4x64xf32>, memref<64x32xf32>) outs(%y : memref<4x32xf32>)
  return
}

// -----

// What a module has as a constant can be neither trained nor quantized. A vector is no weight, nor is a product of two activations.
func.func @main(%x: tensor<4x2xf32>, %c: tensor<2x4xf32>) -> (tensor<4x2xf32>, tensor<4x4xf32>, tensor<4x2xf32>) {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %f = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %z = arith.constant dense<0.0> : tensor<4x2xf32>
  %z4 = arith.constant dense<0.0> : tensor<4x4xf32>
  // expected-warning @below {{a constant of the module is no parameter; make it an argument with nn.parameter}}
  %y = linalg.matmul ins(%x, %w : tensor<4x2xf32>, tensor<2x2xf32>) outs(%z : tensor<4x2xf32>) -> tensor<4x2xf32>
  %s = linalg.matmul ins(%x, %c : tensor<4x2xf32>, tensor<2x4xf32>) outs(%z4 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = tensor.extract_slice %x[0, 0] [4, 1] [1, 1] : tensor<4x2xf32> to tensor<4x1xf32>
  %a = linalg.matmul ins(%p, %f : tensor<4x1xf32>, tensor<1x2xf32>) outs(%z : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %y, %s, %a : tensor<4x2xf32>, tensor<4x4xf32>, tensor<4x2xf32>
}

// -----

func.func @main(%x: tensor<4x?xf32>, %w: tensor<?x32xf32> {nn.parameter = "w"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  // expected-warning @below {{parameter 'w' is of type tensor<?x32xf32>, and nn.linear takes a weight of known extents}}
  %y = linalg.matmul ins(%x, %w : tensor<4x?xf32>, tensor<?x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// A kernel of heads, as JAX has it.
func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x2x16xf32> {nn.parameter = "w"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %f = tensor.collapse_shape %w [[0], [1, 2]] : tensor<64x2x16xf32> into tensor<64x32xf32>
  // expected-warning @below {{parameter 'w' is reshaped from tensor<64x2x16xf32> to tensor<64x32xf32> first}}
  %y = linalg.matmul ins(%x, %f : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x64xf32> {nn.parameter = "w"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %s = tensor.extract_slice %w[0, 32] [64, 32] [1, 1] : tensor<64x64xf32> to tensor<64x32xf32>
  // expected-warning @below {{parameter 'w' is cut to a slice of type tensor<64x32xf32> first}}
  %y = linalg.matmul ins(%x, %s : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

func.func @main(%x: tensor<4x64xf32>, %w: tensor<64x32xf32> {nn.parameter = "w"}, %m: tensor<64x32xf32> {nn.parameter = "m"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %s = arith.mulf %w, %m : tensor<64x32xf32>
  // expected-warning @below {{parameter 'w' is changed by 'arith.mulf' first}}
  %y = linalg.matmul ins(%x, %s : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// As autocast writes it: the product has the rounded weight, nn.linear would have the whole one.
func.func @main(%x: tensor<4x64xbf16>, %w: tensor<64x32xf32> {nn.parameter = "w"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %s = arith.truncf %w : tensor<64x32xf32> to tensor<64x32xbf16>
  // expected-warning @below {{parameter 'w' is rounded to a narrower type first}}
  %y = linalg.matmul ins(%x, %s : tensor<4x64xbf16>, tensor<64x32xbf16>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// A weight that is reshaped, cut and turned: the reason is the change next to the product.
func.func @main(%x: tensor<6x4x8xf32>, %w: tensor<12x48xf32> {nn.parameter = "w"}) -> tensor<6x4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<6x4x4xf32>
  %f = tensor.expand_shape %w [[0, 1, 2], [3, 4]] output_shape [1, 4, 3, 3, 16] : tensor<12x48xf32> into tensor<1x4x3x3x16xf32>
  %e5 = tensor.empty() : tensor<3x4x3x1x16xf32>
  %t = linalg.transpose ins(%f : tensor<1x4x3x3x16xf32>) outs(%e5 : tensor<3x4x3x1x16xf32>) permutation = [3, 1, 2, 0, 4]
  %c = tensor.collapse_shape %t [[0], [1], [2, 3], [4]] : tensor<3x4x3x1x16xf32> into tensor<3x4x3x16xf32>
  %s = tensor.extract_slice %c[0, 0, 0, 0] [1, 4, 3, 16] [1, 1, 1, 1] : tensor<3x4x3x16xf32> to tensor<1x4x3x16xf32>
  %m = tensor.collapse_shape %s [[0, 1], [2, 3]] : tensor<1x4x3x16xf32> into tensor<4x48xf32>
  %h = tensor.expand_shape %m [[0], [1, 2]] output_shape [4, 6, 8] : tensor<4x48xf32> into tensor<4x6x8xf32>
  %e3 = tensor.empty() : tensor<6x8x4xf32>
  %k = linalg.transpose ins(%h : tensor<4x6x8xf32>) outs(%e3 : tensor<6x8x4xf32>) permutation = [1, 2, 0]
  // expected-warning @below {{parameter 'w' is reshaped from tensor<4x48xf32> to tensor<4x6x8xf32> first}}
  %y = linalg.batch_matmul ins(%x, %k : tensor<6x4x8xf32>, tensor<6x8x4xf32>) outs(%z : tensor<6x4x4xf32>) -> tensor<6x4x4xf32>
  return %y : tensor<6x4x4xf32>
}
