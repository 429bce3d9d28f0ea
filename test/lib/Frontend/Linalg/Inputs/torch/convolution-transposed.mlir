// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, w.
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x4x4x4xf32>, %arg1: tensor<4x3x3x3xf32>) -> (tensor<f32>, tensor<2x3x7x7xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %c2 = arith.constant 2 : index
    %cst_0 = arith.constant 2.940000e+02 : f32
    %0 = tensor.empty() : tensor<3x4x3x3xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<3x4x3x3xf32>) -> tensor<3x4x3x3xf32>
    %2 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%1 : tensor<3x4x3x3xf32>) {
    ^bb0(%out: f32):
      %13 = linalg.index 0 : index
      %14 = linalg.index 1 : index
      %15 = linalg.index 2 : index
      %16 = linalg.index 3 : index
      %17 = arith.subi %c2, %15 : index
      %18 = arith.subi %c2, %16 : index
      %extracted = tensor.extract %arg1[%14, %13, %17, %18] : tensor<4x3x3x3xf32>
      linalg.yield %extracted : f32
    } -> tensor<3x4x3x3xf32>
    %3 = tensor.empty() : tensor<2x4x9x9xf32>
    %4 = linalg.fill ins(%cst : f32) outs(%3 : tensor<2x4x9x9xf32>) -> tensor<2x4x9x9xf32>
    %inserted_slice = tensor.insert_slice %arg0 into %4[0, 0, 1, 1] [2, 4, 4, 4] [1, 1, 2, 2] : tensor<2x4x4x4xf32> into tensor<2x4x9x9xf32>
    %5 = tensor.empty() : tensor<2x3x7x7xf32>
    %6 = linalg.fill ins(%cst : f32) outs(%5 : tensor<2x3x7x7xf32>) -> tensor<2x3x7x7xf32>
    %7 = linalg.conv_2d_nchw_fchw {dilations = dense<1> : vector<2xi64>, strides = dense<1> : vector<2xi64>} ins(%inserted_slice, %2 : tensor<2x4x9x9xf32>, tensor<3x4x3x3xf32>) outs(%6 : tensor<2x3x7x7xf32>) -> tensor<2x3x7x7xf32>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<2x3x7x7xf32>) outs(%5 : tensor<2x3x7x7xf32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %13 : f32
    } -> tensor<2x3x7x7xf32>
    %9 = tensor.empty() : tensor<f32>
    %10 = linalg.fill ins(%cst : f32) outs(%9 : tensor<f32>) -> tensor<f32>
    %11 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%8 : tensor<2x3x7x7xf32>) outs(%10 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = arith.addf %in, %out : f32
      linalg.yield %13 : f32
    } -> tensor<f32>
    %12 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = []} ins(%11 : tensor<f32>) outs(%9 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %13 = arith.divf %in, %cst_0 : f32
      linalg.yield %13 : f32
    } -> tensor<f32>
    return %12, %7 : tensor<f32>, tensor<2x3x7x7xf32>
  }
}
