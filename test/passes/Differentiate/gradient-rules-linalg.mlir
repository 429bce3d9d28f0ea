// RUN: nibble-opt %s -split-input-file --nibble-differentiate="function=f seed=arguments wrt=args=0,1 result-function=g" | FileCheck %s

// The gradient of a contraction is a contraction: the operand's map names what is kept, everything else is summed, and what the body does not
// read is no operand.

// CHECK-DAG: #[[MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[A:[a-z0-9]+]]: tensor<?x3xf32>, %[[B:[a-z0-9]+]]: tensor<3x4xf32>, %{{.*}}, %[[DY:[a-z0-9]+]]: tensor<?x4xf32>
// CHECK: %[[DA:.*]] = linalg.generic {indexing_maps = [#[[KN]], #[[MN]], #[[MK]]], iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[B]], %[[DY]] :
// CHECK-NEXT: ^bb0(%[[BV:.*]]: f32, %[[DV:.*]]: f32, %[[OUT:.*]]: f32):
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[DV]], %[[BV]] : f32
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[OUT]], %[[P]] : f32
// CHECK-NEXT: linalg.yield %[[S]]
// CHECK: %[[DB:.*]] = linalg.generic {indexing_maps = [#[[MK]], #[[MN]], #[[KN]]], iterator_types = ["reduction", "parallel", "parallel"]} ins(%[[A]], %[[DY]] :
// CHECK: return %{{.*}}, %[[DA]], %[[DB]]
func.func @f(%a: tensor<?x3xf32>, %b: tensor<3x4xf32>, %c: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = linalg.matmul ins(%a, %b : tensor<?x3xf32>, tensor<3x4xf32>) outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// Elementwise in bf16: one loop for both operands, float32 inside, each gradient rounded once.

// CHECK-LABEL: func.func @g(
// CHECK: %[[D:.*]]:2 = linalg.generic {{.*}}iterator_types = ["parallel"]} ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?xbf16>, tensor<?xbf16>, tensor<?xbf16>) outs(%{{.*}}, %{{.*}} : tensor<?xbf16>, tensor<?xbf16>)
// CHECK: arith.extf %{{.*}} : bf16 to f32
// CHECK: arith.mulf %{{.*}}, %{{.*}} : f32
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: linalg.yield %{{.*}}, %{{.*}} : bf16, bf16
// CHECK: return %{{.*}}, %[[D]]#0, %[[D]]#1
func.func @f(%a: tensor<?xbf16>, %b: tensor<?xbf16>) -> tensor<?xbf16> {
  %y = linalg.mul ins(%a, %b : tensor<?xbf16>, tensor<?xbf16>) outs(%a : tensor<?xbf16>) -> tensor<?xbf16>
  return %y : tensor<?xbf16>
}

// -----

// A broadcast sums, in float32; a sum broadcasts.

// CHECK-LABEL: func.func @g(
// CHECK: %[[DU:.*]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%{{.*}} : tensor<2xf32>) outs(%{{.*}} : tensor<2x3xf32>)
// CHECK: %[[DB:.*]] = linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]} ins(%[[DU]] : tensor<2x3xf32>) outs(%{{.*}} : tensor<3xf32>)
func.func @f(%b: tensor<3xf32>, %c: tensor<2xf32>) -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2x3xf32>
  %u = linalg.broadcast ins(%b : tensor<3xf32>) outs(%e : tensor<2x3xf32>) dimensions = [0]
  %y = linalg.reduce {arith.addf} ins(%u : tensor<2x3xf32>) outs(%c : tensor<2xf32>) dimensions = [1]
  return %y : tensor<2xf32>
}

// -----

// A maximum's gradient is shared by the terms that are equal to it.

// CHECK-LABEL: func.func @g(
// CHECK: %[[M:.*]] = linalg.reduce { arith.maximumf }
// CHECK: %[[TIES:.*]] = linalg.generic
// CHECK: arith.cmpf oeq
// CHECK: linalg.generic {{.*}}ins(%{{.*}}, %{{.*}}, %[[M]], %[[TIES]] :
// CHECK: arith.divf
// CHECK: arith.select
func.func @f(%a: tensor<2x5xf32>, %unused: f32) -> tensor<2xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2xf32>
  %m = linalg.reduce {arith.maximumf} ins(%a : tensor<2x5xf32>) outs(%low : tensor<2xf32>) dimensions = [1]
  return %m : tensor<2xf32>
}

// -----

// What moved comes back: slices into zeros, parts out of a concatenation.

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %[[DS:[a-z0-9]+]]: tensor<2x3xf32> {nn.input = "gradient:result0"}, %[[DC:[a-z0-9]+]]: tensor<4x7xf32> {nn.input = "gradient:result1"}
// CHECK: %[[A1:.*]] = tensor.extract_slice %[[DC]][0, 0] [4, 6] [1, 1] : tensor<4x7xf32> to tensor<4x6xf32>
// CHECK: %[[B1:.*]] = tensor.extract_slice %[[DC]][0, 6] [4, 1] [1, 1] : tensor<4x7xf32> to tensor<4x1xf32>
// CHECK: %[[A2:.*]] = tensor.insert_slice %[[DS]] into %{{.*}}[1, 0] [2, 3] [1, 2] : tensor<2x3xf32> into tensor<4x6xf32>
// CHECK: %[[DA:.*]] = arith.addf %[[A1]], %[[A2]]
// CHECK: return %{{.*}}, %{{.*}}, %[[DA]], %[[B1]]
func.func @f(%a: tensor<4x6xf32>, %b: tensor<4x1xf32>) -> (tensor<2x3xf32>, tensor<4x7xf32>) {
  %s = tensor.extract_slice %a[1, 0] [2, 3] [1, 2] : tensor<4x6xf32> to tensor<2x3xf32>
  %c = tensor.concat dim(1) %a, %b : (tensor<4x6xf32>, tensor<4x1xf32>) -> tensor<4x7xf32>
  return %s, %c : tensor<2x3xf32>, tensor<4x7xf32>
}
