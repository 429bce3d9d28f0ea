// RUN: nibble-opt %s --nibble-recognize-linear="parameters=0:norm,1:wk,2:wo,3:wq,4:wv" | FileCheck %s
// RUN: nibble-opt %s --nibble-recognize-linear="parameters=0:norm,1:wk,2:wo,3:wq,4:wv" --nibble-quantize="include=w. group-size=16" --nibble-differentiate=function=main --nibble-build-update --nibble-hoist-quantize --nibble-fuse --nibble-verify-stage=stage=hoist | FileCheck %s --check-prefix=STEP

// Activations have three dimensions, but a linear sees batch and tokens as one. Attention's own products stay linalg.
// CHECK-LABEL: func.func public @main(
// CHECK-SAME: tensor<16xf32> {nn.parameter = "norm"}, %[[WK:[a-z0-9]+]]: tensor<16x16xf32> {nn.parameter = "wk", nn.transposed}
// CHECK-SAME: %[[WQ:[a-z0-9]+]]: tensor<16x16xf32> {nn.parameter = "wq", nn.transposed}
// CHECK: %[[X:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<2x4x16xf32> into tensor<8x16xf32>
// CHECK: %[[Q:.*]] = nn.linear %[[X]], %[[WQ]]
// CHECK: tensor.expand_shape %[[Q]] {{\[\[}}0, 1], [2]]
// CHECK: nn.linear %{{.*}}, %[[WK]]
// CHECK-COUNT-2: nn.linear
// CHECK-NOT: nn.linear

// STEP-LABEL: func.func @train_step(
// STEP-SAME: !qat.packed<16x16, <int4, group_size = 16>, host> {nn.parameter = "wk", nn.transposed}
// STEP-COUNT-4: qat.linear %
// STEP-COUNT-4: qat.linear_input_grad

