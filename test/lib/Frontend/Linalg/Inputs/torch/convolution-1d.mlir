// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, w, b, v.
#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2) -> ()>
#map2 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x3x16xf32>, %arg1: tensor<4x3x3xf32>, %arg2: tensor<4xf32>, %arg3: tensor<2x4x1xf32>) -> (tensor<f32>, tensor<2x2x8xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 3.200000e+01 : f32
    %padded = tensor.pad %arg0 low[0, 0, 2] high[0, 0, 2] {
    ^bb0(%arg4: index, %arg5: index, %arg6: index):
      tensor.yield %cst : f32
    } : tensor<2x3x16xf32> to tensor<2x3x20xf32>
    %0 = tensor.empty() : tensor<2x4x8xf32>
    %broadcasted = linalg.broadcast ins(%arg2 : tensor<4xf32>) outs(%0 : tensor<2x4x8xf32>) dimensions = [0, 2] 
    %1 = linalg.conv_1d_ncw_fcw {dilations = dense<2> : vector<1xi64>, strides = dense<2> : vector<1xi64>} ins(%padded, %arg1 : tensor<2x3x20xf32>, tensor<4x3x3xf32>) outs(%broadcasted : tensor<2x4x8xf32>) -> tensor<2x4x8xf32>
    %2 = tensor.empty() : tensor<2x2x8xf32>
    %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<2x2x8xf32>) -> tensor<2x2x8xf32>
    %4 = linalg.conv_1d_ncw_fcw {dilations = dense<1> : vector<1xi64>, strides = dense<1> : vector<1xi64>} ins(%1, %arg3 : tensor<2x4x8xf32>, tensor<2x4x1xf32>) outs(%3 : tensor<2x2x8xf32>) -> tensor<2x2x8xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<2x2x8xf32>) outs(%2 : tensor<2x2x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %10 : f32
    } -> tensor<2x2x8xf32>
    %6 = tensor.empty() : tensor<f32>
    %7 = linalg.fill ins(%cst : f32) outs(%6 : tensor<f32>) -> tensor<f32>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction"]} ins(%5 : tensor<2x2x8xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = arith.addf %in, %out : f32
      linalg.yield %10 : f32
    } -> tensor<f32>
    %9 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = []} ins(%8 : tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %10 = arith.divf %in, %cst_0 : f32
      linalg.yield %10 : f32
    } -> tensor<f32>
    return %9, %4 : tensor<f32>, tensor<2x2x8xf32>
  }
}
