// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, weights.
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2) -> ()>
#map4 = affine_map<() -> ()>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
module {
  func.func @main(%arg0: tensor<1x2x8x8xf32>, %arg1: tensor<1x2x4x4xf32>) -> (tensor<f32>, tensor<1x2x4x4xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0xFF800000 : f32
    %cst_0 = arith.constant 0.000000e+00 : f32
    %c0_i64 = arith.constant 0 : i64
    %cst_1 = arith.constant 0x7F800000 : f32
    %padded = tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg2: index, %arg3: index, %arg4: index, %arg5: index):
      tensor.yield %cst : f32
    } : tensor<1x2x8x8xf32> to tensor<1x2x10x10xf32>
    %0 = tensor.empty() : tensor<1x2x4x4xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
    %2 = tensor.empty() : tensor<3x3xf32>
    %3 = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %2 : tensor<1x2x10x10xf32>, tensor<3x3xf32>) outs(%1 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3, %arg1 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %in_3: f32, %out: f32):
      %29 = arith.mulf %in, %in_3 : f32
      linalg.yield %29 : f32
    } -> tensor<1x2x4x4xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %29 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %29 : f32
    } -> tensor<1x2x4x4xf32>
    %6 = tensor.empty() : tensor<f32>
    %7 = linalg.fill ins(%cst_0 : f32) outs(%6 : tensor<f32>) -> tensor<f32>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%5 : tensor<1x2x4x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %29 = arith.addf %in, %out : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2], [3]] : tensor<1x2x8x8xf32> into tensor<2x8x8xf32>
    %expanded = tensor.expand_shape %collapsed [[0], [1], [2, 3]] output_shape [2, 8, 1, 8] : tensor<2x8x8xf32> into tensor<2x8x1x8xf32>
    %9 = tensor.empty() : tensor<2x8x1x4xf32>
    %10 = linalg.fill ins(%cst : f32) outs(%9 : tensor<2x8x1x4xf32>) -> tensor<2x8x1x4xf32>
    %11 = tensor.empty() : tensor<1x2xf32>
    %12 = linalg.pooling_nchw_max {dilations = dense<1> : vector<2xi64>, strides = dense<[1, 2]> : vector<2xi64>} ins(%expanded, %11 : tensor<2x8x1x8xf32>, tensor<1x2xf32>) outs(%10 : tensor<2x8x1x4xf32>) -> tensor<2x8x1x4xf32>
    %collapsed_2 = tensor.collapse_shape %12 [[0], [1, 2], [3]] : tensor<2x8x1x4xf32> into tensor<2x8x4xf32>
    %13 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["reduction", "reduction", "reduction"]} ins(%collapsed_2 : tensor<2x8x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %29 = arith.addf %in, %out : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %14 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = []} ins(%8, %13 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_3: f32, %out: f32):
      %29 = arith.addf %in, %in_3 : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %15 = tensor.empty() : tensor<1x2x8xi64>
    %16 = linalg.fill ins(%c0_i64 : i64) outs(%15 : tensor<1x2x8xi64>) -> tensor<1x2x8xi64>
    %17 = tensor.empty() : tensor<1x2x8xf32>
    %18 = linalg.fill ins(%cst : f32) outs(%17 : tensor<1x2x8xf32>) -> tensor<1x2x8xf32>
    %19:2 = linalg.generic {indexing_maps = [#map, #map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0 : tensor<1x2x8x8xf32>) outs(%18, %16 : tensor<1x2x8xf32>, tensor<1x2x8xi64>) {
    ^bb0(%in: f32, %out: f32, %out_3: i64):
      %29 = linalg.index 3 : index
      %30 = arith.index_cast %29 : index to i64
      %31 = arith.maximumf %in, %out : f32
      %32 = arith.cmpf ogt, %in, %out : f32
      %33 = arith.select %32, %30, %out_3 : i64
      linalg.yield %31, %33 : f32, i64
    } -> (tensor<1x2x8xf32>, tensor<1x2x8xi64>)
    %20 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["reduction", "reduction", "reduction"]} ins(%19#0 : tensor<1x2x8xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %29 = arith.addf %in, %out : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %21 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = []} ins(%14, %20 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_3: f32, %out: f32):
      %29 = arith.addf %in, %in_3 : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %22 = tensor.empty() : tensor<1x8x8xi64>
    %23 = linalg.fill ins(%c0_i64 : i64) outs(%22 : tensor<1x8x8xi64>) -> tensor<1x8x8xi64>
    %24 = tensor.empty() : tensor<1x8x8xf32>
    %25 = linalg.fill ins(%cst_1 : f32) outs(%24 : tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
    %26:2 = linalg.generic {indexing_maps = [#map, #map6, #map6], iterator_types = ["parallel", "reduction", "parallel", "parallel"]} ins(%arg0 : tensor<1x2x8x8xf32>) outs(%25, %23 : tensor<1x8x8xf32>, tensor<1x8x8xi64>) {
    ^bb0(%in: f32, %out: f32, %out_3: i64):
      %29 = linalg.index 1 : index
      %30 = arith.index_cast %29 : index to i64
      %31 = arith.minimumf %in, %out : f32
      %32 = arith.cmpf olt, %in, %out : f32
      %33 = arith.select %32, %30, %out_3 : i64
      linalg.yield %31, %33 : f32, i64
    } -> (tensor<1x8x8xf32>, tensor<1x8x8xi64>)
    %27 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["reduction", "reduction", "reduction"]} ins(%26#0 : tensor<1x8x8xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %29 = arith.addf %in, %out : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    %28 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = []} ins(%21, %27 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_3: f32, %out: f32):
      %29 = arith.addf %in, %in_3 : f32
      linalg.yield %29 : f32
    } -> tensor<f32>
    return %28, %4 : tensor<f32>, tensor<1x2x4x4xf32>
  }
}
