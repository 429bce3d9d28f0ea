// Parameters that are read element by element, in slices or by two ops. Their gradients are added to the accumulators.
// RUN: split-file %s %t
// RUN: nibble-opt %t/elements.mlir --nibble-differentiate -o %t/elements-step.mlir
// RUN: nibble-run %t/elements-step.mlir --entry=train_step --inputs %t/elements.json | FileCheck %t/elements.mlir
// RUN: nibble-opt %t/rows.mlir --nibble-differentiate -o %t/rows-step.mlir
// RUN: nibble-run %t/rows-step.mlir --entry=train_step --inputs %t/rows.json | FileCheck %t/rows.mlir
// RUN: nibble-opt %t/twice.mlir --nibble-differentiate -o %t/twice-step.mlir
// RUN: nibble-run %t/twice-step.mlir --entry=train_step --inputs %t/twice.json | FileCheck %t/twice.mlir
// RUN: nibble-opt %t/slices.mlir --nibble-differentiate -o %t/slices-step.mlir
// RUN: nibble-run %t/slices-step.mlir --entry=train_step --inputs %t/slices.json | FileCheck %t/slices.mlir

//--- elements.json
{"x": [1, 2, 3, 4], "a": 2, "b": [5, 6, 7], "gradient:a": 100, "gradient:b": {"zeros": [3]}}
//--- elements.mlir
// sum(x * a + b[1])
// CHECK: result0 F32 []: 44
// CHECK: gradient:a F32 []: 110
// CHECK: gradient:b F32 [3]: 0 4 0
#v = affine_map<(i) -> (i)>
#s = affine_map<(i) -> ()>
func.func @loss(%x: tensor<4xf32> {nn.input = "x"}, %a: tensor<f32> {nn.parameter = "a"}, %b: tensor<3xf32> {nn.parameter = "b"}) -> tensor<f32> {
  %z = arith.constant dense<0.0> : tensor<f32>
  %c1 = arith.constant 1 : index
  %an = tensor.extract %a[] : tensor<f32>
  %bn = tensor.extract %b[%c1] : tensor<3xf32>
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%i: f32, %o: f32):
    %m = arith.mulf %i, %an : f32
    %n = arith.addf %m, %bn : f32
    linalg.yield %n : f32
  } -> tensor<4xf32>
  %l = linalg.generic {indexing_maps = [#v, #s], iterator_types = ["reduction"]} ins(%y : tensor<4xf32>) outs(%z : tensor<f32>) {
  ^bb0(%i: f32, %o: f32):
    %p = arith.addf %o, %i : f32
    linalg.yield %p : f32
  } -> tensor<f32>
  return %l : tensor<f32>
}
//--- rows.json
{"ids": [1, 1, 0], "w": [[1, 2], [3, 4], [5, 6]], "gradient:w": [[0, 0], [0, 0], [7, 7]]}
//--- rows.mlir
// The sum of rows 1, 1 and 0, which the body looks up.
// CHECK: result0 F32 []: 17
// CHECK: gradient:w F32 [3, 2]: 1 1 2 2 7 7
#i = affine_map<(i, j) -> (i)>
#m = affine_map<(i, j) -> (i, j)>
#s = affine_map<(i, j) -> ()>
func.func @loss(%ids: tensor<3xi64> {nn.input = "ids"}, %w: tensor<3x2xf32> {nn.parameter = "w"}) -> tensor<f32> {
  %z = arith.constant dense<0.0> : tensor<f32>
  %e = tensor.empty() : tensor<3x2xf32>
  %y = linalg.generic {indexing_maps = [#i, #m], iterator_types = ["parallel", "parallel"]} ins(%ids : tensor<3xi64>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%id: i64, %o: f32):
    %row = arith.index_cast %id : i64 to index
    %column = linalg.index 1 : index
    %v = tensor.extract %w[%row, %column] : tensor<3x2xf32>
    linalg.yield %v : f32
  } -> tensor<3x2xf32>
  %l = linalg.generic {indexing_maps = [#m, #s], iterator_types = ["reduction", "reduction"]} ins(%y : tensor<3x2xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %o, %a : f32
    linalg.yield %p : f32
  } -> tensor<f32>
  return %l : tensor<f32>
}
//--- twice.json
{"x": [[1, 2], [3, 4]], "w": [[1, 2], [3, 4]], "gradient:w": [[0, 0], [0, 100]]}
//--- twice.mlir
// The sum of x[i, j] w[i, j] w[j, i], whose gradient is w[j, i] (x[i, j] + x[j, i]).
// CHECK: result0 F32 []: 95
// CHECK: gradient:w F32 [2, 2]: 2 15 10 132
#m = affine_map<(i, j) -> (i, j)>
#t = affine_map<(i, j) -> (j, i)>
#s = affine_map<(i, j) -> ()>
func.func @loss(%x: tensor<2x2xf32> {nn.input = "x"}, %w: tensor<2x2xf32> {nn.parameter = "w"}) -> tensor<f32> {
  %z = arith.constant dense<0.0> : tensor<f32>
  %y = arith.mulf %x, %w : tensor<2x2xf32>
  %l = linalg.generic {indexing_maps = [#m, #t, #s], iterator_types = ["reduction", "reduction"]} ins(%y, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %q = arith.mulf %a, %b : f32
    %p = arith.addf %o, %q : f32
    linalg.yield %p : f32
  } -> tensor<f32>
  return %l : tensor<f32>
}
//--- slices.json
{"x": [[1, 2]], "w": [[1, 1], [2, 0], [0, 3]], "gradient:w": [[0, 0], [0, 0], [0, 10]]}
//--- slices.mlir
// Queries, keys and values from one weight, and the sum of their products.
// CHECK: result0 F32 []: 36
// CHECK: gradient:w F32 [3, 2]: 12 24 18 36 6 22
#m = affine_map<(i, j) -> (i, j)>
#s = affine_map<(i, j) -> ()>
func.func @loss(%x: tensor<1x2xf32> {nn.input = "x"}, %w: tensor<3x2xf32> {nn.parameter = "w"}) -> tensor<f32> {
  %z = arith.constant dense<0.0> : tensor<f32>
  %wq = tensor.extract_slice %w[0, 0] [1, 2] [1, 1] : tensor<3x2xf32> to tensor<1x2xf32>
  %wk = tensor.extract_slice %w[1, 0] [1, 2] [1, 1] : tensor<3x2xf32> to tensor<1x2xf32>
  %wv = tensor.extract_slice %w[2, 0] [1, 2] [1, 1] : tensor<3x2xf32> to tensor<1x2xf32>
  %q = nn.linear %x, %wq : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  %k = nn.linear %x, %wk : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  %v = nn.linear %x, %wv : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x1xf32>
  %l = linalg.generic {indexing_maps = [#m, #m, #m, #s], iterator_types = ["reduction", "reduction"]} ins(%q, %k, %v : tensor<1x1xf32>, tensor<1x1xf32>, tensor<1x1xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %c: f32, %o: f32):
    %t = arith.mulf %a, %b : f32
    %u = arith.mulf %t, %c : f32
    %p = arith.addf %o, %u : f32
    linalg.yield %p : f32
  } -> tensor<f32>
  return %l : tensor<f32>
}
