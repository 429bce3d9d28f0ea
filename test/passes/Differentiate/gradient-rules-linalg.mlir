// RUN: nibble-opt %s -split-input-file --nibble-differentiate="function=f seed=arguments wrt=args=0,1 result-function=g" | FileCheck %s

// The gradient of a contraction is a contraction. The operand's map names the kept dimensions, and all others are summed. What the body
// does not read is no operand.

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

// Elementwise in bf16: one loop for both operands, float32 inside, and each gradient rounded once.

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

// The gradient of a broadcast is a sum, in float32. The gradient of a sum is a broadcast.

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

// A maximum's gradient is divided among the terms that are equal to it.

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

// The gradient of data movement moves back: slices into zeros, parts out of a concatenation.

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

// -----

// A maximum with an index, as in torch-mlir's softmax: the gradient goes to the term at that index.

// CHECK-LABEL: func.func @g(
// CHECK: %[[M:.*]]:2 = linalg.generic
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel"]} ins(%{{.*}}, %[[M]]#1 : tensor<2xf32>, tensor<2xi64>) outs(%{{.*}} : tensor<2x5xf32>)
// CHECK-NEXT: ^bb0(%[[DY:.*]]: f32, %[[PLACE:.*]]: i64, %{{.*}}: f32):
// CHECK-NEXT: %[[I:.*]] = linalg.index 1
// CHECK-NEXT: %[[K:.*]] = arith.index_cast %[[I]]
// CHECK-NEXT: %[[MINE:.*]] = arith.cmpi eq, %[[K]], %[[PLACE]]
// CHECK: arith.select %[[MINE]], %[[DY]],
func.func @f(%a: tensor<2x5xf32>, %unused: f32) -> tensor<2xf32> {
  %low = arith.constant dense<0xFF800000> : tensor<2xf32>
  %none = arith.constant dense<0> : tensor<2xi64>
  %m:2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<2x5xf32>) outs(%low, %none : tensor<2xf32>, tensor<2xi64>) {
  ^bb0(%x: f32, %o: f32, %p: i64):
    %n = linalg.index 1 : index
    %k = arith.index_cast %n : index to i64
    %y = arith.maximumf %x, %o : f32
    %c = arith.cmpf ogt, %x, %o : f32
    %q = arith.select %c, %k, %p : i64
    linalg.yield %y, %q : f32, i64
  } -> (tensor<2xf32>, tensor<2xi64>)
  return %m#0 : tensor<2xf32>
}

// -----

// A convolution: the input's gradient is summed through the window, whose loops become reductions.

// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d1, d3, d4)>
// CHECK-DAG: #[[Y:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d3, d2 * 2 + d4)>
// CHECK-LABEL: func.func @g(
// CHECK: linalg.generic {indexing_maps = [#[[W]], #[[Y]], #[[X]]], iterator_types = ["parallel", "reduction", "reduction", "parallel", "reduction"]}
// CHECK: linalg.generic {indexing_maps = [#[[X]], #[[Y]], #[[W]]], iterator_types = ["reduction", "parallel", "reduction", "parallel", "parallel"]}
func.func @f(%x: tensor<1x2x9xf32>, %w: tensor<4x2x3xf32>) -> tensor<1x4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<1x4x4xf32>
  %y = linalg.conv_1d_ncw_fcw {strides = dense<2> : vector<1xi64>} ins(%x, %w : tensor<1x2x9xf32>, tensor<4x2x3xf32>) outs(%z : tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  return %y : tensor<1x4x4xf32>
}

// -----

// A maximum over windows: the first of equal terms gets the gradient.

// CHECK-LABEL: func.func @g(
// CHECK: %[[M:.*]] = linalg.pooling_ncw_max
// CHECK: %[[FIRST:.*]] = linalg.generic {{.*}}ins(%{{.*}}, %{{.*}}, %[[M]] : {{.*}}) outs(%{{.*}} : tensor<1x2x4xi64>)
// CHECK: arith.minsi
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%{{.*}}, %{{.*}}, %[[FIRST]] :
func.func @f(%x: tensor<1x2x9xf32>, %unused: f32) -> tensor<1x2x4xf32> {
  %k = tensor.empty() : tensor<3xf32>
  %z = arith.constant dense<0xFF800000> : tensor<1x2x4xf32>
  %y = linalg.pooling_ncw_max {strides = dense<2> : vector<1xi64>} ins(%x, %k : tensor<1x2x9xf32>, tensor<3xf32>) outs(%z : tensor<1x2x4xf32>) -> tensor<1x2x4xf32>
  return %y : tensor<1x2x4xf32>
}

