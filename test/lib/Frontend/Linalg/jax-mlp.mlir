// RUN: nibble-opt %s --nibble-recognize-linear="parameters=0:b1,1:b2,2:w1,3:w2" | FileCheck %s
// RUN: nibble-opt %s --nibble-recognize-linear="parameters=0:b1,1:b2,2:w1,3:w2" --nibble-quantize=group-size=16 --nibble-differentiate=function=main --nibble-build-update --nibble-hoist-quantize --nibble-fuse --nibble-verify-stage=stage=hoist | FileCheck %s --check-prefix=STEP

// JAX stores weights as [K, N], so the arguments are transposed.
// CHECK-LABEL: func.func public @main(
// CHECK-SAME: %[[W1:[a-z0-9]+]]: tensor<32x16xf32> {nn.parameter = "w1", nn.transposed}, %[[W2:[a-z0-9]+]]: tensor<8x32xf32> {nn.parameter = "w2", nn.transposed}
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4x16xf32> {nn.input = "arg4"}
// CHECK: nn.linear %[[X]], %[[W1]]
// CHECK: nn.linear %{{.*}}, %[[W2]]
// CHECK-NOT: linalg.matmul

// @log_softmax, a private function from JAX, gets a backward function of its own.
// STEP-LABEL: func.func @train_step(
// STEP: qat.linear
// STEP: qat.linear
// STEP: call @log_softmax(
// STEP: call @log_softmax_backward(
// STEP: qat.linear_input_grad

