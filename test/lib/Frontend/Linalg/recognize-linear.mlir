// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear | FileCheck %s

// Other uses of a transposed parameter read it transposed back.

// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xf32> {nn.input = "x"}, %[[W:[a-z0-9]+]]: tensor<32x64xf32> {nn.parameter = "w", nn.transposed}
// CHECK: %[[BACK:.*]] = linalg.transpose ins(%[[W]] : tensor<32x64xf32>) outs(%{{.*}} : tensor<64x32xf32>) permutation = [1, 0]
// CHECK: nn.linear %[[X]], %[[W]] : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
// CHECK: math.exp %[[BACK]] : tensor<64x32xf32>
func.func @main(%x: tensor<?x64xf32> {nn.input = "x"}, %w: tensor<64x32xf32> {nn.parameter = "w"}, %c: tensor<?x32xf32>) -> (tensor<?x32xf32>, tensor<64x32xf32>) {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%c : tensor<?x32xf32>) -> tensor<?x32xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x64xf32>, tensor<64x32xf32>) outs(%z : tensor<?x32xf32>) -> tensor<?x32xf32>
  %e = math.exp %w : tensor<64x32xf32>
  return %y, %e : tensor<?x32xf32>, tensor<64x32xf32>
}

// -----

// torch-mlir's form of a batched linear repeats the transposed weight for every batch.

// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<32x64xf32> {nn.parameter = "w"}
// CHECK: %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<2x?x64xf32> into tensor<?x64xf32>
// CHECK: %[[Y:.*]] = nn.linear %[[X]], %[[W]] : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
// CHECK: tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [2, %{{.*}}, 32] : tensor<?x32xf32> into tensor<2x?x32xf32>
func.func @main(%x: tensor<2x?x64xf32>, %w: tensor<32x64xf32> {nn.parameter = "w"}, %out: tensor<2x?x32xf32>) -> tensor<2x?x32xf32> {
  %e0 = tensor.empty() : tensor<64x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x64xf32>) outs(%e0 : tensor<64x32xf32>) permutation = [1, 0]
  %e1 = tensor.empty() : tensor<2x64x32xf32>
  %r = linalg.broadcast ins(%t : tensor<64x32xf32>) outs(%e1 : tensor<2x64x32xf32>) dimensions = [0]
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%out : tensor<2x?x32xf32>) -> tensor<2x?x32xf32>
  %y = linalg.batch_matmul ins(%x, %r : tensor<2x?x64xf32>, tensor<2x64x32xf32>) outs(%z : tensor<2x?x32xf32>) -> tensor<2x?x32xf32>
  return %y : tensor<2x?x32xf32>
}

// -----

// No parameter, another body, another element type: these stay.

// CHECK-LABEL: func.func @others(
// CHECK-NOT: nn.linear
// CHECK: return
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func @others(%x: tensor<4x8xf32>, %y: tensor<8x4xf32>, %w: tensor<8x8xf32> {nn.parameter = "w"}, %v: tensor<8x8xf64> {nn.parameter = "v"}, %d: tensor<4x8xf64>)
    -> (tensor<4x4xf32>, tensor<4x8xf32>, tensor<4x8xf64>) {
  %z44 = arith.constant dense<0.0> : tensor<4x4xf32>
  %z48 = arith.constant dense<0.0> : tensor<4x8xf32>
  %zd = arith.constant dense<0.0> : tensor<4x8xf64>
  %a = linalg.matmul ins(%x, %y : tensor<4x8xf32>, tensor<8x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x8xf32>, tensor<8x8xf32>) outs(%z48 : tensor<4x8xf32>) {
  ^bb0(%p: f32, %q: f32, %o: f32):
    %s = arith.subf %p, %q : f32
    %r = arith.addf %o, %s : f32
    linalg.yield %r : f32
  } -> tensor<4x8xf32>
  %e = linalg.matmul ins(%d, %v : tensor<4x8xf64>, tensor<8x8xf64>) outs(%zd : tensor<4x8xf64>) -> tensor<4x8xf64>
  return %a, %b, %e : tensor<4x4xf32>, tensor<4x8xf32>, tensor<4x8xf64>
}
