// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, w, v.
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x4x6x6xf32>, %arg1: tensor<6x2x3x3xf32>, %arg2: tensor<6x1x3x3xf32>) -> (tensor<f32>, tensor<2x6x4x4xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 1.920000e+02 : f32
    %padded = tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg3: index, %arg4: index, %arg5: index, %arg6: index):
      tensor.yield %cst : f32
    } : tensor<2x4x6x6xf32> to tensor<2x4x8x8xf32>
    %0 = tensor.empty() : tensor<2x6x4x4xf32>
    %expanded = tensor.expand_shape %padded [[0], [1, 2], [3], [4]] output_shape [2, 2, 2, 8, 8] : tensor<2x4x8x8xf32> into tensor<2x2x2x8x8xf32>
    %expanded_1 = tensor.expand_shape %arg1 [[0, 1], [2], [3], [4]] output_shape [2, 3, 2, 3, 3] : tensor<6x2x3x3xf32> into tensor<2x3x2x3x3xf32>
    %expanded_2 = tensor.expand_shape %0 [[0], [1, 2], [3], [4]] output_shape [2, 2, 3, 4, 4] : tensor<2x6x4x4xf32> into tensor<2x2x3x4x4xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%expanded_2 : tensor<2x2x3x4x4xf32>) -> tensor<2x2x3x4x4xf32>
    %2 = linalg.conv_2d_ngchw_gfchw {dilations = dense<2> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%expanded, %expanded_1 : tensor<2x2x2x8x8xf32>, tensor<2x3x2x3x3xf32>) outs(%1 : tensor<2x2x3x4x4xf32>) -> tensor<2x2x3x4x4xf32>
    %collapsed = tensor.collapse_shape %2 [[0], [1, 2], [3], [4]] : tensor<2x2x3x4x4xf32> into tensor<2x6x4x4xf32>
    %padded_3 = tensor.pad %collapsed low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg3: index, %arg4: index, %arg5: index, %arg6: index):
      tensor.yield %cst : f32
    } : tensor<2x6x4x4xf32> to tensor<2x6x6x6xf32>
    %3 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x6x4x4xf32>) -> tensor<2x6x4x4xf32>
    %collapsed_4 = tensor.collapse_shape %arg2 [[0, 1], [2], [3]] : tensor<6x1x3x3xf32> into tensor<6x3x3xf32>
    %4 = linalg.depthwise_conv_2d_nchw_chw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%padded_3, %collapsed_4 : tensor<2x6x6x6xf32>, tensor<6x3x3xf32>) outs(%3 : tensor<2x6x4x4xf32>) -> tensor<2x6x4x4xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<2x6x4x4xf32>) outs(%0 : tensor<2x6x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %10 : f32
    } -> tensor<2x6x4x4xf32>
    %6 = tensor.empty() : tensor<f32>
    %7 = linalg.fill ins(%cst : f32) outs(%6 : tensor<f32>) -> tensor<f32>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%5 : tensor<2x6x4x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = arith.addf %in, %out : f32
      linalg.yield %10 : f32
    } -> tensor<f32>
    %9 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = []} ins(%8 : tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = arith.divf %in, %cst_0 : f32
      linalg.yield %10 : f32
    } -> tensor<f32>
    return %9, %4 : tensor<f32>, tensor<2x6x4x4xf32>
  }
}