// -----

// A gather: each element's gradient is added at the place that was read. The assertion is not repeated, since the forward made it.

// CHECK-LABEL: func.func @g(
// CHECK-SAME: %{{.*}}: tensor<10x8xbf16>, %{{.*}}: f32, %[[TOKENS:[a-z0-9]+]]: tensor<?xi64>, %{{[a-z0-9]+}}: tensor<?x8xbf16>, %[[DY:[a-z0-9]+]]: tensor<?x8xbf16>
// CHECK: scf.for %[[T:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args({{.*}}) -> (tensor<10x8xf32>)
// CHECK-NEXT: scf.for %[[D:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[SUM:.*]] = %{{.*}}) -> (tensor<10x8xf32>)
// CHECK-NOT: cf.assert
// CHECK-DAG: %[[TOKEN:.*]] = tensor.extract %[[TOKENS]][%[[T]]]
// CHECK-DAG: %[[ROW:.*]] = arith.index_cast %[[TOKEN]]
// CHECK-DAG: %[[G:.*]] = tensor.extract %[[DY]][%[[T]], %[[D]]]
// CHECK-DAG: %[[WIDE:.*]] = arith.extf %[[G]] : bf16 to f32
// CHECK: %[[BEFORE:.*]] = tensor.extract %[[SUM]][%[[ROW]], %[[D]]]
// CHECK: %[[AFTER:.*]] = arith.addf %[[BEFORE]], %[[WIDE]]
// CHECK: tensor.insert %[[AFTER]] into %[[SUM]][%[[ROW]], %[[D]]]
func.func @f(%table: tensor<10x8xbf16>, %unused: f32, %tokens: tensor<?xi64>, %e: tensor<?x8xbf16>) -> tensor<?x8xbf16> {
  %y = linalg.generic {indexing_maps = [affine_map<(t, d) -> (t)>, affine_map<(t, d) -> (t, d)>], iterator_types = ["parallel", "parallel"]} ins(%tokens : tensor<?xi64>) outs(%e : tensor<?x8xbf16>) {
  ^bb0(%token: i64, %o: bf16):
    %row = arith.index_cast %token : i64 to index
    %zero = arith.constant 0 : i64
    %valid = arith.cmpi sge, %token, %zero : i64
    cf.assert %valid, "index must be larger or equal to 0"
    %d = linalg.index 1 : index
    %v = tensor.extract %table[%row, %d] : tensor<10x8xbf16>
    linalg.yield %v : bf16
  } -> tensor<?x8xbf16>
  return %y : tensor<?x8xbf16>
}

// -----

// A power with a known integer exponent needs no division and no logarithm.

// CHECK-LABEL: func.func @g(
// CHECK: linalg.generic
// CHECK: linalg.generic
// CHECK: %[[P:.*]] = math.fpowi %{{.*}}, %c2_i64 : f32, i64
// CHECK: arith.mulf %{{.*}}, %[[P]]
func.func @f(%a: tensor<4xf32>, %unused: f32) -> tensor<4xf32> {
  %n = arith.constant 3 : i64
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %p = math.fpowi %x, %n : f32, i64
    linalg.yield %p : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// In the step, a softmax is decomposed.

// CHECK-LABEL: func.func @g(
// CHECK-NOT: linalg.softmax
// CHECK: arith.maxnumf
// CHECK: math.exp
// CHECK: arith.divf
// CHECK: return
func.func @f(%a: tensor<2x5xf32>, %unused: f32) -> tensor<2x5xf32> {
  %e = tensor.empty() : tensor<2x5xf32>
  %y = linalg.softmax dimension(1) ins(%a : tensor<2x5xf32>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
