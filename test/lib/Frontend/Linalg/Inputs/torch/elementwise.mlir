// Written by make_torch_modules.py with torch 2.11.0+cu130. Arguments: x, y.
#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> ()>
#map2 = affine_map<() -> ()>
module {
  func.func @main(%arg0: tensor<6x8xf32>, %arg1: tensor<6x8xf32>) -> (tensor<f32>, tensor<6x8xf32>) {
    %c3_i64 = arith.constant 3 : i64
    %c0_i64 = arith.constant 0 : i64
    %c1_i64 = arith.constant 1 : i64
    %c2_i64 = arith.constant 2 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 1.000000e+00 : f32
    %cst_1 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_2 = arith.constant 1.000000e-02 : f64
    %cst_3 = arith.constant 1.000000e-01 : f64
    %cst_4 = arith.constant 5.000000e-01 : f32
    %cst_5 = arith.constant -5.000000e-01 : f32
    %cst_6 = arith.constant 2.500000e-01 : f32
    %cst_7 = arith.constant 3.000000e+00 : f32
    %cst_8 = arith.constant 2.000000e+00 : f32
    %cst_9 = arith.constant 2.000000e+01 : f32
    %cst_10 = arith.constant 4.800000e+01 : f32
    %0 = tensor.empty() : tensor<6x8xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.fpowi %in, %c2_i64 : f32, i64
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.fpowi %in, %c3_i64 : f32, i64
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %3 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%1, %2 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.fpowi %in, %c1_i64 : f32, i64
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%3, %4 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.fpowi %in, %c0_i64 : f32, i64
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %7 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%5, %6 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.absf %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %9 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%8 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.mulf %in, %cst_4 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %10 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%7, %9 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.cmpf ult, %in, %cst_5 : f32
      %76 = arith.select %75, %cst_5, %in : f32
      %77 = arith.cmpf ugt, %76, %cst_4 : f32
      %78 = arith.select %77, %cst_4, %76 : f32
      linalg.yield %78 : f32
    } -> tensor<6x8xf32>
    %12 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%10, %11 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.cmpf ugt, %in, %cst : f32
      %76 = arith.select %75, %in, %cst : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %14 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%12, %13 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %15 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0, %arg1 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf ogt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %16 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%14, %15 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %17 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1, %arg1 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.mulf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0, %17 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf olt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %19 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%16, %18 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%8 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_4 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %21 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%20 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.sqrt %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %22 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%19, %21 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %23 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0, %arg0 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.mulf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %24 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%23 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_0 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %25 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%24 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.rsqrt %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %26 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%22, %25 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %27 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.absf %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %28 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%27 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_6 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %29 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%28 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.powf %in, %cst_4 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %30 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%26, %29 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %31 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_7 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %32 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%31, %arg0 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = math.powf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %33 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%30, %32 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %34 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%17 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_4 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %35 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%34 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.log %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %36 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%33, %35 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %37 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%23 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %cst_8 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %38 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1, %37 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.divf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %39 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%36, %38 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %40 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.truncf %cst_3 : f64 to f32
      %76 = arith.addf %in, %75 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %41 = linalg.generic {indexing_maps = [#map1, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%cst_1, %40 : tensor<f32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf ogt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %42 = linalg.generic {indexing_maps = [#map1, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%cst_1, %40 : tensor<f32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf olt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %43 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%42 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.truncf %cst_2 : f64 to f32
      %76 = arith.mulf %in, %75 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %44 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%41, %43 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %45 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%39, %44 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %46 = linalg.generic {indexing_maps = [#map1, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%cst_1, %arg1 : tensor<f32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf ogt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %47 = linalg.generic {indexing_maps = [#map1, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%cst_1, %arg1 : tensor<f32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.cmpf olt, %in, %in_11 : f32
      %76 = arith.select %75, %in, %in_11 : f32
      linalg.yield %76 : f32
    } -> tensor<6x8xf32>
    %48 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%47 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.exp %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %49 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%48 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.subf %in, %cst_0 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %50 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%46, %49 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %51 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%45, %50 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %52 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.exp %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %53 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%52 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.log1p %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %54 = tensor.empty() : tensor<6x8xi1>
    %55 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%54 : tensor<6x8xi1>) {
    ^bb0(%in: f32, %out: i1):
      %75 = arith.cmpf ogt, %in, %cst_9 : f32
      linalg.yield %75 : i1
    } -> tensor<6x8xi1>
    %56 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%55, %arg0, %53 : tensor<6x8xi1>, tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: i1, %in_11: f32, %in_12: f32, %out: f32):
      %75 = arith.select %in, %in_11, %in_12 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %57 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%51, %56 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %58 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.negf %in : f32
      %76 = math.exp %75 : f32
      %77 = arith.addf %76, %cst_0 : f32
      %78 = arith.divf %cst_0, %77 : f32
      linalg.yield %78 : f32
    } -> tensor<6x8xf32>
    %59 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%57, %58 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %60 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.sin %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %61 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.cos %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %62 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%60, %61 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.mulf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %63 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%59, %62 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %64 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.erf %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %65 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%63, %64 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %66 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.powf %cst_8, %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %67 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%65, %66 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %68 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%23 : tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = math.log1p %in : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %69 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%67, %68 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.addf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %70 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%69, %69 : tensor<6x8xf32>, tensor<6x8xf32>) outs(%0 : tensor<6x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %75 = arith.mulf %in, %in_11 : f32
      linalg.yield %75 : f32
    } -> tensor<6x8xf32>
    %71 = tensor.empty() : tensor<f32>
    %72 = linalg.fill ins(%cst : f32) outs(%71 : tensor<f32>) -> tensor<f32>
    %73 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["reduction", "reduction"]} ins(%70 : tensor<6x8xf32>) outs(%72 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.addf %in, %out : f32
      linalg.yield %75 : f32
    } -> tensor<f32>
    %74 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = []} ins(%73 : tensor<f32>) outs(%71 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %75 = arith.divf %in, %cst_10 : f32
      linalg.yield %75 : f32
    } -> tensor<f32>
    return %74, %69 : tensor<f32>, tensor<6x8xf32>
  }
}
