// The forms in which exporters write a product with a weight. Each becomes nn.linear of the parameter itself, without a message.
// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear=strict | FileCheck %s
// RUN: nibble-opt %s -split-input-file --nibble-recognize-linear=strict --nibble-quantize="group-size=16 strict" | FileCheck %s --check-prefix=QUANT

// torch-mlir in bf16: the weight is transposed, then widened. A bias follows, and the sum is rounded to bf16.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x64xbf16>{{.*}}, %[[W:[a-z0-9]+]]: tensor<96x64xbf16>
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%[[X]] :
// CHECK: nn.linear %[[WIDE]], %[[W]] : tensor<?x64xf32>, tensor<96x64xbf16> -> tensor<?x96xf32>
// CHECK-NOT: linalg.matmul
// QUANT-LABEL: func.func @main(
// QUANT: qat.fake_quant {{.*}} : tensor<96x64xbf16>
#mn = affine_map<(i, j) -> (i, j)>
#n = affine_map<(i, j) -> (j)>
func.func @main(%x: tensor<?x64xbf16>, %w: tensor<96x64xbf16> {nn.parameter = "w"}, %b: tensor<96xf32> {nn.parameter = "b"}) -> tensor<?x96xbf16> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e0 = tensor.empty() : tensor<64x96xbf16>
  %turned = linalg.transpose ins(%w : tensor<96x64xbf16>) outs(%e0 : tensor<64x96xbf16>) permutation = [1, 0]
  %e1 = tensor.empty(%t) : tensor<?x64xf32>
  %xf = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x64xbf16>) outs(%e1 : tensor<?x64xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %0 = arith.extf %in : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<?x64xf32>
  %e2 = tensor.empty() : tensor<64x96xf32>
  %wf = linalg.generic {indexing_maps = [#mn, #mn], iterator_types = ["parallel", "parallel"]} ins(%turned : tensor<64x96xbf16>) outs(%e2 : tensor<64x96xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %0 = arith.extf %in : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<64x96xf32>
  %e3 = tensor.empty(%t) : tensor<?x96xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x96xf32>) -> tensor<?x96xf32>
  %y = linalg.matmul ins(%xf, %wf : tensor<?x64xf32>, tensor<64x96xf32>) outs(%z : tensor<?x96xf32>) -> tensor<?x96xf32>
  %e4 = tensor.empty(%t) : tensor<?x96xbf16>
  %r = linalg.generic {indexing_maps = [#mn, #n, #mn], iterator_types = ["parallel", "parallel"]} ins(%y, %b : tensor<?x96xf32>, tensor<96xf32>) outs(%e4 : tensor<?x96xbf16>) {
  ^bb0(%in: f32, %bias: f32, %out: bf16):
    %0 = arith.addf %in, %bias : f32
    %1 = arith.truncf %0 : f32 to bf16
    linalg.yield %1 : bf16
  } -> tensor<?x96xbf16>
  return %r : tensor<?x96xbf16>
}

// -----

// The weight is widened and then transposed by a linalg.generic; or widened as a whole tensor.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<96x64xbf16> {nn.parameter = "w"}, %[[V:[a-z0-9]+]]: tensor<32x96xbf16>
// CHECK: %[[Y:.*]] = nn.linear %{{.*}}, %[[W]] : tensor<4x64xf32>, tensor<96x64xbf16> -> tensor<4x96xf32>
// CHECK: nn.linear %[[Y]], %[[V]] : tensor<4x96xf32>, tensor<32x96xbf16> -> tensor<4x32xf32>
// QUANT-LABEL: func.func @main(
// QUANT-COUNT-2: qat.fake_quant
#same = affine_map<(i, j) -> (i, j)>
#turn = affine_map<(i, j) -> (j, i)>
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn3 = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<4x64xf32>, %w: tensor<96x64xbf16> {nn.parameter = "w"}, %v: tensor<32x96xbf16> {nn.parameter = "v"}) -> tensor<4x32xf32> {
  %z = arith.constant dense<0.0> : tensor<4x96xf32>
  %z2 = arith.constant dense<0.0> : tensor<4x32xf32>
  %e = tensor.empty() : tensor<96x64xf32>
  %wf = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<96x64xbf16>) outs(%e : tensor<96x64xf32>) {
  ^bb0(%in: bf16, %out: f32):
    %0 = arith.extf %in : bf16 to f32
    linalg.yield %0 : f32
  } -> tensor<96x64xf32>
  %e2 = tensor.empty() : tensor<64x96xf32>
  %t = linalg.generic {indexing_maps = [#turn, #same], iterator_types = ["parallel", "parallel"]} ins(%wf : tensor<96x64xf32>) outs(%e2 : tensor<64x96xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<64x96xf32>
  %y = linalg.matmul ins(%x, %t : tensor<4x64xf32>, tensor<64x96xf32>) outs(%z : tensor<4x96xf32>) -> tensor<4x96xf32>
  %vf = arith.extf %v : tensor<32x96xbf16> to tensor<32x96xf32>
  %r = linalg.matmul indexing_maps = [#mk, #nk, #mn3] ins(%y, %vf : tensor<4x96xf32>, tensor<32x96xf32>) outs(%z2 : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %r : tensor<4x32xf32>
}

// -----

// One vector: a single token.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<64xf32>{{.*}}, %[[W:[a-z0-9]+]]: tensor<32x64xf32> {nn.parameter = "w"}, %[[V:[a-z0-9]+]]: tensor<16x32xf32> {nn.parameter = "v", nn.transposed}
// CHECK: %[[ROW:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0, 1]] output_shape [1, 64]
// CHECK: %[[Y:.*]] = nn.linear %[[ROW]], %[[W]] : tensor<1x64xf32>, tensor<32x64xf32> -> tensor<1x32xf32>
// CHECK: nn.linear %{{.*}}, %[[V]] : tensor<1x32xf32>, tensor<16x32xf32> -> tensor<1x16xf32>
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0, 1]] : tensor<1x16xf32> into tensor<16xf32>
// QUANT-LABEL: func.func @main(
// QUANT-COUNT-2: qat.fake_quant
func.func @main(%x: tensor<64xf32>, %w: tensor<32x64xf32> {nn.parameter = "w"}, %v: tensor<32x16xf32> {nn.parameter = "v"}) -> tensor<16xf32> {
  %z32 = arith.constant dense<0.0> : tensor<32xf32>
  %z16 = arith.constant dense<0.0> : tensor<16xf32>
  %y = linalg.matvec ins(%w, %x : tensor<32x64xf32>, tensor<64xf32>) outs(%z32 : tensor<32xf32>) -> tensor<32xf32>
  %r = linalg.vecmat ins(%y, %v : tensor<32xf32>, tensor<32x16xf32>) outs(%z16 : tensor<16xf32>) -> tensor<16xf32>
  return %r : tensor<16xf32>
}

// -----

// A batch dimension of one was added to x and the weight, as torch.einsum does.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<8x64xf32>{{.*}}, %[[W:[a-z0-9]+]]: tensor<32x64xf32> {nn.parameter = "w", nn.transposed}
// CHECK: nn.linear %{{.*}}, %[[W]] : tensor<8x64xf32>, tensor<32x64xf32> -> tensor<8x32xf32>
// QUANT-LABEL: func.func @main(
// QUANT: qat.fake_quant
func.func @main(%x: tensor<8x64xf32>, %w: tensor<64x32xf32> {nn.parameter = "w"}) -> tensor<8x32xf32> {
  %z = arith.constant dense<0.0> : tensor<1x8x32xf32>
  %xe = tensor.expand_shape %x [[0, 1], [2]] output_shape [1, 8, 64] : tensor<8x64xf32> into tensor<1x8x64xf32>
  %we = tensor.expand_shape %w [[0, 1], [2]] output_shape [1, 64, 32] : tensor<64x32xf32> into tensor<1x64x32xf32>
  %y = linalg.batch_matmul ins(%xe, %we : tensor<1x8x64xf32>, tensor<1x64x32xf32>) outs(%z : tensor<1x8x32xf32>) -> tensor<1x8x32xf32>
  %r = tensor.collapse_shape %y [[0, 1], [2]] : tensor<1x8x32xf32> into tensor<8x32xf32>
  return %r : tensor<8x32xf32>
}

// -----

// The weight is on the left, and tokens do not come first. x and the result are transposed.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<64x?xf32>{{.*}}, %[[W:[a-z0-9]+]]: tensor<32x64xf32> {nn.parameter = "w"}
// CHECK: %[[XT:.*]] = linalg.transpose ins(%[[X]] : tensor<64x?xf32>) outs(%{{.*}} : tensor<?x64xf32>) permutation = [1, 0]
// CHECK: %[[Y:.*]] = nn.linear %[[XT]], %[[W]] : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
// CHECK: linalg.transpose ins(%[[Y]] : tensor<?x32xf32>) outs(%{{.*}} : tensor<32x?xf32>) permutation = [1, 0]
// QUANT-LABEL: func.func @main(
// QUANT: qat.fake_quant
func.func @main(%x: tensor<64x?xf32>, %w: tensor<32x64xf32> {nn.parameter = "w"}, %out: tensor<32x?xf32>) -> tensor<32x?xf32> {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%out : tensor<32x?xf32>) -> tensor<32x?xf32>
  %y = linalg.matmul ins(%w, %x : tensor<32x64xf32>, tensor<64x?xf32>) outs(%z : tensor<32x?xf32>) -> tensor<32x?xf32>
  return %y : tensor<32x?xf32>
}

