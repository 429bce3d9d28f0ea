// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, mean, variance, weight, bias.
#map = affine_map<(d0) -> (d0)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d1, 0, 0)>
#map3 = affine_map<(d0, d1, d2, d3) -> (0, d1, 0, 0)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, 0)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, 0, d3)>
#map6 = affine_map<(d0, d1, d2, d3) -> (0, d1, d2, d3)>
#map7 = affine_map<(d0, d1) -> (d0, d1)>
#map8 = affine_map<(d0, d1, d2, d3) -> ()>
#map9 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x4x4x4xf32>, %arg1: tensor<4xf32>, %arg2: tensor<4xf32>, %arg3: tensor<4xf32>, %arg4: tensor<4xf32>) -> (tensor<f32>, tensor<2x4x4x4xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %c1_i64 = arith.constant 1 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 1.000000e+00 : f32
    %cst_1 = arith.constant 0.000000e+00 : f64
    %c0_i64 = arith.constant 0 : i64
    %cst_2 = arith.constant 1.000000e-05 : f64
    %cst_3 = arith.constant 3.200000e+01 : f64
    %cst_4 = arith.constant 3.200000e+01 : f32
    %cst_5 = arith.constant 1.280000e+02 : f32
    %cst_6 = arith.constant dense_resource<torch_tensor_2_4_torch.int64> : tensor<2x4xi64>
    %cst_7 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_1> : tensor<2x4xi64>
    %cst_8 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_2> : tensor<2x4xi64>
    %cst_9 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_3> : tensor<2x4xi64>
    %cst_10 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_4> : tensor<2x4xi64>
    %cst_11 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_5> : tensor<2x4xi64>
    %cst_12 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_6> : tensor<2x4xi64>
    %cst_13 = arith.constant dense_resource<torch_tensor_2_4_torch.int64_7> : tensor<2x4xi64>
    %0 = tensor.empty() : tensor<4xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%arg2 : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.truncf %cst_2 : f64 to f32
      %64 = arith.addf %in, %63 : f32
      linalg.yield %64 : f32
    } -> tensor<4xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%1 : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = math.sqrt %in : f32
      linalg.yield %63 : f32
    } -> tensor<4xf32>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%2 : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.cmpf one, %in, %cst : f32
      cf.assert %63, "unimplemented: tensor with zero element"
      %64 = arith.divf %cst_0, %in : f32
      linalg.yield %64 : f32
    } -> tensor<4xf32>
    %expanded = tensor.expand_shape %arg1 [[0, 1, 2]] output_shape [4, 1, 1] : tensor<4xf32> into tensor<4x1x1xf32>
    %expanded_14 = tensor.expand_shape %3 [[0, 1, 2]] output_shape [4, 1, 1] : tensor<4xf32> into tensor<4x1x1xf32>
    %4 = tensor.empty() : tensor<2x4x4x4xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0, %expanded : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.subf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5, %expanded_14 : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %expanded_15 = tensor.expand_shape %arg3 [[0, 1, 2]] output_shape [4, 1, 1] : tensor<4xf32> into tensor<4x1x1xf32>
    %7 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %expanded_15 : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %expanded_16 = tensor.expand_shape %arg4 [[0, 1, 2]] output_shape [4, 1, 1] : tensor<4xf32> into tensor<4x1x1xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7, %expanded_16 : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.addf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %9 = tensor.empty() : tensor<2x4x4x4xf64>
    %10 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x4x4x4xf32>) outs(%9 : tensor<2x4x4x4xf64>) {
    ^bb0(%in: f32, %out: f64):
      %63 = arith.extf %in : f32 to f64
      linalg.yield %63 : f64
    } -> tensor<2x4x4x4xf64>
    %11 = tensor.empty() : tensor<1x4x1x1xf64>
    %12 = linalg.fill ins(%cst_1 : f64) outs(%11 : tensor<1x4x1x1xf64>) -> tensor<1x4x1x1xf64>
    %13 = linalg.generic {indexing_maps = [#map1, #map3], iterator_types = ["reduction", "parallel", "reduction", "reduction"]} ins(%10 : tensor<2x4x4x4xf64>) outs(%12 : tensor<1x4x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.addf %in, %out : f64
      linalg.yield %63 : f64
    } -> tensor<1x4x1x1xf64>
    %14 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%13 : tensor<1x4x1x1xf64>) outs(%11 : tensor<1x4x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.divf %in, %cst_3 : f64
      linalg.yield %63 : f64
    } -> tensor<1x4x1x1xf64>
    %15 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10, %14 : tensor<2x4x4x4xf64>, tensor<1x4x1x1xf64>) outs(%9 : tensor<2x4x4x4xf64>) {
    ^bb0(%in: f64, %in_22: f64, %out: f64):
      %63 = arith.subf %in, %in_22 : f64
      linalg.yield %63 : f64
    } -> tensor<2x4x4x4xf64>
    %16 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%15, %15 : tensor<2x4x4x4xf64>, tensor<2x4x4x4xf64>) outs(%9 : tensor<2x4x4x4xf64>) {
    ^bb0(%in: f64, %in_22: f64, %out: f64):
      %63 = arith.mulf %in, %in_22 : f64
      linalg.yield %63 : f64
    } -> tensor<2x4x4x4xf64>
    %17 = linalg.generic {indexing_maps = [#map1, #map3], iterator_types = ["reduction", "parallel", "reduction", "reduction"]} ins(%16 : tensor<2x4x4x4xf64>) outs(%12 : tensor<1x4x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.addf %in, %out : f64
      linalg.yield %63 : f64
    } -> tensor<1x4x1x1xf64>
    %18 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%17 : tensor<1x4x1x1xf64>) outs(%11 : tensor<1x4x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.divf %in, %cst_3 : f64
      linalg.yield %63 : f64
    } -> tensor<1x4x1x1xf64>
    %19 = tensor.empty() : tensor<1x4x1x1xf32>
    %20 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%18 : tensor<1x4x1x1xf64>) outs(%19 : tensor<1x4x1x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %63 = arith.truncf %in : f64 to f32
      linalg.yield %63 : f32
    } -> tensor<1x4x1x1xf32>
    %21 = linalg.fill ins(%cst : f32) outs(%19 : tensor<1x4x1x1xf32>) -> tensor<1x4x1x1xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map3], iterator_types = ["reduction", "parallel", "reduction", "reduction"]} ins(%arg0 : tensor<2x4x4x4xf32>) outs(%21 : tensor<1x4x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.addf %in, %out : f32
      linalg.yield %63 : f32
    } -> tensor<1x4x1x1xf32>
    %23 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<1x4x1x1xf32>) outs(%19 : tensor<1x4x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.divf %in, %cst_4 : f32
      linalg.yield %63 : f32
    } -> tensor<1x4x1x1xf32>
    %24 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%20 : tensor<1x4x1x1xf32>) outs(%19 : tensor<1x4x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.truncf %cst_2 : f64 to f32
      %64 = arith.addf %in, %63 : f32
      linalg.yield %64 : f32
    } -> tensor<1x4x1x1xf32>
    %25 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24 : tensor<1x4x1x1xf32>) outs(%19 : tensor<1x4x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = math.rsqrt %in : f32
      linalg.yield %63 : f32
    } -> tensor<1x4x1x1xf32>
    %26 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0, %23 : tensor<2x4x4x4xf32>, tensor<1x4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.subf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %27 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%26, %25 : tensor<2x4x4x4xf32>, tensor<1x4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %28 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%27, %expanded_15 : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %29 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%28, %expanded_16 : tensor<2x4x4x4xf32>, tensor<4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.addf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %30 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8, %29 : tensor<2x4x4x4xf32>, tensor<2x4x4x4xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.addf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %collapsed = tensor.collapse_shape %30 [[0], [1], [2, 3]] : tensor<2x4x4x4xf32> into tensor<2x4x16xf32>
    %expanded_17 = tensor.expand_shape %collapsed [[0], [1, 2], [3]] output_shape [2, 2, 2, 16] : tensor<2x4x16xf32> into tensor<2x2x2x16xf32>
    %31 = tensor.empty() : tensor<2x2x2x16xf64>
    %32 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_17 : tensor<2x2x2x16xf32>) outs(%31 : tensor<2x2x2x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %63 = arith.extf %in : f32 to f64
      linalg.yield %63 : f64
    } -> tensor<2x2x2x16xf64>
    %33 = tensor.empty() : tensor<2x2x1x1xf64>
    %34 = linalg.fill ins(%cst_1 : f64) outs(%33 : tensor<2x2x1x1xf64>) -> tensor<2x2x1x1xf64>
    %35 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%32 : tensor<2x2x2x16xf64>) outs(%34 : tensor<2x2x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.addf %in, %out : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x1x1xf64>
    %36 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%35 : tensor<2x2x1x1xf64>) outs(%33 : tensor<2x2x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.divf %in, %cst_3 : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x1x1xf64>
    %37 = linalg.generic {indexing_maps = [#map1, #map4, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32, %36 : tensor<2x2x2x16xf64>, tensor<2x2x1x1xf64>) outs(%31 : tensor<2x2x2x16xf64>) {
    ^bb0(%in: f64, %in_22: f64, %out: f64):
      %63 = arith.subf %in, %in_22 : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x2x16xf64>
    %38 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%37, %37 : tensor<2x2x2x16xf64>, tensor<2x2x2x16xf64>) outs(%31 : tensor<2x2x2x16xf64>) {
    ^bb0(%in: f64, %in_22: f64, %out: f64):
      %63 = arith.mulf %in, %in_22 : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x2x16xf64>
    %39 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%38 : tensor<2x2x2x16xf64>) outs(%34 : tensor<2x2x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.addf %in, %out : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x1x1xf64>
    %40 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%39 : tensor<2x2x1x1xf64>) outs(%33 : tensor<2x2x1x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %63 = arith.divf %in, %cst_3 : f64
      linalg.yield %63 : f64
    } -> tensor<2x2x1x1xf64>
    %41 = tensor.empty() : tensor<2x2x1x1xf32>
    %42 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%40 : tensor<2x2x1x1xf64>) outs(%41 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %63 = arith.truncf %in : f64 to f32
      linalg.yield %63 : f32
    } -> tensor<2x2x1x1xf32>
    %43 = linalg.fill ins(%cst : f32) outs(%41 : tensor<2x2x1x1xf32>) -> tensor<2x2x1x1xf32>
    %44 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%expanded_17 : tensor<2x2x2x16xf32>) outs(%43 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.addf %in, %out : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x1x1xf32>
    %45 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%44 : tensor<2x2x1x1xf32>) outs(%41 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.divf %in, %cst_4 : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x1x1xf32>
    %46 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%42 : tensor<2x2x1x1xf32>) outs(%41 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.truncf %cst_2 : f64 to f32
      %64 = arith.addf %in, %63 : f32
      linalg.yield %64 : f32
    } -> tensor<2x2x1x1xf32>
    %47 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%46 : tensor<2x2x1x1xf32>) outs(%41 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = math.rsqrt %in : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x1x1xf32>
    %expanded_18 = tensor.expand_shape %arg3 [[0, 1, 2, 3]] output_shape [1, 2, 2, 1] : tensor<4xf32> into tensor<1x2x2x1xf32>
    %48 = tensor.empty() : tensor<2x2x2x1xf32>
    %49 = linalg.generic {indexing_maps = [#map5, #map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%47, %expanded_18 : tensor<2x2x1x1xf32>, tensor<1x2x2x1xf32>) outs(%48 : tensor<2x2x2x1xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x2x1xf32>
    %50 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%45 : tensor<2x2x1x1xf32>) outs(%41 : tensor<2x2x1x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.negf %in : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x1x1xf32>
    %51 = linalg.generic {indexing_maps = [#map5, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50, %49 : tensor<2x2x1x1xf32>, tensor<2x2x2x1xf32>) outs(%48 : tensor<2x2x2x1xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x2x1xf32>
    %expanded_19 = tensor.expand_shape %arg4 [[0, 1, 2, 3]] output_shape [1, 2, 2, 1] : tensor<4xf32> into tensor<1x2x2x1xf32>
    %52 = linalg.generic {indexing_maps = [#map1, #map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%51, %expanded_19 : tensor<2x2x2x1xf32>, tensor<1x2x2x1xf32>) outs(%48 : tensor<2x2x2x1xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.addf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x2x2x1xf32>
    %53 = tensor.empty() : tensor<2x4xf32>
    %54 = linalg.generic {indexing_maps = [#map7, #map7, #map7, #map7, #map7], iterator_types = ["parallel", "parallel"]} ins(%cst_6, %cst_7, %cst_8, %cst_9 : tensor<2x4xi64>, tensor<2x4xi64>, tensor<2x4xi64>, tensor<2x4xi64>) outs(%53 : tensor<2x4xf32>) {
    ^bb0(%in: i64, %in_22: i64, %in_23: i64, %in_24: i64, %out: f32):
      %63 = arith.cmpi slt, %in, %c0_i64 : i64
      %64 = arith.addi %in, %c2_i64 : i64
      %65 = arith.select %63, %64, %in : i64
      %66 = arith.index_cast %65 : i64 to index
      %67 = arith.cmpi slt, %in_22, %c0_i64 : i64
      %68 = arith.addi %in_22, %c2_i64 : i64
      %69 = arith.select %67, %68, %in_22 : i64
      %70 = arith.index_cast %69 : i64 to index
      %71 = arith.cmpi slt, %in_23, %c0_i64 : i64
      %72 = arith.addi %in_23, %c2_i64 : i64
      %73 = arith.select %71, %72, %in_23 : i64
      %74 = arith.index_cast %73 : i64 to index
      %75 = arith.cmpi slt, %in_24, %c0_i64 : i64
      %76 = arith.addi %in_24, %c1_i64 : i64
      %77 = arith.select %75, %76, %in_24 : i64
      %78 = arith.index_cast %77 : i64 to index
      %extracted = tensor.extract %49[%66, %70, %74, %78] : tensor<2x2x2x1xf32>
      linalg.yield %extracted : f32
    } -> tensor<2x4xf32>
    %55 = linalg.generic {indexing_maps = [#map7, #map7, #map7, #map7, #map7], iterator_types = ["parallel", "parallel"]} ins(%cst_10, %cst_11, %cst_12, %cst_13 : tensor<2x4xi64>, tensor<2x4xi64>, tensor<2x4xi64>, tensor<2x4xi64>) outs(%53 : tensor<2x4xf32>) {
    ^bb0(%in: i64, %in_22: i64, %in_23: i64, %in_24: i64, %out: f32):
      %63 = arith.cmpi slt, %in, %c0_i64 : i64
      %64 = arith.addi %in, %c2_i64 : i64
      %65 = arith.select %63, %64, %in : i64
      %66 = arith.index_cast %65 : i64 to index
      %67 = arith.cmpi slt, %in_22, %c0_i64 : i64
      %68 = arith.addi %in_22, %c2_i64 : i64
      %69 = arith.select %67, %68, %in_22 : i64
      %70 = arith.index_cast %69 : i64 to index
      %71 = arith.cmpi slt, %in_23, %c0_i64 : i64
      %72 = arith.addi %in_23, %c2_i64 : i64
      %73 = arith.select %71, %72, %in_23 : i64
      %74 = arith.index_cast %73 : i64 to index
      %75 = arith.cmpi slt, %in_24, %c0_i64 : i64
      %76 = arith.addi %in_24, %c1_i64 : i64
      %77 = arith.select %75, %76, %in_24 : i64
      %78 = arith.index_cast %77 : i64 to index
      %extracted = tensor.extract %52[%66, %70, %74, %78] : tensor<2x2x2x1xf32>
      linalg.yield %extracted : f32
    } -> tensor<2x4xf32>
    %expanded_20 = tensor.expand_shape %54 [[0], [1, 2, 3]] output_shape [2, 4, 1, 1] : tensor<2x4xf32> into tensor<2x4x1x1xf32>
    %expanded_21 = tensor.expand_shape %55 [[0], [1, 2, 3]] output_shape [2, 4, 1, 1] : tensor<2x4xf32> into tensor<2x4x1x1xf32>
    %56 = linalg.generic {indexing_maps = [#map1, #map4, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%30, %expanded_20 : tensor<2x4x4x4xf32>, tensor<2x4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.mulf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %57 = linalg.generic {indexing_maps = [#map1, #map4, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%56, %expanded_21 : tensor<2x4x4x4xf32>, tensor<2x4x1x1xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %in_22: f32, %out: f32):
      %63 = arith.addf %in, %in_22 : f32
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %58 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%57 : tensor<2x4x4x4xf32>) outs(%4 : tensor<2x4x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %63 : f32
    } -> tensor<2x4x4x4xf32>
    %59 = tensor.empty() : tensor<f32>
    %60 = linalg.fill ins(%cst : f32) outs(%59 : tensor<f32>) -> tensor<f32>
    %61 = linalg.generic {indexing_maps = [#map1, #map8], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%58 : tensor<2x4x4x4xf32>) outs(%60 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.addf %in, %out : f32
      linalg.yield %63 : f32
    } -> tensor<f32>
    %62 = linalg.generic {indexing_maps = [#map9, #map9], iterator_types = []} ins(%61 : tensor<f32>) outs(%59 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %63 = arith.divf %in, %cst_5 : f32
      linalg.yield %63 : f32
    } -> tensor<f32>
    return %62, %57 : tensor<f32>, tensor<2x4x4x4xf32>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_2_4_torch.int64: "0x0800000000000000000000000000000000000000000000000000000000000000000000000100000000000000010000000000000001000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_1: "0x0800000000000000000000000000000000000000010000000000000001000000000000000000000000000000000000000000000001000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_2: "0x0800000000000000000000000100000000000000000000000000000001000000000000000000000000000000010000000000000000000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_3: "0x0800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
      torch_tensor_2_4_torch.int64_4: "0x0800000000000000000000000000000000000000000000000000000000000000000000000100000000000000010000000000000001000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_5: "0x0800000000000000000000000000000000000000010000000000000001000000000000000000000000000000000000000000000001000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_6: "0x0800000000000000000000000100000000000000000000000000000001000000000000000000000000000000010000000000000000000000000000000100000000000000",
      torch_tensor_2_4_torch.int64_7: "0x0800000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    }
  }
#-}
