// A product with a weight that stays linalg gets a remark with the reason at its place. With strict it is an error.
// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear --verify-diagnostics
// RUN: not nibble-opt %s -split-input-file --nibble-recognize-linear=strict 2>&1 | FileCheck %s
// CHECK-COUNT-21: error: nibble-recognize-linear: 'linalg.{{.*}}' does not become nn.linear, so its weight cannot be quantized:

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

// A constant of the module can be neither trained nor quantized. A vector is no weight, and neither is a product of two activations.
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

// A kernel with heads, as in JAX.
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
  // expected-warning @below {{parameters 'w' and 'm' are changed by 'arith.mulf' first}}
  %y = linalg.matmul ins(%x, %s : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// As autocast writes it: the product uses the rounded weight, but nn.linear would use the unrounded one.
func.func @main(%x: tensor<4x64xbf16>, %w: tensor<64x32xf32> {nn.parameter = "w"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %s = arith.truncf %w : tensor<64x32xf32> to tensor<64x32xbf16>
  // expected-warning @below {{parameter 'w' is rounded to a narrower type first}}
  %y = linalg.matmul ins(%x, %s : tensor<4x64xbf16>, tensor<64x32xbf16>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}

// -----

// A weight that is reshaped, sliced and transposed. The reason names the change next to the product.
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

// -----

// A weight that is assembled from several parameters and a constant. All of them stay.
func.func @main(%x: tensor<4x64xf32>, %q: tensor<8x64xf32> {nn.parameter = "wq"}, %k: tensor<8x64xf32> {nn.parameter = "wk"}, %v: tensor<8x64xf32> {nn.parameter = "wv"}) -> tensor<4x26xf32> {
  %z = arith.constant dense<0.0> : tensor<4x26xf32>
  %c = arith.constant dense<1.0> : tensor<2x64xf32>
  %w = tensor.concat dim(0) %q, %k, %c, %v : (tensor<8x64xf32>, tensor<8x64xf32>, tensor<2x64xf32>, tensor<8x64xf32>) -> tensor<26x64xf32>
  %e = tensor.empty() : tensor<64x26xf32>
  %t = linalg.transpose ins(%w : tensor<26x64xf32>) outs(%e : tensor<64x26xf32>) permutation = [1, 0]
  // expected-warning @below {{parameters 'wq', 'wk' and 'wv' are changed by 'tensor.concat' first}}
  %y = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x26xf32>) outs(%z : tensor<4x26xf32>) -> tensor<4x26xf32>
  return %y : tensor<4x26xf32>
}

// -----

// A transposed convolution as torch-mlir writes it: its kernel is flipped element by element.
#flip = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func @main(%x: tensor<2x4x12xf32>, %w: tensor<4x3x3xf32> {nn.parameter = "w"}) -> tensor<2x3x10xf32> {
  %c2 = arith.constant 2 : index
  %z = arith.constant dense<0.0> : tensor<2x3x10xf32>
  %e = tensor.empty() : tensor<3x4x3xf32>
  %k = linalg.generic {indexing_maps = [#flip], iterator_types = ["parallel", "parallel", "parallel"]} outs(%e : tensor<3x4x3xf32>) {
  ^bb0(%out: f32):
    %f = linalg.index 0 : index
    %c = linalg.index 1 : index
    %t = linalg.index 2 : index
    %s = arith.subi %c2, %t : index
    %v = tensor.extract %w[%c, %f, %s] : tensor<4x3x3xf32>
    linalg.yield %v : f32
  } -> tensor<3x4x3xf32>
  // expected-warning @below {{parameter 'w' is read element by element by 'linalg.generic' first}}
  %y = linalg.conv_1d_ncw_fcw {dilations = dense<1> : vector<1xi64>, strides = dense<1> : vector<1xi64>} ins(%x, %k : tensor<2x4x12xf32>, tensor<3x4x3xf32>) outs(%z : tensor<2x3x10xf32>) -> tensor<2x3x10xf32>
  return %y : tensor<2x3x10xf32>
}

// -----

// Codes that the body converts, and a product of integers.
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<4x64xbf16>, %i: tensor<4x64xi8>, %w: tensor<32x64xi8> {nn.parameter = "w"}) -> (tensor<4x32xf32>, tensor<4x32xi32>) {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %zi = arith.constant dense<0> : tensor<4x32xi32>
  // expected-warning @below {{parameter 'w' has elements of type i8, and nn.linear takes bf16 and f32}}
  %y = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x64xbf16>, tensor<32x64xi8>) outs(%z : tensor<4x32xf32>) {
  ^bb0(%a: bf16, %b: i8, %o: f32):
    %p = arith.extf %a : bf16 to f32
    %q = arith.sitofp %b : i8 to f32
    %r = arith.mulf %p, %q : f32
    %s = arith.addf %o, %r : f32
    linalg.yield %s : f32
  } -> tensor<4x32xf32>
  // expected-warning @below {{parameter 'w' has elements of type i8, and nn.linear takes bf16 and f32}}
  %j = linalg.matmul indexing_maps = [#mk, #nk, #mn] ins(%i, %w : tensor<4x64xi8>, tensor<32x64xi8>) outs(%zi : tensor<4x32xi32>) -> tensor<4x32xi32>
  return %y, %j : tensor<4x32xf32>, tensor<4x32xi32>
}

// -----

// F.bilinear: a weight with two other factors, and two sums one after the other.
#b = affine_map<(b, i, j) -> (b, i)>
#ij = affine_map<(b, i, j) -> (i, j)>
#bj = affine_map<(b, i, j) -> (b, j)>
#bij = affine_map<(b, i, j) -> (b, i, j)>
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x16xf32>, %w: tensor<8x16xf32> {nn.parameter = "w"}) -> tensor<4x8xf32> {
  %z = arith.constant dense<0.0> : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8x16xf32>
  %p = linalg.generic {indexing_maps = [#b, #ij, #bij], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x, %w : tensor<4x8xf32>, tensor<8x16xf32>) outs(%e : tensor<4x8x16xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %r = arith.mulf %a, %c : f32
    linalg.yield %r : f32
  } -> tensor<4x8x16xf32>
  %q = linalg.generic {indexing_maps = [#bij, #bj, #bij], iterator_types = ["parallel", "parallel", "parallel"]} ins(%p, %y : tensor<4x8x16xf32>, tensor<4x16xf32>) outs(%e : tensor<4x8x16xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %r = arith.mulf %a, %c : f32
    linalg.yield %r : f32
  } -> tensor<4x8x16xf32>
  // expected-warning @below {{it is more than the sum of the products of two operands, with parameter 'w' as one}}
  %s = linalg.reduce { arith.addf } ins(%q : tensor<4x8x16xf32>) outs(%z : tensor<4x8xf32>) dimensions = [2]
  return %s : tensor<4x8xf32>
}

// -----

// Products in an op of their own, whose sum is no linear. Each row has a weight of its own, and another op reads the products.
func.func @main(%x: tensor<4x8xf32>, %v: tensor<8xf32>, %w: tensor<4x8xf32> {nn.parameter = "w"}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4x8xf32>) {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %p = arith.mulf %x, %w : tensor<4x8xf32>
  // expected-warning @below {{it is not y[..., n] = sum of x[..., k] * w[n, k] over one k, with parameter 'w' as w}}
  %s = linalg.reduce { arith.addf } ins(%p : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
  %e = tensor.empty() : tensor<4x8xf32>
  %b = linalg.broadcast ins(%v : tensor<8xf32>) outs(%e : tensor<4x8xf32>) dimensions = [0]
  %q = arith.mulf %b, %w : tensor<4x8xf32>
  // expected-warning @below {{its products, with parameter 'w', are read by others too, and nn.linear gives their sum alone}}
  %t = linalg.reduce { arith.addf } ins(%q : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
  return %s, %t, %q : tensor<4xf32>, tensor<4xf32>, tensor<4x8xf32>
}

// -----

// No remark for anything that is no product with a weight. Examples are the square of a parameter, a parameter under a mask, and a scale
// that the sum does not run along. Another is the scale of a norm in the product of two activations.
func.func @main(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %w: tensor<4x8xf32> {nn.parameter = "w"}, %g: tensor<8xf32> {nn.parameter = "g"}) -> (tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<4xf32>) {
  %z = arith.constant dense<0.0> : tensor<4xf32>
  %z8 = arith.constant dense<0.0> : tensor<8xf32>
  %m = arith.constant dense<2.0> : tensor<4x8xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %b = linalg.broadcast ins(%g : tensor<8xf32>) outs(%e : tensor<4x8xf32>) dimensions = [0]
  %p = arith.mulf %w, %w : tensor<4x8xf32>
  %q = arith.mulf %w, %m : tensor<4x8xf32>
  %r = arith.mulf %x, %b : tensor<4x8xf32>
  %s = arith.mulf %r, %y : tensor<4x8xf32>
  %0 = linalg.reduce { arith.addf } ins(%p : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
  %1 = linalg.reduce { arith.addf } ins(%q : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
  %2 = linalg.reduce { arith.addf } ins(%r : tensor<4x8xf32>) outs(%z8 : tensor<8xf32>) dimensions = [0]
  %3 = linalg.reduce { arith.addf } ins(%s : tensor<4x8xf32>) outs(%z : tensor<4xf32>) dimensions = [1]
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<4xf32>
}

// -----

// A weight that is no argument cannot be quantized, wherever the module holds it. It may be in a global of ml_program or memref, in a
// function without arguments, or stored as codes that are scaled first. A value that one call leaves for the next is no weight.
ml_program.global private @g(dense<1.0> : tensor<32x64xf32>) : tensor<32x64xf32>
ml_program.global private mutable @set(dense<1.0> : tensor<64x32xf32>) : tensor<64x32xf32>
ml_program.global private mutable @kept(dense<0.0> : tensor<64x32xf32>) : tensor<64x32xf32>
memref.global "private" constant @m : memref<64x32xf32> = dense<1.0>
func.func private @made() -> tensor<64x32xf32>
func.func @main(%x: tensor<4x64xf32>, %new: tensor<64x32xf32>, %x2: tensor<4x2xf32>, %z2: tensor<4x2xf32>) -> (tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x2xf32>, tensor<4x32xf32>) {
  %z = arith.constant dense<0.0> : tensor<4x32xf32>
  %g = ml_program.global_load_const @g : tensor<32x64xf32>
  %e = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%g : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>) permutation = [1, 0]
  // expected-warning @below {{'linalg.matmul' does not become nn.linear, so its weight cannot be quantized: the value of @g is no parameter; make it an argument with nn.parameter}}
  %0 = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  %s = ml_program.global_load @set : tensor<64x32xf32>
  // expected-warning @below {{the value of @set is no parameter}}
  %1 = linalg.matmul ins(%x, %s : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  %m = memref.get_global @m : memref<64x32xf32>
  %b = bufferization.to_tensor %m : memref<64x32xf32> to tensor<64x32xf32>
  // expected-warning @below {{the value of @m is no parameter}}
  %2 = linalg.matmul ins(%x, %b : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  %f = call @made() : () -> tensor<64x32xf32>
  // expected-warning @below {{the value of @made is no parameter}}
  %3 = linalg.matmul ins(%x, %f : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  %codes = arith.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi8>
  %scale = arith.constant dense<0.5> : tensor<2x2xf32>
  %wide = arith.sitofp %codes : tensor<2x2xi8> to tensor<2x2xf32>
  %w = arith.mulf %wide, %scale : tensor<2x2xf32>
  // expected-warning @below {{a constant of the module is no parameter}}
  %4 = linalg.matmul ins(%x2, %w : tensor<4x2xf32>, tensor<2x2xf32>) outs(%z2 : tensor<4x2xf32>) -> tensor<4x2xf32>
  %k = ml_program.global_load @kept : tensor<64x32xf32>
  %5 = linalg.matmul ins(%x, %k : tensor<4x64xf32>, tensor<64x32xf32>) outs(%z : tensor<4x32xf32>) -> tensor<4x32xf32>
  ml_program.global_store @kept = %new : tensor<64x32xf32>
  return %0, %1, %2, %3, %4, %5 : tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x32xf32>, tensor<4x2xf32>, tensor<4x32xf32>
}
