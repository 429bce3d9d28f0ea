// torch-mlir's form of two linears. One weight is used directly, the other is scaled before the product.
#map = affine_map<(d0, d1) -> (d0, d1)>
func.func @logits(%x: tensor<4x64xf32> {nn.input = "x"}, %w: tensor<96x64xf32> {nn.parameter = "up.weight"}, %v: tensor<64x64xf32> {nn.parameter = "down.weight"}) -> (tensor<4x96xf32> {nn.output = "logits"}) {
  %zero = arith.constant 0.000000e+00 : f32
  %two = arith.constant 2.000000e+00 : f32
  %0 = tensor.empty() : tensor<64x64xf32>
  %scaled = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel"]} ins(%v : tensor<64x64xf32>) outs(%0 : tensor<64x64xf32>) {
  ^bb0(%in: f32, %out: f32):
    %7 = arith.mulf %in, %two : f32
    linalg.yield %7 : f32
  } -> tensor<64x64xf32>
  %transposed = linalg.transpose ins(%scaled : tensor<64x64xf32>) outs(%0 : tensor<64x64xf32>) permutation = [1, 0]
  %1 = tensor.empty() : tensor<4x64xf32>
  %2 = linalg.fill ins(%zero : f32) outs(%1 : tensor<4x64xf32>) -> tensor<4x64xf32>
  %3 = linalg.matmul ins(%x, %transposed : tensor<4x64xf32>, tensor<64x64xf32>) outs(%2 : tensor<4x64xf32>) -> tensor<4x64xf32>
  %e = tensor.empty() : tensor<64x96xf32>
  %t = linalg.transpose ins(%w : tensor<96x64xf32>) outs(%e : tensor<64x96xf32>) permutation = [1, 0]
  %4 = tensor.empty() : tensor<4x96xf32>
  %5 = linalg.fill ins(%zero : f32) outs(%4 : tensor<4x96xf32>) -> tensor<4x96xf32>
  %6 = linalg.matmul ins(%3, %t : tensor<4x64xf32>, tensor<64x96xf32>) outs(%5 : tensor<4x96xf32>) -> tensor<4x96xf32>
  return %6 : tensor<4x96xf32>
}
