// RUN: nibble-opt %s --nibble-check-extents | FileCheck %s --implicit-check-not=cf.assert --implicit-check-not=arith.cmpi

// Facts that are known at compile time need no check: static extents, a chain of ops on one argument, indices of a loop over the tensor.
// CHECK-LABEL: func.func @static(
func.func @static(%x: tensor<4x8xf32>, %w: tensor<8x2xf32>, %e: tensor<4x2xf32>) -> tensor<2x2xf32> {
  %y = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x2xf32>) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %z = arith.addf %y, %y : tensor<4x2xf32>
  %s = tensor.extract_slice %z[1, 0] [2, 2] [1, 1] : tensor<4x2xf32> to tensor<2x2xf32>
  return %s : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @chain(
func.func @chain(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %d = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%d) : tensor<?x8xf32>
  %y = linalg.exp ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  %z = arith.addf %y, %x : tensor<?x8xf32>
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<?x8xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %c7 = arith.constant 7 : index
    %back = arith.subi %c7, %j : index
    %v = tensor.extract %z[%i, %back] : tensor<?x8xf32>
    linalg.yield %v : f32
  } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}
