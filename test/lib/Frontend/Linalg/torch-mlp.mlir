// RUN: nibble-opt %s --nibble-recognize-linear="function=forward parameters=1:fc1.weight,2:fc1.bias,3:fc2.weight" | FileCheck %s
// RUN: nibble-opt %s --nibble-recognize-linear="function=forward parameters=1:fc1.weight,2:fc1.bias,3:fc2.weight" --nibble-quantize=group-size=16 --nibble-differentiate="function=forward" --nibble-build-update --nibble-hoist-quantize --nibble-fuse --nibble-verify-stage=stage=hoist --nibble-verify-stage=stage=fuse | FileCheck %s --check-prefix=STEP

// PyTorch stores weights as [N, K] and transposes them at every call. nn.linear reads them without a transpose.
// CHECK-LABEL: func.func @forward(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x16xf32> {nn.input = "arg0"}, %[[W1:[a-z0-9]+]]: tensor<32x16xf32> {nn.parameter = "fc1.weight"}
// CHECK-SAME: %[[B1:[a-z0-9]+]]: tensor<32xf32> {nn.parameter = "fc1.bias"}, %[[W2:[a-z0-9]+]]: tensor<8x32xf32> {nn.parameter = "fc2.weight"}
// CHECK-SAME: -> (tensor<f32> {nn.output = "result0"})
// CHECK-NOT: linalg.transpose
// CHECK: nn.linear %[[X]], %[[W1]] : tensor<?x16xf32>, tensor<32x16xf32> -> tensor<?x32xf32>
// CHECK: nn.linear %{{.*}}, %[[W2]] : tensor<?x32xf32>, tensor<8x32xf32> -> tensor<?x8xf32>
// CHECK-NOT: linalg.matmul

// STEP-LABEL: func.func @train_step(
// STEP-SAME: !qat.packed<32x16, <int4, group_size = 16>, host> {nn.parameter = "fc1.weight"}
// STEP-SAME: !qat.packed<8x32, <int4, group_size = 16>, host> {nn.parameter = "fc2.weight"}
// STEP: qat.linear
// STEP: qat.linear
// STEP: nn.linear_weight_grad
// STEP: qat.linear_input_grad
// STEP: nn.linear_weight_grad
// STEP-NOT: qat.linear_input_grad
// STEP: return
// STEP-LABEL: func.func @update(

// Handwritten in the style of torch-mlir's linalg-on-tensors output, for `mean((fc2(relu(fc1(x))) - y) ** 2)`. fc2 has no bias, and
// parameters are arguments.
#map = affine_map<(d0, d1) -> (d0, d1)>
#map1 = affine_map<(d0, d1) -> (d1)>
#map2 = affine_map<(d0, d1) -> ()>
#map3 = affine_map<() -> ()>
module {
  func.func @forward(%arg0: tensor<?x16xf32>, %arg1: tensor<32x16xf32>, %arg2: tensor<32xf32>, %arg3: tensor<8x32xf32>, %arg4: tensor<?x8xf32>) -> tensor<f32> {
    %c0 = arith.constant 0 : index
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<16x32xf32>
    %transposed = linalg.transpose ins(%arg1 : tensor<32x16xf32>) outs(%0 : tensor<16x32xf32>) permutation = [1, 0]
    %dim = tensor.dim %arg0, %c0 : tensor<?x16xf32>
    %1 = tensor.empty(%dim) : tensor<?x32xf32>
    %2 = linalg.fill ins(%cst : f32) outs(%1 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %3 = linalg.matmul ins(%arg0, %transposed : tensor<?x16xf32>, tensor<16x32xf32>) outs(%2 : tensor<?x32xf32>) -> tensor<?x32xf32>
    %4 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel"]} ins(%3, %arg2 : tensor<?x32xf32>, tensor<32xf32>) outs(%1 : tensor<?x32xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %16 = arith.addf %in, %in_2 : f32
      linalg.yield %16 : f32
    } -> tensor<?x32xf32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%4 : tensor<?x32xf32>) outs(%1 : tensor<?x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %16 = arith.cmpf ugt, %in, %cst : f32
      %17 = arith.select %16, %in, %cst : f32
      linalg.yield %17 : f32
    } -> tensor<?x32xf32>
    %6 = tensor.empty() : tensor<32x8xf32>
    %transposed_1 = linalg.transpose ins(%arg3 : tensor<8x32xf32>) outs(%6 : tensor<32x8xf32>) permutation = [1, 0]
    %7 = tensor.empty(%dim) : tensor<?x8xf32>
    %8 = linalg.fill ins(%cst : f32) outs(%7 : tensor<?x8xf32>) -> tensor<?x8xf32>
    %9 = linalg.matmul ins(%5, %transposed_1 : tensor<?x32xf32>, tensor<32x8xf32>) outs(%8 : tensor<?x8xf32>) -> tensor<?x8xf32>
    %10 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel"]} ins(%9, %arg4 : tensor<?x8xf32>, tensor<?x8xf32>) outs(%7 : tensor<?x8xf32>) {
    ^bb0(%in: f32, %in_2: f32, %out: f32):
      %16 = arith.subf %in, %in_2 : f32
      linalg.yield %16 : f32
    } -> tensor<?x8xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%10 : tensor<?x8xf32>) outs(%7 : tensor<?x8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %16 = arith.mulf %in, %in : f32
      linalg.yield %16 : f32
    } -> tensor<?x8xf32>
    %12 = tensor.empty() : tensor<f32>
    %13 = linalg.fill ins(%cst : f32) outs(%12 : tensor<f32>) -> tensor<f32>
    %14 = linalg.generic {indexing_maps = [#map, #map2], iterator_types = ["reduction", "reduction"]} ins(%11 : tensor<?x8xf32>) outs(%13 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %16 = arith.addf %in, %out : f32
      linalg.yield %16 : f32
    } -> tensor<f32>
    %c8_i64 = arith.constant 8 : i64
    %rows = arith.index_cast %dim : index to i64
    %count = arith.muli %rows, %c8_i64 : i64
    %number = arith.sitofp %count : i64 to f32
    %15 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = []} ins(%14 : tensor<f32>) outs(%12 : tensor<f32>) {
    ^bb0(%in: f32, %out: f32):
      %16 = arith.divf %in, %number : f32
      linalg.yield %16 : f32
    } -> tensor<f32>
    return %15 : tensor<f32>
  }
}
