// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x.
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> ()>
#map2 = affine_map<() -> ()>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, 0)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> ()>
module {
  func.func @main(%arg0: tensor<1x2x8x8xf32>) -> (tensor<f32>, tensor<1x2x4x4xf32>) {
    %c1_i64 = arith.constant 1 : i64
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %c0_i64 = arith.constant 0 : i64
    %c8_i64 = arith.constant 8 : i64
    %c9_i64 = arith.constant 9 : i64
    %cst_0 = arith.constant 4.000000e+00 : f32
    %cst_1 = arith.constant 6.400000e+01 : f32
    %cst_2 = arith.constant 3.000000e+00 : f32
    %0 = tensor.empty() : tensor<1x2x4x4xf32>
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
    %2 = tensor.empty() : tensor<2x2xf32>
    %3 = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%arg0, %2 : tensor<1x2x8x8xf32>, tensor<2x2xf32>) outs(%1 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.divf %in, %cst_0 : f32
      linalg.yield %30 : f32
    } -> tensor<1x2x4x4xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %30 : f32
    } -> tensor<1x2x4x4xf32>
    %6 = tensor.empty() : tensor<f32>
    %7 = linalg.fill ins(%cst : f32) outs(%6 : tensor<f32>) -> tensor<f32>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%5 : tensor<1x2x4x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %in, %out : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %padded = tensor.pad %arg0 low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
      tensor.yield %cst : f32
    } : tensor<1x2x8x8xf32> to tensor<1x2x10x10xf32>
    %9 = tensor.empty() : tensor<3x3xf32>
    %10 = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<2> : vector<2xi64>} ins(%padded, %9 : tensor<1x2x10x10xf32>, tensor<3x3xf32>) outs(%1 : tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = linalg.index 2 : index
      %31 = arith.index_cast %30 : index to i64
      %32 = arith.muli %31, %c2_i64 : i64
      %33 = arith.subi %32, %c1_i64 : i64
      %34 = arith.addi %32, %c2_i64 : i64
      %35 = arith.minsi %34, %c9_i64 : i64
      %36 = arith.minsi %35, %c8_i64 : i64
      %37 = arith.subi %c1_i64, %32 : i64
      %38 = arith.maxsi %37, %c0_i64 : i64
      %39 = arith.subi %36, %33 : i64
      %40 = arith.subi %39, %38 : i64
      %41 = arith.maxsi %40, %c0_i64 : i64
      %42 = linalg.index 3 : index
      %43 = arith.index_cast %42 : index to i64
      %44 = arith.muli %43, %c2_i64 : i64
      %45 = arith.subi %44, %c1_i64 : i64
      %46 = arith.addi %44, %c2_i64 : i64
      %47 = arith.minsi %46, %c9_i64 : i64
      %48 = arith.minsi %47, %c8_i64 : i64
      %49 = arith.subi %c1_i64, %44 : i64
      %50 = arith.maxsi %49, %c0_i64 : i64
      %51 = arith.subi %48, %45 : i64
      %52 = arith.subi %51, %50 : i64
      %53 = arith.maxsi %52, %c0_i64 : i64
      %54 = arith.muli %41, %53 : i64
      %55 = arith.sitofp %54 : i64 to f32
      %56 = arith.divf %in, %55 : f32
      linalg.yield %56 : f32
    } -> tensor<1x2x4x4xf32>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<1x2x4x4xf32>) outs(%0 : tensor<1x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %30 : f32
    } -> tensor<1x2x4x4xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%12 : tensor<1x2x4x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %in, %out : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %14 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = []} ins(%8, %13 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %30 = arith.addf %in, %in_5 : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %15 = tensor.empty() : tensor<1x2x1x1xf32>
    %16 = linalg.fill ins(%cst : f32) outs(%15 : tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32>
    %17 = linalg.generic {indexing_maps = [#map, #map3], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%arg0 : tensor<1x2x8x8xf32>) outs(%16 : tensor<1x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %in, %out : f32
      linalg.yield %30 : f32
    } -> tensor<1x2x1x1xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%17 : tensor<1x2x1x1xf32>) outs(%15 : tensor<1x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.divf %in, %cst_1 : f32
      linalg.yield %30 : f32
    } -> tensor<1x2x1x1xf32>
    %19 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%18 : tensor<1x2x1x1xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %in, %out : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %20 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = []} ins(%14, %19 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %30 = arith.addf %in, %in_5 : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2], [3]] : tensor<1x2x8x8xf32> into tensor<2x8x8xf32>
    %expanded = tensor.expand_shape %collapsed [[0], [1], [2, 3]] output_shape [2, 8, 1, 8] : tensor<2x8x8xf32> into tensor<2x8x1x8xf32>
    %padded_3 = tensor.pad %expanded low[0, 0, 0, 1] high[0, 0, 0, 1] {
    ^bb0(%arg1: index, %arg2: index, %arg3: index, %arg4: index):
      tensor.yield %cst : f32
    } : tensor<2x8x1x8xf32> to tensor<2x8x1x10xf32>
    %21 = tensor.empty() : tensor<2x8x1x4xf32>
    %22 = linalg.fill ins(%cst : f32) outs(%21 : tensor<2x8x1x4xf32>) -> tensor<2x8x1x4xf32>
    %23 = tensor.empty() : tensor<1x3xf32>
    %24 = linalg.pooling_nchw_sum {dilations = dense<1> : vector<2xi64>, strides = dense<[1, 2]> : vector<2xi64>} ins(%padded_3, %23 : tensor<2x8x1x10xf32>, tensor<1x3xf32>) outs(%22 : tensor<2x8x1x4xf32>) -> tensor<2x8x1x4xf32>
    %25 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24 : tensor<2x8x1x4xf32>) outs(%21 : tensor<2x8x1x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.divf %in, %cst_2 : f32
      linalg.yield %30 : f32
    } -> tensor<2x8x1x4xf32>
    %collapsed_4 = tensor.collapse_shape %25 [[0], [1, 2], [3]] : tensor<2x8x1x4xf32> into tensor<2x8x4xf32>
    %26 = tensor.empty() : tensor<2x8x4xf32>
    %27 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_4 : tensor<2x8x4xf32>) outs(%26 : tensor<2x8x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %30 : f32
    } -> tensor<2x8x4xf32>
    %28 = linalg.generic {indexing_maps = [#map4, #map5], iterator_types = ["reduction", "reduction", "reduction"]} ins(%27 : tensor<2x8x4xf32>) outs(%7 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %30 = arith.addf %in, %out : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    %29 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = []} ins(%20, %28 : tensor<f32>, tensor<f32>) outs(%6 : tensor<f32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %30 = arith.addf %in, %in_5 : f32
      linalg.yield %30 : f32
    } -> tensor<f32>
    return %29, %5 : tensor<f32>, tensor<1x2x4x4xf32>
  }
}