// The module as JAX 0.10.2 wrote it (make_jax_modules.py). Its first arguments are b1, b2, w1, w2.
#map = affine_map<(d0, d1) -> (d1)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>
#map2 = affine_map<(d0, d1) -> (0, d1)>
#map3 = affine_map<(d0, d1) -> ()>
#map4 = affine_map<(d0, d1) -> (d0)>
#map5 = affine_map<(d0) -> (d0)>
#map6 = affine_map<(d0) -> ()>
#map7 = affine_map<() -> ()>
#map8 = affine_map<(d0, d1) -> (d0, 0)>
module @jit_mlp attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<32xf32>, %arg1: tensor<8xf32>, %arg2: tensor<16x32xf32>, %arg3: tensor<32x8xf32>, %arg4: tensor<4x16xf32>, %arg5: tensor<4x8xf32>) -> (tensor<f32>) {
    %0 = tensor.empty() : tensor<4x32xf32>
    %cst = arith.constant 0.000000e+00 : f32
    %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %2 = linalg.matmul ins(%arg4, %arg2 : tensor<4x16xf32>, tensor<16x32xf32>) outs(%1 : tensor<4x32xf32>) -> tensor<4x32xf32>
    %3 = tensor.empty() : tensor<1x32xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg0 : tensor<32xf32>) outs(%3 : tensor<1x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x32xf32>
    %5 = tensor.empty() : tensor<4x32xf32>
    %6 = linalg.generic {indexing_maps = [#map2, #map1], iterator_types = ["parallel", "parallel"]} ins(%4 : tensor<1x32xf32>) outs(%5 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x32xf32>
    %7 = tensor.empty() : tensor<4x32xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%2, %6 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%7 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.addf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %9 = tensor.empty() : tensor<4x32xf32>
    %10 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%8, %8 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%9 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %11 = tensor.empty() : tensor<4x32xf32>
    %12 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%10, %8 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%11 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %cst_0 = arith.constant dense<4.471500e-02> : tensor<f32>
    %13 = tensor.empty() : tensor<4x32xf32>
    %14 = linalg.generic {indexing_maps = [#map3, #map1], iterator_types = ["parallel", "parallel"]} ins(%cst_0 : tensor<f32>) outs(%13 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x32xf32>
    %15 = tensor.empty() : tensor<4x32xf32>
    %16 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%14, %12 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%15 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %17 = tensor.empty() : tensor<4x32xf32>
    %18 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%8, %16 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%17 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.addf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %cst_1 = arith.constant dense<0.797884583> : tensor<f32>
    %19 = tensor.empty() : tensor<4x32xf32>
    %20 = linalg.generic {indexing_maps = [#map3, #map1], iterator_types = ["parallel", "parallel"]} ins(%cst_1 : tensor<f32>) outs(%19 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x32xf32>
    %21 = tensor.empty() : tensor<4x32xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%20, %18 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%21 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %23 = tensor.empty() : tensor<4x32xf32>
    %24 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%22 : tensor<4x32xf32>) outs(%23 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = math.tanh %in : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %cst_2 = arith.constant dense<1.000000e+00> : tensor<f32>
    %25 = tensor.empty() : tensor<4x32xf32>
    %26 = linalg.generic {indexing_maps = [#map3, #map1], iterator_types = ["parallel", "parallel"]} ins(%cst_2 : tensor<f32>) outs(%25 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x32xf32>
    %27 = tensor.empty() : tensor<4x32xf32>
    %28 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%26, %24 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%27 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.addf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %cst_3 = arith.constant dense<5.000000e-01> : tensor<f32>
    %29 = tensor.empty() : tensor<4x32xf32>
    %30 = linalg.generic {indexing_maps = [#map3, #map1], iterator_types = ["parallel", "parallel"]} ins(%cst_3 : tensor<f32>) outs(%29 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x32xf32>
    %31 = tensor.empty() : tensor<4x32xf32>
    %32 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%30, %28 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%31 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %33 = tensor.empty() : tensor<4x32xf32>
    %34 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%8, %32 : tensor<4x32xf32>, tensor<4x32xf32>) outs(%33 : tensor<4x32xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x32xf32>
    %35 = tensor.empty() : tensor<4x8xf32>
    %cst_4 = arith.constant 0.000000e+00 : f32
    %36 = linalg.fill ins(%cst_4 : f32) outs(%35 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %37 = linalg.matmul ins(%34, %arg3 : tensor<4x32xf32>, tensor<32x8xf32>) outs(%36 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %38 = tensor.empty() : tensor<1x8xf32>
    %39 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg1 : tensor<8xf32>) outs(%38 : tensor<1x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<1x8xf32>
    %40 = tensor.empty() : tensor<4x8xf32>
    %41 = linalg.generic {indexing_maps = [#map2, #map1], iterator_types = ["parallel", "parallel"]} ins(%39 : tensor<1x8xf32>) outs(%40 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x8xf32>
    %42 = tensor.empty() : tensor<4x8xf32>
    %43 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%37, %41 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%42 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.addf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x8xf32>
    %44 = call @log_softmax(%43) : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %45 = tensor.empty() : tensor<4x8xf32>
    %46 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%44, %arg5 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%45 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_11: f32, %out: f32):
      %57 = arith.mulf %in, %in_11 : f32
      linalg.yield %57 : f32
    } -> tensor<4x8xf32>
    %cst_5 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_6 = arith.constant 0.000000e+00 : f32
    %47 = tensor.empty() : tensor<4xf32>
    %48 = linalg.fill ins(%cst_6 : f32) outs(%47 : tensor<4xf32>) -> tensor<4xf32>
    %49 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "reduction"]} ins(%46 : tensor<4x8xf32>) outs(%48 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_11 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_11[] : tensor<f32>
      %extracted_12 = tensor.extract %from_elements[] : tensor<f32>
      %57 = arith.addf %extracted, %extracted_12 : f32
      %from_elements_13 = tensor.from_elements %57 : tensor<f32>
      %extracted_14 = tensor.extract %from_elements_13[] : tensor<f32>
      linalg.yield %extracted_14 : f32
    } -> tensor<4xf32>
    %cst_7 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_8 = arith.constant 0.000000e+00 : f32
    %50 = tensor.empty() : tensor<f32>
    %51 = linalg.fill ins(%cst_8 : f32) outs(%50 : tensor<f32>) -> tensor<f32>
    %52 = linalg.generic {indexing_maps = [#map5, #map6], iterator_types = ["reduction"]} ins(%49 : tensor<4xf32>) outs(%51 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_11 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_11[] : tensor<f32>
      %extracted_12 = tensor.extract %from_elements[] : tensor<f32>
      %57 = arith.addf %extracted, %extracted_12 : f32
      %from_elements_13 = tensor.from_elements %57 : tensor<f32>
      %extracted_14 = tensor.extract %from_elements_13[] : tensor<f32>
      linalg.yield %extracted_14 : f32
    } -> tensor<f32>
    %cst_9 = arith.constant dense<4.000000e+00> : tensor<f32>
    %53 = tensor.empty() : tensor<f32>
    %cst_10 = arith.constant 4.000000e+00 : f32
    %54 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = []} ins(%52 : tensor<f32>) outs(%53 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.divf %in, %cst_10 : f32
      linalg.yield %57 : f32
    } -> tensor<f32>
    %55 = tensor.empty() : tensor<f32>
    %56 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = []} ins(%54 : tensor<f32>) outs(%55 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.negf %in : f32
      linalg.yield %57 : f32
    } -> tensor<f32>
    return %56 : tensor<f32>
  }
  func.func private @log_softmax(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32> {
    %cst = arith.constant dense<0xFF800000> : tensor<f32>
    %cst_0 = arith.constant 0xFF800000 : f32
    %0 = tensor.empty() : tensor<4xf32>
    %1 = linalg.fill ins(%cst_0 : f32) outs(%0 : tensor<4xf32>) -> tensor<4xf32>
    %2 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "reduction"]} ins(%arg0 : tensor<4x8xf32>) outs(%1 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_4 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_4[] : tensor<f32>
      %extracted_5 = tensor.extract %from_elements[] : tensor<f32>
      %26 = arith.maximumf %extracted, %extracted_5 : f32
      %from_elements_6 = tensor.from_elements %26 : tensor<f32>
      %extracted_7 = tensor.extract %from_elements_6[] : tensor<f32>
      linalg.yield %extracted_7 : f32
    } -> tensor<4xf32>
    %cst_1 = arith.constant dense<0xFF800000> : tensor<f32>
    %3 = tensor.empty() : tensor<4xf32>
    %4 = linalg.generic {indexing_maps = [#map6, #map5], iterator_types = ["parallel"]} ins(%cst_1 : tensor<f32>) outs(%3 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4xf32>
    %5 = tensor.empty() : tensor<4xf32>
    %6 = linalg.generic {indexing_maps = [#map5, #map5, #map5], iterator_types = ["parallel"]} ins(%4, %2 : tensor<4xf32>, tensor<4xf32>) outs(%5 : tensor<4xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %26 = arith.maximumf %in, %in_4 : f32
      linalg.yield %26 : f32
    } -> tensor<4xf32>
    %7 = tensor.empty() : tensor<4x1xf32>
    %8 = linalg.generic {indexing_maps = [#map4, #map1], iterator_types = ["parallel", "parallel"]} ins(%6 : tensor<4xf32>) outs(%7 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x1xf32>
    %9 = tensor.empty() : tensor<4x8xf32>
    %10 = linalg.generic {indexing_maps = [#map8, #map1], iterator_types = ["parallel", "parallel"]} ins(%8 : tensor<4x1xf32>) outs(%9 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x8xf32>
    %11 = tensor.empty() : tensor<4x8xf32>
    %12 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%arg0, %10 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%11 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %26 = arith.subf %in, %in_4 : f32
      linalg.yield %26 : f32
    } -> tensor<4x8xf32>
    %13 = tensor.empty() : tensor<4x8xf32>
    %14 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%12 : tensor<4x8xf32>) outs(%13 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %26 = math.exp %in : f32
      linalg.yield %26 : f32
    } -> tensor<4x8xf32>
    %cst_2 = arith.constant dense<0.000000e+00> : tensor<f32>
    %cst_3 = arith.constant 0.000000e+00 : f32
    %15 = tensor.empty() : tensor<4xf32>
    %16 = linalg.fill ins(%cst_3 : f32) outs(%15 : tensor<4xf32>) -> tensor<4xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map4], iterator_types = ["parallel", "reduction"]} ins(%14 : tensor<4x8xf32>) outs(%16 : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %from_elements = tensor.from_elements %in : tensor<f32>
      %from_elements_4 = tensor.from_elements %out : tensor<f32>
      %extracted = tensor.extract %from_elements_4[] : tensor<f32>
      %extracted_5 = tensor.extract %from_elements[] : tensor<f32>
      %26 = arith.addf %extracted, %extracted_5 : f32
      %from_elements_6 = tensor.from_elements %26 : tensor<f32>
      %extracted_7 = tensor.extract %from_elements_6[] : tensor<f32>
      linalg.yield %extracted_7 : f32
    } -> tensor<4xf32>
    %18 = tensor.empty() : tensor<4x1xf32>
    %19 = linalg.generic {indexing_maps = [#map4, #map1], iterator_types = ["parallel", "parallel"]} ins(%17 : tensor<4xf32>) outs(%18 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x1xf32>
    %20 = tensor.empty() : tensor<4x1xf32>
    %21 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%19 : tensor<4x1xf32>) outs(%20 : tensor<4x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %26 = math.log %in : f32
      linalg.yield %26 : f32
    } -> tensor<4x1xf32>
    %22 = tensor.empty() : tensor<4x8xf32>
    %23 = linalg.generic {indexing_maps = [#map8, #map1], iterator_types = ["parallel", "parallel"]} ins(%21 : tensor<4x1xf32>) outs(%22 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x8xf32>
    %24 = tensor.empty() : tensor<4x8xf32>
    %25 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%12, %23 : tensor<4x8xf32>, tensor<4x8xf32>) outs(%24 : tensor<4x8xf32>) {
    ^bb0(%in: f32, %in_4: f32, %out: f32):
      %26 = arith.subf %in, %in_4 : f32
      linalg.yield %26 : f32
    } -> tensor<4x8xf32>
    return %25 : tensor<4x8xf32>
  }
}