// -----

// A product in a function of its own, to which every call passes a parameter; one fused multiply-add.
// CHECK-LABEL: func.func private @dense(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<64x64xf32>) ->
// CHECK: nn.linear %{{.*}}, %[[W]] : tensor<4x64xf32>, tensor<64x64xf32> -> tensor<4x64xf32>
// QUANT-LABEL: func.func private @dense(
// QUANT: qat.fake_quant
#amk = affine_map<(m, n, k) -> (m, k)>
#ank = affine_map<(m, n, k) -> (n, k)>
#amn = affine_map<(m, n, k) -> (m, n)>
func.func private @dense(%x: tensor<4x64xf32>, %w: tensor<64x64xf32>) -> tensor<4x64xf32> {
  %z = arith.constant dense<0.0> : tensor<4x64xf32>
  %y = linalg.generic {indexing_maps = [#amk, #ank, #amn], iterator_types = ["parallel", "parallel", "reduction"]} ins(%x, %w : tensor<4x64xf32>, tensor<64x64xf32>) outs(%z : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %s = math.fma %b, %a, %o : f32
    linalg.yield %s : f32
  } -> tensor<4x64xf32>
  return %y : tensor<4x64xf32>
}
func.func @main(%x: tensor<4x64xf32>, %w1: tensor<64x64xf32> {nn.parameter = "w1"}, %w2: tensor<64x64xf32> {nn.parameter = "w2"}) -> tensor<4x64xf32> {
  %y = call @dense(%x, %w1) : (tensor<4x64xf32>, tensor<64x64xf32>) -> tensor<4x64xf32>
  %z = call @dense(%y, %w2) : (tensor<4x64xf32>, tensor<64x64xf32>) -> tensor<4x64xf32>
  return %z : tensor<4x64xf32>
}

// -----

// nn.MultiheadAttention of torch-mlir. One projection makes queries and keys, which are reshaped, split and transposed. Their product is no
// linear. The output's projection follows.
// CHECK-LABEL: func.func @attention(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<12x16xf32>, %[[W:[a-z0-9]+]]: tensor<32x16xf32> {nn.parameter = "in_proj"}, %[[O:[a-z0-9]+]]: tensor<16x16xf32> {nn.parameter = "out_proj"}
// CHECK: nn.linear %[[X]], %[[W]] : tensor<12x16xf32>, tensor<32x16xf32> -> tensor<12x32xf32>
// CHECK: linalg.batch_matmul
// CHECK: nn.linear %{{.*}}, %[[O]] : tensor<6x16xf32>, tensor<16x16xf32> -> tensor<6x16xf32>
// QUANT-LABEL: func.func @attention(
// QUANT-DAG: qat.fake_quant {{.*}} : tensor<32x16xf32>
// QUANT-DAG: qat.fake_quant {{.*}} : tensor<16x16xf32>
func.func @attention(%x: tensor<12x16xf32>, %w: tensor<32x16xf32> {nn.parameter = "in_proj"}, %o: tensor<16x16xf32> {nn.parameter = "out_proj"}) -> tensor<6x16xf32> {
  %z = arith.constant dense<0.0> : tensor<12x32xf32>
  %zs = arith.constant dense<0.0> : tensor<6x4x4xf32>
  %zo = arith.constant dense<0.0> : tensor<6x16xf32>
  %ew = tensor.empty() : tensor<16x32xf32>
  %wt = linalg.transpose ins(%w : tensor<32x16xf32>) outs(%ew : tensor<16x32xf32>) permutation = [1, 0]
  %y = linalg.matmul ins(%x, %wt : tensor<12x16xf32>, tensor<16x32xf32>) outs(%z : tensor<12x32xf32>) -> tensor<12x32xf32>
  %split = tensor.expand_shape %y [[0, 1, 2], [3, 4]] output_shape [1, 4, 3, 2, 16] : tensor<12x32xf32> into tensor<1x4x3x2x16xf32>
  %e5 = tensor.empty() : tensor<2x4x3x1x16xf32>
  %front = linalg.transpose ins(%split : tensor<1x4x3x2x16xf32>) outs(%e5 : tensor<2x4x3x1x16xf32>) permutation = [3, 1, 2, 0, 4]
  %both = tensor.collapse_shape %front [[0], [1], [2, 3], [4]] : tensor<2x4x3x1x16xf32> into tensor<2x4x3x16xf32>
  %qs = tensor.extract_slice %both[0, 0, 0, 0] [1, 4, 3, 16] [1, 1, 1, 1] : tensor<2x4x3x16xf32> to tensor<1x4x3x16xf32>
  %ks = tensor.extract_slice %both[1, 0, 0, 0] [1, 4, 3, 16] [1, 1, 1, 1] : tensor<2x4x3x16xf32> to tensor<1x4x3x16xf32>
  %qm = tensor.collapse_shape %qs [[0, 1], [2, 3]] : tensor<1x4x3x16xf32> into tensor<4x48xf32>
  %km = tensor.collapse_shape %ks [[0, 1], [2, 3]] : tensor<1x4x3x16xf32> into tensor<4x48xf32>
  %qh = tensor.expand_shape %qm [[0], [1, 2]] output_shape [4, 6, 8] : tensor<4x48xf32> into tensor<4x6x8xf32>
  %kh = tensor.expand_shape %km [[0], [1, 2]] output_shape [4, 6, 8] : tensor<4x48xf32> into tensor<4x6x8xf32>
  %eq = tensor.empty() : tensor<6x4x8xf32>
  %ek = tensor.empty() : tensor<6x8x4xf32>
  %q = linalg.transpose ins(%qh : tensor<4x6x8xf32>) outs(%eq : tensor<6x4x8xf32>) permutation = [1, 0, 2]
  %k = linalg.transpose ins(%kh : tensor<4x6x8xf32>) outs(%ek : tensor<6x8x4xf32>) permutation = [1, 2, 0]
  %s = linalg.batch_matmul ins(%q, %k : tensor<6x4x8xf32>, tensor<6x8x4xf32>) outs(%zs : tensor<6x4x4xf32>) -> tensor<6x4x4xf32>
  %rows = tensor.collapse_shape %s [[0], [1, 2]] : tensor<6x4x4xf32> into tensor<6x16xf32>
  %eo = tensor.empty() : tensor<16x16xf32>
  %ot = linalg.transpose ins(%o : tensor<16x16xf32>) outs(%eo : tensor<16x16xf32>) permutation = [1, 0]
  %r = linalg.matmul ins(%rows, %ot : tensor<6x16xf32>, tensor<16x16xf32>) outs(%zo : tensor<6x16xf32>) -> tensor<6x16xf32>
  return %r : tensor<6x16xf32>
}