// The module as JAX 0.10.2 wrote it (make_jax_modules.py). Its first arguments are norm, wk, wo, wq, wv.
#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map2 = affine_map<(d0, d1, d2) -> ()>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#map4 = affine_map<(d0, d1, d2) -> (d2)>
#map5 = affine_map<(d0, d1, d2) -> (0, 0, d2)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d3, d2)>
#map8 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map9 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d4)>
#map10 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d1, d4)>
#map11 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map12 = affine_map<(d0, d1, d2, d3) -> ()>
#map13 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map14 = affine_map<(d0, d1) -> ()>
#map15 = affine_map<(d0, d1) -> (d0, d1)>
#map16 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map17 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d4, d1, d2)>
#map18 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d3, d4)>
#map19 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
#map20 = affine_map<() -> ()>
#map21 = affine_map<(d0, d1, d2, d3) -> (d2, d3)>
module @jit_attention attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<16xf32>, %arg1: tensor<16x16xf32>, %arg2: tensor<16x16xf32>, %arg3: tensor<16x16xf32>, %arg4: tensor<16x16xf32>, %arg5: tensor<2x4x16xf32>) -> (tensor<f32>) {
    %0 = tensor.empty() : tensor<2x4x16xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg5, %arg5 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%0 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x16xf32>
    %cst = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_0 = arith.constant 0.000000e+00 : f32
    %2 = tensor.empty() : tensor<2x4xf32>
    %3 = linalg.fill ins(%cst_0 : f32) outs(%2 : tensor<2x4xf32>) -> tensor<2x4xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "reduction"]} ins(%1 : tensor<2x4x16xf32>) outs(%3 : tensor<2x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_23 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_23[] : tensor<f32>
      %extracted_24 = tensor.extract %from_elements[] : tensor<f32>
      %88 = arith.addf %extracted, %extracted_24 : f32
      %from_elements_25 = tensor.from_elements %88 : tensor<f32>
      %extracted_26 = tensor.extract %from_elements_25[] : tensor<f32>
      linalg.yield %extracted_26 : f32
    } -> tensor<2x4xf32>
    %5 = tensor.empty() : tensor<2x4x1xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<2x4xf32>) outs(%5 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x1xf32>
    %cst_1 = arith.constant dense<1.600000e+01> : tensor<f32>
    %7 = tensor.empty() : tensor<2x4x1xf32>
    %8 = linalg.generic {indexing_maps = [#map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%7 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x1xf32>
    %9 = tensor.empty() : tensor<2x4x1xf32>
    %10 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6, %8 : tensor<2x4x1xf32>, tensor<2x4x1xf32>) outs(%9 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.divf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x1xf32>
    %cst_2 = arith.constant dense<9.99999974E-6> : tensor<f32>
    %11 = tensor.empty() : tensor<2x4x1xf32>
    %12 = linalg.generic {indexing_maps = [#map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_2 : tensor<f32>) outs(%11 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x1xf32>
    %13 = tensor.empty() : tensor<2x4x1xf32>
    %14 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%10, %12 : tensor<2x4x1xf32>, tensor<2x4x1xf32>) outs(%13 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.addf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x1xf32>
    %15 = tensor.empty() : tensor<2x4x1xf32>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%14 : tensor<2x4x1xf32>) outs(%15 : tensor<2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %88 = math.rsqrt %in : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x1xf32>
    %17 = tensor.empty() : tensor<2x4x16xf32>
    %18 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%16 : tensor<2x4x1xf32>) outs(%17 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x16xf32>
    %19 = tensor.empty() : tensor<2x4x16xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg5, %18 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%19 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x16xf32>
    %21 = tensor.empty() : tensor<1x1x16xf32>
    %22 = linalg.generic {indexing_maps = [#map4, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<16xf32>) outs(%21 : tensor<1x1x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x1x16xf32>
    %23 = tensor.empty() : tensor<2x4x16xf32>
    %24 = linalg.generic {indexing_maps = [#map5, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%22 : tensor<1x1x16xf32>) outs(%23 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x16xf32>
    %25 = tensor.empty() : tensor<2x4x16xf32>
    %26 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%20, %24 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%25 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x16xf32>
    %27 = tensor.empty() : tensor<2x4x16xf32>
    %cst_3 = arith.constant 0.000000e+00 : f32
    %28 = linalg.fill ins(%cst_3 : f32) outs(%27 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %29 = linalg.generic {indexing_maps = [#map6, #map7, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%26, %arg3 : tensor<2x4x16xf32>, tensor<16x16xf32>) outs(%28 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x4x16xf32>
    %expanded = tensor.expand_shape %29 [[0], [1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<2x4x16xf32> into tensor<2x4x2x8xf32>
    %30 = tensor.empty() : tensor<2x4x16xf32>
    %cst_4 = arith.constant 0.000000e+00 : f32
    %31 = linalg.fill ins(%cst_4 : f32) outs(%30 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %32 = linalg.generic {indexing_maps = [#map6, #map7, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%26, %arg1 : tensor<2x4x16xf32>, tensor<16x16xf32>) outs(%31 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x4x16xf32>
    %expanded_5 = tensor.expand_shape %32 [[0], [1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<2x4x16xf32> into tensor<2x4x2x8xf32>
    %33 = tensor.empty() : tensor<2x4x16xf32>
    %cst_6 = arith.constant 0.000000e+00 : f32
    %34 = linalg.fill ins(%cst_6 : f32) outs(%33 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %35 = linalg.generic {indexing_maps = [#map6, #map7, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%26, %arg4 : tensor<2x4x16xf32>, tensor<16x16xf32>) outs(%34 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x4x16xf32>
    %expanded_7 = tensor.expand_shape %35 [[0], [1], [2, 3]] output_shape [2, 4, 2, 8] : tensor<2x4x16xf32> into tensor<2x4x2x8xf32>
    %36 = tensor.empty() : tensor<2x2x4x4xf32>
    %cst_8 = arith.constant 0.000000e+00 : f32
    %37 = linalg.fill ins(%cst_8 : f32) outs(%36 : tensor<2x2x4x4xf32>) -> tensor<2x2x4x4xf32>
    %38 = linalg.generic {indexing_maps = [#map9, #map10, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%expanded, %expanded_5 : tensor<2x4x2x8xf32>, tensor<2x4x2x8xf32>) outs(%37 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x2x4x4xf32>
    %cst_9 = arith.constant dense<2.500000e-01> : tensor<f32>
    %39 = tensor.empty() : tensor<2x2x4x4xf32>
    %40 = linalg.generic {indexing_maps = [#map12, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_9 : tensor<f32>) outs(%39 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x4xf32>
    %41 = tensor.empty() : tensor<2x2x4x4xf32>
    %42 = linalg.generic {indexing_maps = [#map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%38, %40 : tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) outs(%41 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x2x4x4xf32>
    %cst_10 = arith.constant dense<true> : tensor<i1>
    %43 = tensor.empty() : tensor<4x4xi1>
    %44 = linalg.generic {indexing_maps = [#map14, #map15], iterator_types = ["parallel", "parallel"]} ins(%cst_10 : tensor<i1>) outs(%43 : tensor<4x4xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<4x4xi1>
    %45 = call @tril(%44) : (tensor<4x4xi1>) -> tensor<4x4xi1>
    %cst_11 = arith.constant dense<-1.000000e+09> : tensor<f32>
    %46 = call @_where(%45, %42, %cst_11) : (tensor<4x4xi1>, tensor<2x2x4x4xf32>, tensor<f32>) -> tensor<2x2x4x4xf32>
    %cst_12 = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_13 = arith.constant 0xFF800000 : f32
    %47 = tensor.empty() : tensor<2x2x4xf32>
    %48 = linalg.fill ins(%cst_13 : f32) outs(%47 : tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
    %49 = linalg.generic {indexing_maps = [#map13, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%46 : tensor<2x2x4x4xf32>) outs(%48 : tensor<2x2x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_23 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_23[] : tensor<f32>
      %extracted_24 = tensor.extract %from_elements[] : tensor<f32>
      %88 = arith.maximumf %extracted, %extracted_24 : f32
      %from_elements_25 = tensor.from_elements %88 : tensor<f32>
      %extracted_26 = tensor.extract %from_elements_25[] : tensor<f32>
      linalg.yield %extracted_26 : f32
    } -> tensor<2x2x4xf32>
    %cst_14 = arith.constant dense<0xFF800000> : tensor<f32>
    %50 = tensor.empty() : tensor<2x2x4xf32>
    %51 = linalg.generic {indexing_maps = [#map2, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_14 : tensor<f32>) outs(%50 : tensor<2x2x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4xf32>
    %52 = tensor.empty() : tensor<2x2x4xf32>
    %53 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%51, %49 : tensor<2x2x4xf32>, tensor<2x2x4xf32>) outs(%52 : tensor<2x2x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.maximumf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x2x4xf32>
    %54 = tensor.empty() : tensor<2x2x4x1xf32>
    %55 = linalg.generic {indexing_maps = [#map8, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%53 : tensor<2x2x4xf32>) outs(%54 : tensor<2x2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x1xf32>
    %56 = tensor.empty() : tensor<2x2x4x4xf32>
    %57 = linalg.generic {indexing_maps = [#map16, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%55 : tensor<2x2x4x1xf32>) outs(%56 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x4xf32>
    %58 = tensor.empty() : tensor<2x2x4x4xf32>
    %59 = linalg.generic {indexing_maps = [#map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%46, %57 : tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) outs(%58 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.subf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x2x4x4xf32>
    %60 = tensor.empty() : tensor<2x2x4x4xf32>
    %61 = linalg.generic {indexing_maps = [#map13, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%59 : tensor<2x2x4x4xf32>) outs(%60 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %88 = math.exp %in : f32
      linalg.yield %88 : f32
    } -> tensor<2x2x4x4xf32>
    %cst_15 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_16 = arith.constant 0.000000e+00 : f32
    %62 = tensor.empty() : tensor<2x2x4xf32>
    %63 = linalg.fill ins(%cst_16 : f32) outs(%62 : tensor<2x2x4xf32>) -> tensor<2x2x4xf32>
    %64 = linalg.generic {indexing_maps = [#map13, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%61 : tensor<2x2x4x4xf32>) outs(%63 : tensor<2x2x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_23 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_23[] : tensor<f32>
      %extracted_24 = tensor.extract %from_elements[] : tensor<f32>
      %88 = arith.addf %extracted, %extracted_24 : f32
      %from_elements_25 = tensor.from_elements %88 : tensor<f32>
      %extracted_26 = tensor.extract %from_elements_25[] : tensor<f32>
      linalg.yield %extracted_26 : f32
    } -> tensor<2x2x4xf32>
    %65 = tensor.empty() : tensor<2x2x4x1xf32>
    %66 = linalg.generic {indexing_maps = [#map8, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%64 : tensor<2x2x4xf32>) outs(%65 : tensor<2x2x4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x1xf32>
    %67 = tensor.empty() : tensor<2x2x4x4xf32>
    %68 = linalg.generic {indexing_maps = [#map16, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%66 : tensor<2x2x4x1xf32>) outs(%67 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x4xf32>
    %69 = tensor.empty() : tensor<2x2x4x4xf32>
    %70 = linalg.generic {indexing_maps = [#map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%61, %68 : tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) outs(%69 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.divf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x2x4x4xf32>
    %71 = tensor.empty() : tensor<2x2x8x4xf32>
    %cst_17 = arith.constant 0.000000e+00 : f32
    %72 = linalg.fill ins(%cst_17 : f32) outs(%71 : tensor<2x2x8x4xf32>) -> tensor<2x2x8x4xf32>
    %73 = linalg.generic {indexing_maps = [#map17, #map18, #map11], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%expanded_7, %70 : tensor<2x4x2x8xf32>, tensor<2x2x4x4xf32>) outs(%72 : tensor<2x2x8x4xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x2x8x4xf32>
    %74 = tensor.empty() : tensor<2x4x2x8xf32>
    %75 = linalg.generic {indexing_maps = [#map19, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%73 : tensor<2x2x8x4xf32>) outs(%74 : tensor<2x4x2x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x2x8xf32>
    %collapsed = tensor.collapse_shape %75 [[0], [1], [2, 3]] : tensor<2x4x2x8xf32> into tensor<2x4x16xf32>
    %76 = tensor.empty() : tensor<2x4x16xf32>
    %cst_18 = arith.constant 0.000000e+00 : f32
    %77 = linalg.fill ins(%cst_18 : f32) outs(%76 : tensor<2x4x16xf32>) -> tensor<2x4x16xf32>
    %78 = linalg.generic {indexing_maps = [#map6, #map7, #map8], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%collapsed, %arg2 : tensor<2x4x16xf32>, tensor<16x16xf32>) outs(%77 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      %89 = arith.addf %out, %88 : f32
      linalg.yield %89 : f32
    } -> tensor<2x4x16xf32>
    %79 = tensor.empty() : tensor<2x4x16xf32>
    %80 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg5, %78 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%79 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.addf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x16xf32>
    %81 = tensor.empty() : tensor<2x4x16xf32>
    %82 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%80, %80 : tensor<2x4x16xf32>, tensor<2x4x16xf32>) outs(%81 : tensor<2x4x16xf32>) {
    ^bb0(%in: f32, %in_23: f32, %out: f32):
      %88 = arith.mulf %in, %in_23 : f32
      linalg.yield %88 : f32
    } -> tensor<2x4x16xf32>
    %cst_19 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_20 = arith.constant 0.000000e+00 : f32
    %83 = tensor.empty() : tensor<f32>
    %84 = linalg.fill ins(%cst_20 : f32) outs(%83 : tensor<f32>) -> tensor<f32>
    %85 = linalg.generic {indexing_maps = [#map, #map2], iterator_types = ["reduction", "reduction", "reduction"]} ins(%82 : tensor<2x4x16xf32>) outs(%84 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_23 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_23[] : tensor<f32>
      %extracted_24 = tensor.extract %from_elements[] : tensor<f32>
      %88 = arith.addf %extracted, %extracted_24 : f32
      %from_elements_25 = tensor.from_elements %88 : tensor<f32>
      %extracted_26 = tensor.extract %from_elements_25[] : tensor<f32>
      linalg.yield %extracted_26 : f32
    } -> tensor<f32>
    %cst_21 = arith.constant dense<1.280000e+02> : tensor<f32>
    %86 = tensor.empty() : tensor<f32>
    %cst_22 = arith.constant 1.280000e+02 : f32
    %87 = linalg.generic {indexing_maps = [#map20, #map20], iterator_types = []} ins(%85 : tensor<f32>) outs(%86 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %88 = arith.divf %in, %cst_22 : f32
      linalg.yield %88 : f32
    } -> tensor<f32>
    return %87 : tensor<f32>
  }
  func.func private @tril(%arg0: tensor<4x4xi1>) -> tensor<4x4xi1> {
    %0 = tensor.empty() : tensor<4x4xi32>
    %1 = linalg.generic {indexing_maps = [#map15], iterator_types = ["parallel", "parallel"]} outs(%0 : tensor<4x4xi32>) {
    ^bb0(%out: i32):
      %14 = linalg.index 0 : index
      %15 = arith.index_cast %14 : index to i32
      linalg.yield %15 : i32
    } -> tensor<4x4xi32>
    %cst = arith.constant dense<0> : tensor<i32>
    %2 = tensor.empty() : tensor<4x4xi32>
    %3 = linalg.generic {indexing_maps = [#map14, #map15], iterator_types = ["parallel", "parallel"]} ins(%cst : tensor<i32>) outs(%2 : tensor<4x4xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4x4xi32>
    %4 = tensor.empty() : tensor<4x4xi32>
    %5 = linalg.generic {indexing_maps = [#map15, #map15, #map15], iterator_types = ["parallel", "parallel"]} ins(%1, %3 : tensor<4x4xi32>, tensor<4x4xi32>) outs(%4 : tensor<4x4xi32>) {
    ^bb0(%in: i32, %in_1: i32, %out: i32):
      %14 = arith.addi %in, %in_1 : i32
      linalg.yield %14 : i32
    } -> tensor<4x4xi32>
    %6 = tensor.empty() : tensor<4x4xi32>
    %7 = linalg.generic {indexing_maps = [#map15], iterator_types = ["parallel", "parallel"]} outs(%6 : tensor<4x4xi32>) {
    ^bb0(%out: i32):
      %14 = linalg.index 1 : index
      %15 = arith.index_cast %14 : index to i32
      linalg.yield %15 : i32
    } -> tensor<4x4xi32>
    %8 = tensor.empty() : tensor<4x4xi1>
    %9 = linalg.generic {indexing_maps = [#map15, #map15, #map15], iterator_types = ["parallel", "parallel"]} ins(%5, %7 : tensor<4x4xi32>, tensor<4x4xi32>) outs(%8 : tensor<4x4xi1>) {
    ^bb0(%in: i32, %in_1: i32, %out: i1):
      %14 = arith.cmpi sge, %in, %in_1 : i32
      linalg.yield %14 : i1
    } -> tensor<4x4xi1>
    %cst_0 = arith.constant dense<false> : tensor<i1>
    %10 = tensor.empty() : tensor<4x4xi1>
    %11 = linalg.generic {indexing_maps = [#map14, #map15], iterator_types = ["parallel", "parallel"]} ins(%cst_0 : tensor<i1>) outs(%10 : tensor<4x4xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<4x4xi1>
    %12 = tensor.empty() : tensor<4x4xi1>
    %13 = linalg.generic {indexing_maps = [#map15, #map15, #map15, #map15], iterator_types = ["parallel", "parallel"]} ins(%9, %arg0, %11 : tensor<4x4xi1>, tensor<4x4xi1>, tensor<4x4xi1>) outs(%12 : tensor<4x4xi1>) {
    ^bb0(%in: i1, %in_1: i1, %in_2: i1, %out: i1):
      %14 = arith.select %in, %in_1, %in_2 : i1
      linalg.yield %14 : i1
    } -> tensor<4x4xi1>
    return %13 : tensor<4x4xi1>
  }
  func.func private @_where(%arg0: tensor<4x4xi1>, %arg1: tensor<2x2x4x4xf32>, %arg2: tensor<f32>) -> tensor<2x2x4x4xf32> {
    %0 = tensor.empty() : tensor<f32>
    %1 = linalg.generic {indexing_maps = [#map20, #map20], iterator_types = []} ins(%arg2 : tensor<f32>) outs(%0 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<f32>
    %2 = tensor.empty() : tensor<2x2x4x4xi1>
    %3 = linalg.generic {indexing_maps = [#map21, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x4xi1>) outs(%2 : tensor<2x2x4x4xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<2x2x4x4xi1>
    %4 = tensor.empty() : tensor<2x2x4x4xf32>
    %5 = linalg.generic {indexing_maps = [#map12, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<f32>) outs(%4 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x2x4x4xf32>
    %6 = tensor.empty() : tensor<2x2x4x4xf32>
    %7 = linalg.generic {indexing_maps = [#map13, #map13, #map13, #map13], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3, %arg1, %5 : tensor<2x2x4x4xi1>, tensor<2x2x4x4xf32>, tensor<2x2x4x4xf32>) outs(%6 : tensor<2x2x4x4xf32>) {
    ^bb0(%in: i1, %in_0: f32, %in_1: f32, %out: f32):
      %8 = arith.select %in, %in_0, %in_1 : f32
      linalg.yield %8 : f32
    } -> tensor<2x2x4x4xf32>
    return %7 : tensor<2x2x4x4xf32>
  }
}
