// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: tokens, weights, table.
#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> ()>
module {
  func.func @main(%arg0: tensor<2x3xi64>, %arg1: tensor<2x3x8xf32>, %arg2: tensor<10x8xf32>) -> (tensor<f32>, tensor<2x3x8xf32>) {
    %c10 = arith.constant 10 : index
    %c0_i64 = arith.constant 0 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<2x3x8xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x3xi64>) outs(%0 : tensor<2x3x8xf32>) {
    ^bb0(%in: i64, %out: f32):
      %6 = arith.index_cast %in : i64 to index
      %7 = linalg.index 2 : index
      %8 = arith.cmpi slt, %6, %c10 : index
      cf.assert %8, "index must be smaller than dim size"
      %9 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %9, "index must be larger or equal to 0"
      %extracted = tensor.extract %arg2[%6, %7] : tensor<10x8xf32>
      linalg.yield %extracted : f32
    } -> tensor<2x3x8xf32>
    %2 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %arg1 : tensor<2x3x8xf32>, tensor<2x3x8xf32>) outs(%0 : tensor<2x3x8xf32>) {
    ^bb0(%in: f32, %in_0: f32, %out: f32):
      %6 = arith.mulf %in, %in_0 : f32
      linalg.yield %6 : f32
    } -> tensor<2x3x8xf32>
    %3 = tensor.empty() : tensor<f32>
    %4 = linalg.fill ins(%cst : f32) outs(%3 : tensor<f32>) -> tensor<f32>
    %5 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["reduction", "reduction", "reduction"]} ins(%2 : tensor<2x3x8xf32>) outs(%4 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %6 = arith.addf %in, %out : f32
      linalg.yield %6 : f32
    } -> tensor<f32>
    return %5, %1 : tensor<f32>, tensor<2x3x8xf32>
  }
}
