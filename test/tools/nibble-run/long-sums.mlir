// Long sums of a foreign module are right to their last digit. Sequential float32 sums would give 105891.844, and bf16 sums 256.
// RUN: nibble-run %s --entry=main | FileCheck %s
// CHECK: sum F32 []: 104857.602
// CHECK: count BF16 []: 1000
func.func @main() -> (tensor<f32> {nn.output = "sum"}, tensor<bf16> {nn.output = "count"}) {
  %tenth = arith.constant dense<0.1> : tensor<1048576xf32>
  %one = arith.constant dense<1.0> : tensor<1000xbf16>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %none = arith.constant dense<0.0> : tensor<bf16>
  %sum = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%tenth : tensor<1048576xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%x: f32, %s: f32):
    %n = arith.addf %x, %s : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %count = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%one : tensor<1000xbf16>) outs(%none : tensor<bf16>) {
  ^bb0(%x: bf16, %s: bf16):
    %n = arith.addf %x, %s : bf16
    linalg.yield %n : bf16
  } -> tensor<bf16>
  return %sum, %count : tensor<f32>, tensor<bf16>
}
