// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, norm, bias, up, up_bias, gate, down, scale.
#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d0, 0)>
#map2 = affine_map<(d0, d1) -> (d1)>
#map3 = affine_map<(d0, d1) -> ()>
#map4 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<4x16xf32>, %arg1: tensor<16xf32>, %arg2: tensor<16xf32>, %arg3: tensor<32x16xf32>, %arg4: tensor<32xf32>, %arg5: tensor<32x16xf32>, %arg6: tensor<8x32xf32>, %arg7: tensor<8xf32>) -> (tensor<f32>, tensor<4x8xf32>) {
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f64
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant 1.000000e+00 : f32
    %cst_2 = arith.constant 5.000000e-01 : f32
    %cst_3 = arith.constant 9.9999999999999995E-7 : f64
    %cst_4 = arith.constant 1.000000e-05 : f64
    %cst_5 = arith.constant 1.600000e+01 : f64
    %cst_6 = arith.constant 1.600000e+01 : f32
    %cst_7 = arith.constant 1.41421354 : f32
    %cst_8 = arith.constant 8.000000e+00 : f32
    %cst_9 = arith.constant 3.200000e+01 : f32
    %0 = tensor.empty() : tensor<4x16xf64>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<4x16xf32>) outs(%0 : tensor<4x16xf64>) {
    ^bb0(%in: f32, %out: f64):
      %48 = arith.extf %in : f32 to f64
      linalg.yield %48 : f64
    } -> tensor<4x16xf64>
    %2 = tensor.empty() : tensor<4x1xf64>
    %3 = linalg.fill ins(%cst : f64) outs(%2 : tensor<4x1xf64>) -> tensor<4x1xf64>
    %4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%1 : tensor<4x16xf64>) outs(%3 : tensor<4x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %48 = arith.addf %in, %out : f64
      linalg.yield %48 : f64
    } -> tensor<4x1xf64>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%4 : tensor<4x1xf64>) outs(%2 : tensor<4x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %48 = arith.divf %in, %cst_5 : f64
      linalg.yield %48 : f64
    } -> tensor<4x1xf64>
    %6 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%1, %5 : tensor<4x16xf64>, tensor<4x1xf64>) outs(%0 : tensor<4x16xf64>) {
    ^bb0(%in: f64, %in_12: f64, %out: f64):
      %48 = arith.subf %in, %in_12 : f64
      linalg.yield %48 : f64
    } -> tensor<4x16xf64>
    %7 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%6, %6 : tensor<4x16xf64>, tensor<4x16xf64>) outs(%0 : tensor<4x16xf64>) {
    ^bb0(%in: f64, %in_12: f64, %out: f64):
      %48 = arith.mulf %in, %in_12 : f64
      linalg.yield %48 : f64
    } -> tensor<4x16xf64>
    %8 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%7 : tensor<4x16xf64>) outs(%3 : tensor<4x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %48 = arith.addf %in, %out : f64
      linalg.yield %48 : f64
    } -> tensor<4x1xf64>
    %9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%8 : tensor<4x1xf64>) outs(%2 : tensor<4x1xf64>) {
    ^bb0(%in: f64, %out: f64):
      %48 = arith.divf %in, %cst_5 : f64
      linalg.yield %48 : f64
    } -> tensor<4x1xf64>
    %10 = tensor.empty() : tensor<4x1xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%9 : tensor<4x1xf64>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f64, %out: f32):
      %48 = arith.truncf %in : f64 to f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %12 = linalg.fill ins(%cst_0 : f32) outs(%10 : tensor<4x1xf32>) -> tensor<4x1xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%arg0 : tensor<4x16xf32>) outs(%12 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.addf %in, %out : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%13 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.divf %in, %cst_6 : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %15 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%11 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.truncf %cst_4 : f64 to f32
      %49 = arith.addf %in, %48 : f32
      linalg.yield %49 : f32
    } -> tensor<4x1xf32>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%15 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = math.rsqrt %in : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %17 = tensor.empty() : tensor<4x16xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0, %14 : tensor<4x16xf32>, tensor<4x1xf32>) outs(%17 : tensor<4x16xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.subf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x16xf32>
    %19 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%18, %16 : tensor<4x16xf32>, tensor<4x1xf32>) outs(%17 : tensor<4x16xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x16xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel"]} ins(%19, %arg1 : tensor<4x16xf32>, tensor<16xf32>) outs(%17 : tensor<4x16xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x16xf32>
    %21 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel"]} ins(%20, %arg2 : tensor<4x16xf32>, tensor<16xf32>) outs(%17 : tensor<4x16xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.addf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x16xf32>
    %22 = tensor.empty() : tensor<16x32xf32>
    %transposed = linalg.transpose ins(%arg3 : tensor<32x16xf32>) outs(%22 : tensor<16x32xf32>) permutation = [1, 0] 
    %23 = tensor.empty() : tensor<4x32xf32>
    %24 = linalg.fill ins(%cst_0 : f32) outs(%23 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %25 = linalg.matmul ins(%21, %transposed : tensor<4x16xf32>, tensor<16x32xf32>) outs(%24 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %26 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel"]} ins(%25, %arg4 : tensor<4x32xf32>, tensor<32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.addf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x32xf32>
    %27 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%26 : tensor<4x32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.divf %in, %cst_7 : f32
      %49 = math.erf %48 : f32
      %50 = arith.addf %49, %cst_1 : f32
      %51 = arith.mulf %50, %cst_2 : f32
      %52 = arith.mulf %in, %51 : f32
      linalg.yield %52 : f32
    } -> tensor<4x32xf32>
    %transposed_10 = linalg.transpose ins(%arg5 : tensor<32x16xf32>) outs(%22 : tensor<16x32xf32>) permutation = [1, 0] 
    %28 = linalg.matmul ins(%21, %transposed_10 : tensor<4x16xf32>, tensor<16x32xf32>) outs(%24 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %29 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%28 : tensor<4x32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.negf %in : f32
      %49 = math.exp %48 : f32
      %50 = arith.addf %49, %cst_1 : f32
      %51 = arith.divf %cst_1, %50 : f32
      linalg.yield %51 : f32
    } -> tensor<4x32xf32>
    %30 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%28, %29 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x32xf32>
    %31 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%27, %30 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x32xf32>
    %32 = tensor.empty() : tensor<32x8xf32>
    %transposed_11 = linalg.transpose ins(%arg6 : tensor<8x32xf32>) outs(%32 : tensor<32x8xf32>) permutation = [1, 0] 
    %33 = tensor.empty() : tensor<4x8xf32>
    %34 = linalg.fill ins(%cst_0 : f32) outs(%33 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %35 = linalg.matmul ins(%31, %transposed_11 : tensor<4x32xf32>, tensor<32x8xf32>) outs(%34 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %36 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%35, %35 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%33 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x8xf32>
    %37 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%36 : tensor<4x8xf32>) outs(%12 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.addf %in, %out : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %38 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%37 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.divf %in, %cst_8 : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %39 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%38 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.truncf %cst_3 : f64 to f32
      %49 = arith.addf %in, %48 : f32
      linalg.yield %49 : f32
    } -> tensor<4x1xf32>
    %40 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%39 : tensor<4x1xf32>) outs(%10 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = math.rsqrt %in : f32
      linalg.yield %48 : f32
    } -> tensor<4x1xf32>
    %41 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%35, %40 : tensor<4x8xf32>, tensor<4x1xf32>) outs(%33 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x8xf32>
    %42 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel"]} ins(%41, %arg7 : tensor<4x8xf32>, tensor<8xf32>) outs(%33 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_12: f32, %out: f32):
      %48 = arith.mulf %in, %in_12 : f32
      linalg.yield %48 : f32
    } -> tensor<4x8xf32>
    %43 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%42 : tensor<4x8xf32>) outs(%33 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %48 : f32
    } -> tensor<4x8xf32>
    %44 = tensor.empty() : tensor<f32>
    %45 = linalg.fill ins(%cst_0 : f32) outs(%44 : tensor<f32>) -> tensor<f32>
    %46 = linalg.generic {indexing_maps = [#map, #map3], iterator_types = ["reduction", "reduction"]} ins(%43 : tensor<4x8xf32>) outs(%45 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.addf %in, %out : f32
      linalg.yield %48 : f32
    } -> tensor<f32>
    %47 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = []} ins(%46 : tensor<f32>) outs(%44 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %48 = arith.divf %in, %cst_9 : f32
      linalg.yield %48 : f32
    } -> tensor<f32>
    return %47, %42 : tensor<f32>, tensor<4x8xf32>
  }
}
