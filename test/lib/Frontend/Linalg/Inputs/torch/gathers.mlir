// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: rows, columns, weights, x.
#map = affine_map<(d0, d1) -> (d0)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>
#map2 = affine_map<(d0, d1) -> ()>
#map3 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<4xi64>, %arg1: tensor<4x5xi64>, %arg2: tensor<4x5xf32>, %arg3: tensor<6x5xf32>) -> (tensor<f32>, tensor<4x5xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %c5 = arith.constant 5 : index
    %c0_i64 = arith.constant 0 : i64
    %c6_i64 = arith.constant 6 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 2.000000e+01 : f32
    %0 = tensor.empty() : tensor<4x5xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<4xi64>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: i64, %out: f32):
      %13 = arith.index_cast %in : i64 to index
      %14 = linalg.index 1 : index
      %extracted = tensor.extract %arg3[%13, %14] : tensor<6x5xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x5xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<4xi64>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: i64, %out: f32):
      %13 = arith.cmpi slt, %in, %c0_i64 : i64
      %14 = arith.addi %in, %c6_i64 : i64
      %15 = arith.select %13, %14, %in : i64
      %16 = arith.index_cast %15 : i64 to index
      %17 = linalg.index 1 : index
      %extracted = tensor.extract %arg3[%16, %17] : tensor<6x5xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x5xf32>
    %3 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%2, %arg2 : tensor<4x5xf32>, tensor<4x5xf32>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: f32, %in_1: f32, %out: f32):
      %13 = arith.mulf %in, %in_1 : f32
      linalg.yield %13 : f32
    } -> tensor<4x5xf32>
    %4 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%1, %3 : tensor<4x5xf32>, tensor<4x5xf32>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: f32, %in_1: f32, %out: f32):
      %13 = arith.addf %in, %in_1 : f32
      linalg.yield %13 : f32
    } -> tensor<4x5xf32>
    %5 = linalg.fill ins(%cst : f32) outs(%0 : tensor<4x5xf32>) -> tensor<4x5xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<4x5xi64>) outs(%5 : tensor<4x5xf32>) {
    ^bb0(%in: i64, %out: f32):
      %13 = linalg.index 0 : index
      %14 = arith.index_cast %in : i64 to index
      %15 = arith.cmpi slt, %14, %c5 : index
      cf.assert %15, "index must be smaller than dim size"
      %16 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %16, "index must be larger or equal to 0"
      %extracted = tensor.extract %arg3[%13, %14] : tensor<6x5xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x5xf32>
    %7 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%4, %6 : tensor<4x5xf32>, tensor<4x5xf32>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: f32, %in_1: f32, %out: f32):
      %13 = arith.addf %in, %in_1 : f32
      linalg.yield %13 : f32
    } -> tensor<4x5xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%7 : tensor<4x5xf32>) outs(%0 : tensor<4x5xf32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %13 : f32
    } -> tensor<4x5xf32>
    %9 = tensor.empty() : tensor<f32>
    %10 = linalg.fill ins(%cst : f32) outs(%9 : tensor<f32>) -> tensor<f32>
    %11 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["reduction", "reduction"]} ins(%8 : tensor<4x5xf32>) outs(%10 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = arith.addf %in, %out : f32
      linalg.yield %13 : f32
    } -> tensor<f32>
    %12 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = []} ins(%11 : tensor<f32>) outs(%9 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = arith.divf %in, %cst_0 : f32
      linalg.yield %13 : f32
    } -> tensor<f32>
    return %12, %7 : tensor<f32>, tensor<4x5xf32>
  }
}
