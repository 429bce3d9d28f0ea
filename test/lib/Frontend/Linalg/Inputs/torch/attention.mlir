// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, wq, wk, wv, wo.
#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1) -> (0, d1)>
#map2 = affine_map<(d0, d1) -> (d0, 0)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> ()>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map8 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map9 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map10 = affine_map<(d0, d1, d2) -> ()>
#map11 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x4x16xf32>, %arg1: tensor<16x16xf32>, %arg2: tensor<16x16xf32>, %arg3: tensor<16x16xf32>, %arg4: tensor<16x16xf32>) -> (tensor<f32>, tensor<2x4x16xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %c1_i64 = arith.constant 1 : i64
    %c0_i64 = arith.constant 0 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_2 = arith.constant dense<0xFF800000> : tensor<4x4xf32>
    %cst_3 = arith.constant 2.8284271247461903 : f64
    %cst_4 = arith.constant 1.280000e+02 : f32
    %0 = tensor.empty() : tensor<16x16xf32>
    %transposed = linalg.transpose ins(%arg1 : tensor<16x16xf32>) outs(%0 : tensor<16x16xf32>) permutation = [1, 0] 
    %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
    %1 = tensor.empty() : tensor<8x16xf32>
    %2 = linalg.fill ins(%cst : f32) outs(%1 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %3 = linalg.matmul ins(%collapsed, %transposed : tensor<8x16xf32>, tensor<16x16xf32>) outs(%2 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded = tensor.expand_shape %3 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %4 = tensor.empty() : tensor<2x2x4x8xf32>
    %transposed_5 = linalg.transpose ins(%expanded : tensor<2x4x2x8xf32>) outs(%4 : tensor<2x2x4x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_6 = linalg.transpose ins(%arg2 : tensor<16x16xf32>) outs(%0 : tensor<16x16xf32>) permutation = [1, 0] 
    %5 = linalg.matmul ins(%collapsed, %transposed_6 : tensor<8x16xf32>, tensor<16x16xf32>) outs(%2 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_7 = tensor.expand_shape %5 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %transposed_8 = linalg.transpose ins(%arg3 : tensor<16x16xf32>) outs(%0 : tensor<16x16xf32>) permutation = [1, 0] 
    %6 = linalg.matmul ins(%collapsed, %transposed_8 : tensor<8x16xf32>, tensor<16x16xf32>) outs(%2 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_9 = tensor.expand_shape %6 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %transposed_10 = linalg.transpose ins(%expanded_9 : tensor<2x4x2x8xf32>) outs(%4 : tensor<2x2x4x8xf32>) permutation = [0, 2, 1, 3] 
    %7 = tensor.empty() : tensor<4xi64>
    %8 = linalg.generic {indexing_maps = [#map], iterator_types = ["parallel"]} outs(%7 : tensor<4xi64>) {
    ^bb0(%out: i64):
      %44 = linalg.index 0 : index
      %45 = arith.index_cast %44 : index to i64
      linalg.yield %45 : i64
    } -> tensor<4xi64>
    %expanded_11 = tensor.expand_shape %8 [[0, 1]] output_shape [1, 4] : tensor<4xi64> into tensor<1x4xi64>
    %expanded_12 = tensor.expand_shape %8 [[0, 1]] output_shape [4, 1] : tensor<4xi64> into tensor<4x1xi64>
    %9 = tensor.empty() : tensor<4x4xi64>
    %10 = linalg.generic {indexing_maps = [#map1, #map2, #map3], iterator_types = ["parallel", "parallel"]} ins(%expanded_11, %expanded_12 : tensor<1x4xi64>, tensor<4x1xi64>) outs(%9 : tensor<4x4xi64>) {
    ^bb0(%in: i64, %in_25: i64, %out: i64):
      %44 = arith.subi %in, %in_25 : i64
      linalg.yield %44 : i64
    } -> tensor<4x4xi64>
    %11 = tensor.empty() : tensor<4x4xi1>
    %12 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%10 : tensor<4x4xi64>) outs(%11 : tensor<4x4xi1>) {
    ^bb0(%in: i64, %out: i1):
      %44 = arith.cmpi sge, %in, %c1_i64 : i64
      linalg.yield %44 : i1
    } -> tensor<4x4xi1>
    %13 = tensor.empty() : tensor<4x4xf32>
    %14 = linalg.generic {indexing_maps = [#map3, #map3, #map4, #map3], iterator_types = ["parallel", "parallel"]} ins(%12, %cst_2, %cst_1 : tensor<4x4xi1>, tensor<4x4xf32>, tensor<f32>) outs(%13 : tensor<4x4xf32>) {
    ^bb0(%in: i1, %in_25: f32, %in_26: f32, %out: f32):
      %44 = arith.select %in, %in_25, %in_26 : f32
      linalg.yield %44 : f32
    } -> tensor<4x4xf32>
    %15 = tensor.empty() : tensor<2x2x8x4xf32>
    %transposed_13 = linalg.transpose ins(%expanded_7 : tensor<2x4x2x8xf32>) outs(%15 : tensor<2x2x8x4xf32>) permutation = [0, 2, 3, 1] 
    %collapsed_14 = tensor.collapse_shape %transposed_5 [[0, 1], [2], [3]] : tensor<2x2x4x8xf32> into tensor<4x4x8xf32>
    %collapsed_15 = tensor.collapse_shape %transposed_13 [[0, 1], [2], [3]] : tensor<2x2x8x4xf32> into tensor<4x8x4xf32>
    %16 = tensor.empty() : tensor<4x4x4xf32>
    %17 = linalg.fill ins(%cst : f32) outs(%16 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
    %18 = linalg.batch_matmul ins(%collapsed_14, %collapsed_15 : tensor<4x4x8xf32>, tensor<4x8x4xf32>) outs(%17 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
    %expanded_16 = tensor.expand_shape %18 [[0, 1], [2], [3]] output_shape [2, 2, 4, 4] : tensor<4x4x4xf32> into tensor<2x2x4x4xf32>
    %19 = tensor.empty() : tensor<2x2x4x4xf32>
    %20 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_16 : tensor<2x2x4x4xf32>) outs(%19 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = arith.truncf %cst_3 : f64 to f32
      %45 = arith.divf %in, %44 : f32
      linalg.yield %45 : f32
    } -> tensor<2x2x4x4xf32>
    %21 = linalg.generic {indexing_maps = [#map5, #map6, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%20, %14 : tensor<2x2x4x4xf32>, tensor<4x4xf32>) outs(%19 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_25: f32, %out: f32):
      %44 = arith.addf %in, %in_25 : f32
      linalg.yield %44 : f32
    } -> tensor<2x2x4x4xf32>
    %22 = tensor.empty() : tensor<2x2x4xi64>
    %23 = linalg.fill ins(%c0_i64 : i64) outs(%22 : tensor<2x2x4xi64>) -> tensor<2x2x4xi64>
    %24 = tensor.empty() : tensor<2x2x4xf32>
    %25 = linalg.fill ins(%cst_0 : f32) outs(%24 : tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
    %26:2 = linalg.generic {indexing_maps = [#map5, #map7, #map7], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%21 : tensor<2x2x4x4xf32>) outs(%25, %23 : tensor<2x2x4xf32>, tensor<2x2x4xi64>) {
    ^bb0(%in: f32, %out: f32, %out_25: i64):
      %44 = linalg.index 3 : index
      %45 = arith.index_cast %44 : index to i64
      %46 = arith.maximumf %in, %out : f32
      %47 = arith.cmpf ogt, %in, %out : f32
      %48 = arith.select %47, %45, %out_25 : i64
      linalg.yield %46, %48 : f32, i64
    } -> (tensor<2x2x4xf32>, tensor<2x2x4xi64>)
    %expanded_17 = tensor.expand_shape %26#0 [[0], [1], [2, 3]] output_shape [2, 2, 4, 1] : tensor<2x2x4xf32> into tensor<2x2x4x1xf32>
    %27 = linalg.generic {indexing_maps = [#map5, #map8, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%21, %expanded_17 : tensor<2x2x4x4xf32>, tensor<2x2x4x1xf32>) outs(%19 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_25: f32, %out: f32):
      %44 = arith.subf %in, %in_25 : f32
      linalg.yield %44 : f32
    } -> tensor<2x2x4x4xf32>
    %28 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%27 : tensor<2x2x4x4xf32>) outs(%19 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = math.exp %in : f32
      linalg.yield %44 : f32
    } -> tensor<2x2x4x4xf32>
    %29 = tensor.empty() : tensor<2x2x4x1xf32>
    %30 = linalg.fill ins(%cst : f32) outs(%29 : tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xf32>
    %31 = linalg.generic {indexing_maps = [#map5, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%28 : tensor<2x2x4x4xf32>) outs(%30 : tensor<2x2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = arith.addf %in, %out : f32
      linalg.yield %44 : f32
    } -> tensor<2x2x4x1xf32>
    %32 = linalg.generic {indexing_maps = [#map5, #map8, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%28, %31 : tensor<2x2x4x4xf32>, tensor<2x2x4x1xf32>) outs(%19 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_25: f32, %out: f32):
      %44 = arith.divf %in, %in_25 : f32
      linalg.yield %44 : f32
    } -> tensor<2x2x4x4xf32>
    %collapsed_18 = tensor.collapse_shape %32 [[0, 1], [2], [3]] : tensor<2x2x4x4xf32> into tensor<4x4x4xf32>
    %collapsed_19 = tensor.collapse_shape %transposed_10 [[0, 1], [2], [3]] : tensor<2x2x4x8xf32> into tensor<4x4x8xf32>
    %33 = tensor.empty() : tensor<4x4x8xf32>
    %34 = linalg.fill ins(%cst : f32) outs(%33 : tensor<4x4x8xf32>) -> tensor<4x4x8xf32>
    %35 = linalg.batch_matmul ins(%collapsed_18, %collapsed_19 : tensor<4x4x4xf32>, tensor<4x4x8xf32>) outs(%34 : tensor<4x4x8xf32>) -> tensor<4x4x8xf32>
    %expanded_20 = tensor.expand_shape %35 [[0, 1], [2], [3]] output_shape [2, 2, 4, 8] : tensor<4x4x8xf32> into tensor<2x2x4x8xf32>
    %36 = tensor.empty() : tensor<2x4x2x8xf32>
    %transposed_21 = linalg.transpose ins(%expanded_20 : tensor<2x2x4x8xf32>) outs(%36 : tensor<2x4x2x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_22 = linalg.transpose ins(%arg4 : tensor<16x16xf32>) outs(%0 : tensor<16x16xf32>) permutation = [1, 0] 
    %collapsed_23 = tensor.collapse_shape %transposed_21 [[0, 1], [2, 3]] : tensor<2x4x2x8xf32> into tensor<8x16xf32>
    %37 = linalg.matmul ins(%collapsed_23, %transposed_22 : tensor<8x16xf32>, tensor<16x16xf32>) outs(%2 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_24 = tensor.expand_shape %37 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
    %38 = tensor.empty() : tensor<2x4x16xf32>
    %39 = linalg.generic {indexing_maps = [#map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_24 : tensor<2x4x16xf32>) outs(%38 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %44 : f32
    } -> tensor<2x4x16xf32>
    %40 = tensor.empty() : tensor<f32>
    %41 = linalg.fill ins(%cst : f32) outs(%40 : tensor<f32>) -> tensor<f32>
    %42 = linalg.generic {indexing_maps = [#map9, #map10], iterator_types = ["reduction", "reduction", "reduction"]} ins(%39 : tensor<2x4x16xf32>) outs(%41 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = arith.addf %in, %out : f32
      linalg.yield %44 : f32
    } -> tensor<f32>
    %43 = linalg.generic {indexing_maps = [#map11, #map11], iterator_types = []} ins(%42 : tensor<f32>) outs(%40 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %44 = arith.divf %in, %cst_4 : f32
      linalg.yield %44 : f32
    } -> tensor<f32>
    return %43, %expanded_24 : tensor<f32>, tensor<2x4x16xf32>
  }
}
