// A product computes the same values as nn.linear. Integers are used, whose sums have no rounding that could hide a difference.
// RUN: echo '{"x": [[1, 2, 3, 4], [5, 6, 7, 8]], "xt": [[1, 5], [2, 6], [3, 7], [4, 8]], "v": [1, 2, 3, 4], "w": [[1, 0, 2, 0], [0, 3, 0, -1], [1, 1, 1, 1]]}' > %t.json
// RUN: nibble-opt %s --nibble-recognize-linear="function=widened strict" -o %t.mlir
// RUN: FileCheck %s --check-prefix=LINEAR < %t.mlir
// LINEAR-COUNT-6: nn.linear
// LINEAR-NOT: linalg.matmul
// LINEAR-NOT: arith.mulf
// RUN: nibble-run %s --entry=widened --inputs %t.json | FileCheck %s --check-prefix=ROWS
// RUN: nibble-run %t.mlir --entry=widened --inputs %t.json | FileCheck %s --check-prefix=ROWS
// RUN: nibble-run %s --entry=left --inputs %t.json | FileCheck %s --check-prefix=COLUMNS
// RUN: nibble-run %t.mlir --entry=left --inputs %t.json | FileCheck %s --check-prefix=COLUMNS
// RUN: nibble-run %s --entry=vector --inputs %t.json | FileCheck %s --check-prefix=VECTOR
// RUN: nibble-run %t.mlir --entry=vector --inputs %t.json | FileCheck %s --check-prefix=VECTOR
// RUN: nibble-run %s --entry=batched --inputs %t.json | FileCheck %s --check-prefix=BATCHED
// RUN: nibble-run %t.mlir --entry=batched --inputs %t.json | FileCheck %s --check-prefix=BATCHED
// RUN: nibble-run %s --entry=products --inputs %t.json | FileCheck %s --check-prefix=VECTOR
// RUN: nibble-run %t.mlir --entry=products --inputs %t.json | FileCheck %s --check-prefix=VECTOR
// RUN: nibble-run %s --entry=repeated --inputs %t.json | FileCheck %s --check-prefix=ROWS
// RUN: nibble-run %t.mlir --entry=repeated --inputs %t.json | FileCheck %s --check-prefix=ROWS

// ROWS: y F32 [2, 3]: 7 2 10 19 10 26
func.func @widened(%x: tensor<2x4xf32> {nn.input = "x"}, %w: tensor<3x4xbf16> {nn.parameter = "w"}) -> (tensor<2x3xf32> {nn.output = "y"}) {
  %z = arith.constant dense<0.0> : tensor<2x3xf32>
  %e0 = tensor.empty() : tensor<4x3xbf16>
  %t = linalg.transpose ins(%w : tensor<3x4xbf16>) outs(%e0 : tensor<4x3xbf16>) permutation = [1, 0]
  %f = arith.extf %t : tensor<4x3xbf16> to tensor<4x3xf32>
  %y = linalg.matmul ins(%x, %f : tensor<2x4xf32>, tensor<4x3xf32>) outs(%z : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// COLUMNS: y F32 [3, 2]: 7 19 2 10 10 26
func.func @left(%x: tensor<4x2xf32> {nn.input = "xt"}, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> (tensor<3x2xf32> {nn.output = "y"}) {
  %z = arith.constant dense<0.0> : tensor<3x2xf32>
  %y = linalg.matmul ins(%w, %x : tensor<3x4xf32>, tensor<4x2xf32>) outs(%z : tensor<3x2xf32>) -> tensor<3x2xf32>
  return %y : tensor<3x2xf32>
}

// The sum starts from ones.
// VECTOR: y F32 [3]: 8 3 11
func.func @vector(%x: tensor<4xf32> {nn.input = "v"}, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> (tensor<3xf32> {nn.output = "y"}) {
  %one = arith.constant dense<1.0> : tensor<3xf32>
  %y = linalg.matvec ins(%w, %x : tensor<3x4xf32>, tensor<4xf32>) outs(%one : tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// Tokens lie between and behind the features, and in another order in the result: x[k, a, b], y[b, n, a].
// BATCHED: y F32 [2, 3, 1]: 7 2 10 19 10 26
#x = affine_map<(b, n, a, k) -> (k, a, b)>
#w = affine_map<(b, n, a, k) -> (n, k)>
#y = affine_map<(b, n, a, k) -> (b, n, a)>
func.func @batched(%x: tensor<4x2xf32> {nn.input = "xt"}, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> (tensor<2x3x1xf32> {nn.output = "y"}) {
  %z = arith.constant dense<0.0> : tensor<2x3x1xf32>
  %e = tensor.expand_shape %x [[0, 1], [2]] output_shape [4, 1, 2] : tensor<4x2xf32> into tensor<4x1x2xf32>
  %y = linalg.generic {indexing_maps = [#x, #w, #y], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%e, %w : tensor<4x1x2xf32>, tensor<3x4xf32>) outs(%z : tensor<2x3x1xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    %s = arith.addf %o, %m : f32
    linalg.yield %s : f32
  } -> tensor<2x3x1xf32>
  return %y : tensor<2x3x1xf32>
}

// torch.mv as torch-mlir writes it: all products first, then their sums, starting from ones.
#nk = affine_map<(n, k) -> (n, k)>
#k = affine_map<(n, k) -> (k)>
#n = affine_map<(n, k) -> (n)>
func.func @products(%x: tensor<4xf32> {nn.input = "v"}, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> (tensor<3xf32> {nn.output = "y"}) {
  %one = arith.constant dense<1.0> : tensor<3xf32>
  %e = tensor.empty() : tensor<3x4xf32>
  %p = linalg.generic {indexing_maps = [#nk, #k, #nk], iterator_types = ["parallel", "parallel"]} ins(%w, %x : tensor<3x4xf32>, tensor<4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %m = arith.mulf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<3x4xf32>
  %y = linalg.generic {indexing_maps = [#nk, #n], iterator_types = ["parallel", "reduction"]} ins(%p : tensor<3x4xf32>) outs(%one : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = arith.addf %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// (x[:, None] * w).sum(-1): both operands are broadcast to one shape before the multiplication.
#bnk = affine_map<(b, n, k) -> (b, n, k)>
#b1k = affine_map<(b, n, k) -> (b, 0, k)>
func.func @repeated(%x: tensor<2x4xf32> {nn.input = "x"}, %w: tensor<3x4xf32> {nn.parameter = "w"}) -> (tensor<2x3xf32> {nn.output = "y"}) {
  %z = arith.constant dense<0.0> : tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3x4xf32>
  %x1 = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 1, 4] : tensor<2x4xf32> into tensor<2x1x4xf32>
  %xb = linalg.generic {indexing_maps = [#b1k, #bnk], iterator_types = ["parallel", "parallel", "parallel"]} ins(%x1 : tensor<2x1x4xf32>) outs(%e : tensor<2x3x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<2x3x4xf32>
  %wb = linalg.broadcast ins(%w : tensor<3x4xf32>) outs(%e : tensor<2x3x4xf32>) dimensions = [0]
  %p = arith.mulf %xb, %wb : tensor<2x3x4xf32>
  %y = linalg.reduce { arith.addf } ins(%p : tensor<2x3x4xf32>) outs(%z : tensor<2x3xf32>) dimensions = [2]
  return %y : tensor<2x3xf32>
}
