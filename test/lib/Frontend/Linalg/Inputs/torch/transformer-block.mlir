// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: tokens, targets, table, norm1, wq, wk, wv, wo, norm2, gate, up, down, head.
#map = affine_map<(d0, d1, d2) -> (d0, d1)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map3 = affine_map<(d0, d1, d2) -> (d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0) -> (d0)>
#map6 = affine_map<(d0, d1) -> (0, d1)>
#map7 = affine_map<(d0, d1) -> (d0, 0)>
#map8 = affine_map<(d0, d1) -> (d0, d1)>
#map9 = affine_map<(d0, d1) -> ()>
#map10 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
#map11 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map12 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map13 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map14 = affine_map<(d0, d1) -> (d0)>
#map15 = affine_map<(d0) -> ()>
#map16 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<2x4xi64>, %arg1: tensor<2x4xi64>, %arg2: tensor<10x16xf32>, %arg3: tensor<16xf32>, %arg4: tensor<16x16xf32>, %arg5: tensor<16x16xf32>, %arg6: tensor<16x16xf32>, %arg7: tensor<16x16xf32>, %arg8: tensor<16xf32>, %arg9: tensor<32x16xf32>, %arg10: tensor<32x16xf32>, %arg11: tensor<16x32xf32>, %arg12: tensor<10x16xf32>) -> (tensor<f32>, tensor<2x4x10xf32>) {
    %c-100_i64 = arith.constant -100 : i64
    %c0_i64 = arith.constant 0 : i64
    %c10 = arith.constant 10 : index
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0xFF800000 : f32
    %true = arith.constant true
    %cst_1 = arith.constant 1.000000e+00 : f32
    %cst_2 = arith.constant dense<0.000000e+00> : tensor<2x2x4x4xf32>
    %cst_3 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_4 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_5 = arith.constant dense<true> : tensor<4x4xi1>
    %cst_6 = arith.constant 0xFFF0000000000000 : f64
    %cst_7 = arith.constant 0.59460355750136051 : f64
    %cst_8 = arith.constant 9.9999999999999995E-7 : f64
    %cst_9 = arith.constant 1.600000e+01 : f32
    %cst_10 = arith.constant dense<0> : tensor<i64>
    %0 = tensor.empty() : tensor<2x4x16xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x4xi64>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: i64, %out: f32):
      %110 = arith.index_cast %in : i64 to index
      %111 = linalg.index 2 : index
      %112 = arith.cmpi slt, %110, %c10 : index
      cf.assert %112, "index must be smaller than dim size"
      %113 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %113, "index must be larger or equal to 0"
      %extracted = tensor.extract %arg2[%110, %111] : tensor<10x16xf32>
      linalg.yield %extracted : f32
    } -> tensor<2x4x16xf32>
    %2 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %1 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %3 = tensor.empty() : tensor<2x4x1xf32>
    %4 = linalg.fill ins(%cst : f32) outs(%3 : tensor<2x4x1xf32>) -> tensor<2x4x1xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%2 : tensor<2x4x16xf32>) outs(%4 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.addf %in, %out : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.divf %in, %cst_9 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.truncf %cst_8 : f64 to f32
      %111 = arith.addf %in, %110 : f32
      linalg.yield %111 : f32
    } -> tensor<2x4x1xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%7 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = math.rsqrt %in : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %9 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %8 : tensor<2x4x16xf32>, tensor<2x4x1xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %10 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%9, %arg3 : tensor<2x4x16xf32>, tensor<16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %11 = tensor.empty() : tensor<16x16xf32>
    %transposed = linalg.transpose ins(%arg4 : tensor<16x16xf32>) outs(%11 : tensor<16x16xf32>) permutation = [1, 0] 
    %collapsed = tensor.collapse_shape %10 [[0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
    %12 = tensor.empty() : tensor<8x16xf32>
    %13 = linalg.fill ins(%cst : f32) outs(%12 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %14 = linalg.matmul ins(%collapsed, %transposed : tensor<8x16xf32>, tensor<16x16xf32>) outs(%13 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded = tensor.expand_shape %14 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %15 = tensor.empty() : tensor<2x2x4x8xf32>
    %transposed_11 = linalg.transpose ins(%expanded : tensor<2x4x2x8xf32>) outs(%15 : tensor<2x2x4x8xf32>) permutation = [0, 2, 1, 3] 
    %transposed_12 = linalg.transpose ins(%arg5 : tensor<16x16xf32>) outs(%11 : tensor<16x16xf32>) permutation = [1, 0] 
    %16 = linalg.matmul ins(%collapsed, %transposed_12 : tensor<8x16xf32>, tensor<16x16xf32>) outs(%13 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_13 = tensor.expand_shape %16 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %transposed_14 = linalg.transpose ins(%arg6 : tensor<16x16xf32>) outs(%11 : tensor<16x16xf32>) permutation = [1, 0] 
    %17 = linalg.matmul ins(%collapsed, %transposed_14 : tensor<8x16xf32>, tensor<16x16xf32>) outs(%13 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_15 = tensor.expand_shape %17 [[0, 1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<8x16xf32> into tensor<2x4x2x8xf32>
    %transposed_16 = linalg.transpose ins(%expanded_15 : tensor<2x4x2x8xf32>) outs(%15 : tensor<2x2x4x8xf32>) permutation = [0, 2, 1, 3] 
    %18 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_11 : tensor<2x2x4x8xf32>) outs(%15 : tensor<2x2x4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.truncf %cst_7 : f64 to f32
      %111 = arith.mulf %in, %110 : f32
      linalg.yield %111 : f32
    } -> tensor<2x2x4x8xf32>
    %19 = tensor.empty() : tensor<4xi64>
    %20 = linalg.generic {indexing_maps = [#map5], iterator_types = ["parallel"]} outs(%19 : tensor<4xi64>) {
    ^bb0(%out: i64):
      %110 = linalg.index 0 : index
      %111 = arith.index_cast %110 : index to i64
      linalg.yield %111 : i64
    } -> tensor<4xi64>
    %expanded_17 = tensor.expand_shape %20 [[0, 1]] output_shape [1, 4] : tensor<4xi64> into tensor<1x4xi64>
    %expanded_18 = tensor.expand_shape %20 [[0, 1]] output_shape [4, 1] : tensor<4xi64> into tensor<4x1xi64>
    %21 = tensor.empty() : tensor<4x4xi64>
    %22 = linalg.generic {indexing_maps = [#map6, #map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%expanded_17, %expanded_18 : tensor<1x4xi64>, tensor<4x1xi64>) outs(%21 : tensor<4x4xi64>) {
    ^bb0(%in: i64, %in_45: i64, %out: i64):
      %110 = arith.subi %in, %in_45 : i64
      linalg.yield %110 : i64
    } -> tensor<4x4xi64>
    %23 = tensor.empty() : tensor<4x4xi1>
    %24 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%22 : tensor<4x4xi64>) outs(%23 : tensor<4x4xi1>) {
    ^bb0(%in: i64, %out: i1):
      %110 = arith.cmpi sle, %in, %c0_i64 : i64
      linalg.yield %110 : i1
    } -> tensor<4x4xi1>
    %25 = linalg.generic {indexing_maps = [#map8, #map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%24, %cst_5 : tensor<4x4xi1>, tensor<4x4xi1>) outs(%23 : tensor<4x4xi1>) {
    ^bb0(%in: i1, %in_45: i1, %out: i1):
      %110 = arith.andi %in, %in_45 : i1
      linalg.yield %110 : i1
    } -> tensor<4x4xi1>
    %26 = tensor.empty() : tensor<4x4xf32>
    %27 = linalg.generic {indexing_maps = [#map8, #map9, #map9, #map8], iterator_types = ["parallel", "parallel"]} ins(%25, %cst_3, %cst_4 : tensor<4x4xi1>, tensor<f32>, tensor<f32>) outs(%26 : tensor<4x4xf32>) {
    ^bb0(%in: i1, %in_45: f32, %in_46: f32, %out: f32):
      %110 = arith.select %in, %in_45, %in_46 : f32
      linalg.yield %110 : f32
    } -> tensor<4x4xf32>
    %28 = tensor.empty() : tensor<2x2x8x4xf32>
    %transposed_19 = linalg.transpose ins(%expanded_13 : tensor<2x4x2x8xf32>) outs(%28 : tensor<2x2x8x4xf32>) permutation = [0, 2, 3, 1] 
    %29 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed_19 : tensor<2x2x8x4xf32>) outs(%28 : tensor<2x2x8x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.truncf %cst_7 : f64 to f32
      %111 = arith.mulf %in, %110 : f32
      linalg.yield %111 : f32
    } -> tensor<2x2x8x4xf32>
    %collapsed_20 = tensor.collapse_shape %18 [[0, 1], [2], [3]] : tensor<2x2x4x8xf32> into tensor<4x4x8xf32>
    %collapsed_21 = tensor.collapse_shape %29 [[0, 1], [2], [3]] : tensor<2x2x8x4xf32> into tensor<4x8x4xf32>
    %30 = tensor.empty() : tensor<4x4x4xf32>
    %31 = linalg.fill ins(%cst : f32) outs(%30 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
    %32 = linalg.batch_matmul ins(%collapsed_20, %collapsed_21 : tensor<4x4x8xf32>, tensor<4x8x4xf32>) outs(%31 : tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
    %expanded_22 = tensor.expand_shape %32 [[0, 1], [2], [3]] output_shape [2, 2, 4, 4] : tensor<4x4x4xf32> into tensor<2x2x4x4xf32>
    %33 = tensor.empty() : tensor<2x2x4x4xf32>
    %34 = linalg.generic {indexing_maps = [#map4, #map10, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_22, %27 : tensor<2x2x4x4xf32>, tensor<4x4xf32>) outs(%33 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.addf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x4xf32>
    %35 = tensor.empty() : tensor<2x2x4xi64>
    %36 = linalg.fill ins(%c0_i64 : i64) outs(%35 : tensor<2x2x4xi64>) -> tensor<2x2x4xi64>
    %37 = tensor.empty() : tensor<2x2x4xf32>
    %38 = linalg.fill ins(%cst_0 : f32) outs(%37 : tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
    %39:2 = linalg.generic {indexing_maps = [#map4, #map11, #map11], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%34 : tensor<2x2x4x4xf32>) outs(%38, %36 : tensor<2x2x4xf32>, tensor<2x2x4xi64>) {
    ^bb0(%in: f32, %out: f32, %out_45: i64):
      %110 = linalg.index 3 : index
      %111 = arith.index_cast %110 : index to i64
      %112 = arith.maximumf %in, %out : f32
      %113 = arith.cmpf ogt, %in, %out : f32
      %114 = arith.select %113, %111, %out_45 : i64
      linalg.yield %112, %114 : f32, i64
    } -> (tensor<2x2x4xf32>, tensor<2x2x4xi64>)
    %expanded_23 = tensor.expand_shape %39#0 [[0], [1], [2, 3]] output_shape [2, 2, 4, 1] : tensor<2x2x4xf32> into tensor<2x2x4x1xf32>
    %40 = linalg.generic {indexing_maps = [#map4, #map12, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34, %expanded_23 : tensor<2x2x4x4xf32>, tensor<2x2x4x1xf32>) outs(%33 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.subf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x4xf32>
    %41 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%40 : tensor<2x2x4x4xf32>) outs(%33 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = math.exp %in : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x4xf32>
    %42 = tensor.empty() : tensor<2x2x4x1xf32>
    %43 = linalg.fill ins(%cst : f32) outs(%42 : tensor<2x2x4x1xf32>) -> tensor<2x2x4x1xf32>
    %44 = linalg.generic {indexing_maps = [#map4, #map12], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%41 : tensor<2x2x4x4xf32>) outs(%43 : tensor<2x2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.addf %in, %out : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x1xf32>
    %45 = linalg.generic {indexing_maps = [#map4, #map12, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%41, %44 : tensor<2x2x4x4xf32>, tensor<2x2x4x1xf32>) outs(%33 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.divf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x4xf32>
    %46 = tensor.empty() : tensor<2x2x4x4xi1>
    %47 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34 : tensor<2x2x4x4xf32>) outs(%46 : tensor<2x2x4x4xi1>) {
    ^bb0(%in: f32, %out: i1):
      %110 = arith.extf %in : f32 to f64
      %111 = arith.cmpf oeq, %110, %cst_6 : f64
      linalg.yield %111 : i1
    } -> tensor<2x2x4x4xi1>
    %48 = tensor.empty() : tensor<2x2x4x1xi1>
    %49 = linalg.fill ins(%true : i1) outs(%48 : tensor<2x2x4x1xi1>) -> tensor<2x2x4x1xi1>
    %50 = linalg.generic {indexing_maps = [#map4, #map12], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%47 : tensor<2x2x4x4xi1>) outs(%49 : tensor<2x2x4x1xi1>) {
    ^bb0(%in: i1, %out: i1):
      %110 = arith.andi %in, %out : i1
      linalg.yield %110 : i1
    } -> tensor<2x2x4x1xi1>
    %51 = linalg.generic {indexing_maps = [#map12, #map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50, %cst_2, %45 : tensor<2x2x4x1xi1>, tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) outs(%33 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: i1, %in_45: f32, %in_46: f32, %out: f32):
      %110 = arith.select %in, %in_45, %in_46 : f32
      linalg.yield %110 : f32
    } -> tensor<2x2x4x4xf32>
    %collapsed_24 = tensor.collapse_shape %51 [[0, 1], [2], [3]] : tensor<2x2x4x4xf32> into tensor<4x4x4xf32>
    %collapsed_25 = tensor.collapse_shape %transposed_16 [[0, 1], [2], [3]] : tensor<2x2x4x8xf32> into tensor<4x4x8xf32>
    %52 = tensor.empty() : tensor<4x4x8xf32>
    %53 = linalg.fill ins(%cst : f32) outs(%52 : tensor<4x4x8xf32>) -> tensor<4x4x8xf32>
    %54 = linalg.batch_matmul ins(%collapsed_24, %collapsed_25 : tensor<4x4x4xf32>, tensor<4x4x8xf32>) outs(%53 : tensor<4x4x8xf32>) -> tensor<4x4x8xf32>
    %expanded_26 = tensor.expand_shape %54 [[0, 1], [2], [3]] output_shape [2, 2, 4, 8] : tensor<4x4x8xf32> into tensor<2x2x4x8xf32>
    %55 = tensor.empty() : tensor<2x4x2x8xf32>
    %transposed_27 = linalg.transpose ins(%expanded_26 : tensor<2x2x4x8xf32>) outs(%55 : tensor<2x4x2x8xf32>) permutation = [0, 2, 1, 3] 
    %collapsed_28 = tensor.collapse_shape %transposed_27 [[0], [1], [2, 3]] : tensor<2x4x2x8xf32> into tensor<2x4x16xf32>
    %transposed_29 = linalg.transpose ins(%arg7 : tensor<16x16xf32>) outs(%11 : tensor<16x16xf32>) permutation = [1, 0] 
    %56 = tensor.empty() : tensor<2x16x16xf32>
    %57 = linalg.generic {indexing_maps = [#map13, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%transposed_29 : tensor<16x16xf32>) outs(%56 : tensor<2x16x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x16x16xf32>
    %58 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %59 = linalg.batch_matmul ins(%collapsed_28, %57 : tensor<2x4x16xf32>, tensor<2x16x16xf32>) outs(%58 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %60 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1, %59 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.addf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %61 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%60, %60 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %62 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "reduction"]} ins(%61 : tensor<2x4x16xf32>) outs(%4 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.addf %in, %out : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %63 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%62 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.divf %in, %cst_9 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %64 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%63 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.truncf %cst_8 : f64 to f32
      %111 = arith.addf %in, %110 : f32
      linalg.yield %111 : f32
    } -> tensor<2x4x1xf32>
    %65 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%64 : tensor<2x4x1xf32>) outs(%3 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = math.rsqrt %in : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x1xf32>
    %66 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%60, %65 : tensor<2x4x16xf32>, tensor<2x4x1xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %67 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%66, %arg8 : tensor<2x4x16xf32>, tensor<16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %68 = tensor.empty() : tensor<16x32xf32>
    %transposed_30 = linalg.transpose ins(%arg9 : tensor<32x16xf32>) outs(%68 : tensor<16x32xf32>) permutation = [1, 0] 
    %collapsed_31 = tensor.collapse_shape %67 [[0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
    %69 = tensor.empty() : tensor<8x32xf32>
    %70 = linalg.fill ins(%cst : f32) outs(%69 : tensor<8x32xf32>) -> tensor<8x32xf32>
    %71 = linalg.matmul ins(%collapsed_31, %transposed_30 : tensor<8x16xf32>, tensor<16x32xf32>) outs(%70 : tensor<8x32xf32>) -> tensor<8x32xf32>
    %expanded_32 = tensor.expand_shape %71 [[0, 1], [2]] output_shape [2, 4, 32] : tensor<8x32xf32> into tensor<2x4x32xf32>
    %72 = tensor.empty() : tensor<2x4x32xf32>
    %73 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_32 : tensor<2x4x32xf32>) outs(%72 : tensor<2x4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.negf %in : f32
      %111 = math.exp %110 : f32
      %112 = arith.addf %111, %cst_1 : f32
      %113 = arith.divf %cst_1, %112 : f32
      linalg.yield %113 : f32
    } -> tensor<2x4x32xf32>
    %74 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_32, %73 : tensor<2x4x32xf32>, tensor<2x4x32xf32>) outs(%72 : tensor<2x4x32xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x32xf32>
    %transposed_33 = linalg.transpose ins(%arg10 : tensor<32x16xf32>) outs(%68 : tensor<16x32xf32>) permutation = [1, 0] 
    %75 = linalg.matmul ins(%collapsed_31, %transposed_33 : tensor<8x16xf32>, tensor<16x32xf32>) outs(%70 : tensor<8x32xf32>) -> tensor<8x32xf32>
    %expanded_34 = tensor.expand_shape %75 [[0, 1], [2]] output_shape [2, 4, 32] : tensor<8x32xf32> into tensor<2x4x32xf32>
    %76 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%74, %expanded_34 : tensor<2x4x32xf32>, tensor<2x4x32xf32>) outs(%72 : tensor<2x4x32xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.mulf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x32xf32>
    %77 = tensor.empty() : tensor<32x16xf32>
    %transposed_35 = linalg.transpose ins(%arg11 : tensor<16x32xf32>) outs(%77 : tensor<32x16xf32>) permutation = [1, 0] 
    %collapsed_36 = tensor.collapse_shape %76 [[0, 1], [2]] : tensor<2x4x32xf32> into tensor<8x32xf32>
    %78 = linalg.matmul ins(%collapsed_36, %transposed_35 : tensor<8x32xf32>, tensor<32x16xf32>) outs(%13 : tensor<8x16xf32>) -> tensor<8x16xf32>
    %expanded_37 = tensor.expand_shape %78 [[0, 1], [2]] output_shape [2, 4, 16] : tensor<8x16xf32> into tensor<2x4x16xf32>
    %79 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%60, %expanded_37 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.addf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<2x4x16xf32>
    %80 = tensor.empty() : tensor<16x10xf32>
    %transposed_38 = linalg.transpose ins(%arg12 : tensor<10x16xf32>) outs(%80 : tensor<16x10xf32>) permutation = [1, 0] 
    %collapsed_39 = tensor.collapse_shape %79 [[0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
    %81 = tensor.empty() : tensor<8x10xf32>
    %82 = linalg.fill ins(%cst : f32) outs(%81 : tensor<8x10xf32>) -> tensor<8x10xf32>
    %83 = linalg.matmul ins(%collapsed_39, %transposed_38 : tensor<8x16xf32>, tensor<16x10xf32>) outs(%82 : tensor<8x10xf32>) -> tensor<8x10xf32>
    %expanded_40 = tensor.expand_shape %83 [[0, 1], [2]] output_shape [2, 4, 10] : tensor<8x10xf32> into tensor<2x4x10xf32>
    %collapsed_41 = tensor.collapse_shape %arg1 [[0, 1]] : tensor<2x4xi64> into tensor<8xi64>
    %84 = tensor.empty() : tensor<8xi64>
    %85 = linalg.fill ins(%c0_i64 : i64) outs(%84 : tensor<8xi64>) -> tensor<8xi64>
    %86 = tensor.empty() : tensor<8xf32>
    %87 = linalg.fill ins(%cst_0 : f32) outs(%86 : tensor<8xf32>) -> tensor<8xf32>
    %88:2 = linalg.generic {indexing_maps = [#map8, #map14, #map14], iterator_types = ["parallel", "reduction"]} ins(%83 : tensor<8x10xf32>) outs(%87, %85 : tensor<8xf32>, tensor<8xi64>) {
    ^bb0(%in: f32, %out: f32, %out_45: i64):
      %110 = linalg.index 1 : index
      %111 = arith.index_cast %110 : index to i64
      %112 = arith.maximumf %in, %out : f32
      %113 = arith.cmpf ogt, %in, %out : f32
      %114 = arith.select %113, %111, %out_45 : i64
      linalg.yield %112, %114 : f32, i64
    } -> (tensor<8xf32>, tensor<8xi64>)
    %expanded_42 = tensor.expand_shape %88#0 [[0, 1]] output_shape [8, 1] : tensor<8xf32> into tensor<8x1xf32>
    %89 = linalg.generic {indexing_maps = [#map8, #map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%83, %expanded_42 : tensor<8x10xf32>, tensor<8x1xf32>) outs(%81 : tensor<8x10xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.subf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<8x10xf32>
    %90 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%89 : tensor<8x10xf32>) outs(%81 : tensor<8x10xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = math.exp %in : f32
      linalg.yield %110 : f32
    } -> tensor<8x10xf32>
    %91 = tensor.empty() : tensor<8x1xf32>
    %92 = linalg.fill ins(%cst : f32) outs(%91 : tensor<8x1xf32>) -> tensor<8x1xf32>
    %93 = linalg.generic {indexing_maps = [#map8, #map7], iterator_types = ["parallel", "reduction"]} ins(%90 : tensor<8x10xf32>) outs(%92 : tensor<8x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.addf %in, %out : f32
      linalg.yield %110 : f32
    } -> tensor<8x1xf32>
    %94 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%93 : tensor<8x1xf32>) outs(%91 : tensor<8x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = math.log %in : f32
      linalg.yield %110 : f32
    } -> tensor<8x1xf32>
    %95 = linalg.generic {indexing_maps = [#map8, #map7, #map8], iterator_types = ["parallel", "parallel"]} ins(%89, %94 : tensor<8x10xf32>, tensor<8x1xf32>) outs(%81 : tensor<8x10xf32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.subf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<8x10xf32>
    %96 = tensor.empty() : tensor<8xi1>
    %97 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel"]} ins(%collapsed_41 : tensor<8xi64>) outs(%96 : tensor<8xi1>) {
    ^bb0(%in: i64, %out: i1):
      %110 = arith.cmpi ne, %in, %c-100_i64 : i64
      linalg.yield %110 : i1
    } -> tensor<8xi1>
    %98 = linalg.generic {indexing_maps = [#map5, #map5, #map15, #map5], iterator_types = ["parallel"]} ins(%97, %collapsed_41, %cst_10 : tensor<8xi1>, tensor<8xi64>, tensor<i64>) outs(%84 : tensor<8xi64>) {
    ^bb0(%in: i1, %in_45: i64, %in_46: i64, %out: i64):
      %110 = arith.select %in, %in_45, %in_46 : i64
      linalg.yield %110 : i64
    } -> tensor<8xi64>
    %expanded_43 = tensor.expand_shape %98 [[0, 1]] output_shape [8, 1] : tensor<8xi64> into tensor<8x1xi64>
    %99 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%expanded_43 : tensor<8x1xi64>) outs(%92 : tensor<8x1xf32>) {
    ^bb0(%in: i64, %out: f32):
      %110 = linalg.index 0 : index
      %111 = arith.index_cast %in : i64 to index
      %112 = arith.cmpi slt, %111, %c10 : index
      cf.assert %112, "index must be smaller than dim size"
      %113 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %113, "index must be larger or equal to 0"
      %extracted = tensor.extract %95[%110, %111] : tensor<8x10xf32>
      linalg.yield %extracted : f32
    } -> tensor<8x1xf32>
    %collapsed_44 = tensor.collapse_shape %99 [[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
    %100 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel"]} ins(%collapsed_44 : tensor<8xf32>) outs(%86 : tensor<8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.negf %in : f32
      linalg.yield %110 : f32
    } -> tensor<8xf32>
    %101 = linalg.generic {indexing_maps = [#map5, #map5, #map15, #map5], iterator_types = ["parallel"]} ins(%97, %100, %cst_3 : tensor<8xi1>, tensor<8xf32>, tensor<f32>) outs(%86 : tensor<8xf32>) {
    ^bb0(%in: i1, %in_45: f32, %in_46: f32, %out: f32):
      %110 = arith.select %in, %in_45, %in_46 : f32
      linalg.yield %110 : f32
    } -> tensor<8xf32>
    %102 = tensor.empty() : tensor<i64>
    %103 = linalg.fill ins(%c0_i64 : i64) outs(%102 : tensor<i64>) -> tensor<i64>
    %104 = linalg.generic {indexing_maps = [#map5, #map15], iterator_types = ["reduction"]} ins(%97 : tensor<8xi1>) outs(%103 : tensor<i64>) {
    ^bb0(%in: i1, %out: i64):
      %110 = arith.extui %in : i1 to i64
      %111 = arith.addi %110, %out : i64
      linalg.yield %111 : i64
    } -> tensor<i64>
    %105 = tensor.empty() : tensor<f32>
    %106 = linalg.generic {indexing_maps = [#map16, #map16], iterator_types = []} ins(%104 : tensor<i64>) outs(%105 : tensor<f32>) {
    ^bb0(%in: i64, %out: f32):
      %110 = arith.sitofp %in : i64 to f32
      linalg.yield %110 : f32
    } -> tensor<f32>
    %107 = linalg.fill ins(%cst : f32) outs(%105 : tensor<f32>) -> tensor<f32>
    %108 = linalg.generic {indexing_maps = [#map5, #map15], iterator_types = ["reduction"]} ins(%101 : tensor<8xf32>) outs(%107 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %110 = arith.addf %in, %out : f32
      linalg.yield %110 : f32
    } -> tensor<f32>
    %109 = linalg.generic {indexing_maps = [#map16, #map16, #map16], iterator_types = []} ins(%108, %106 : tensor<f32>, tensor<f32>) outs(%105 : tensor<f32>) {
    ^bb0(%in: f32, %in_45: f32, %out: f32):
      %110 = arith.divf %in, %in_45 : f32
      linalg.yield %110 : f32
    } -> tensor<f32>
    return %109, %expanded_40 : tensor<f32>, tensor<2x4x10xf32>
  }
}
