// RUN: nibble-opt %s --nibble-round-to-bf16 | FileCheck %s
// This pass leaves other roundings: float64 to float32, float32 to float16, and tensors before bufferization.

// CHECK-LABEL: @others
func.func @others(%a: f64, %b: vector<16xf32>, %c: tensor<8xf32>) -> (f32, vector<16xf16>, tensor<8xbf16>) {
  // CHECK: arith.truncf %{{.*}} : f64 to f32
  %0 = arith.truncf %a : f64 to f32
  // CHECK: arith.truncf %{{.*}} : vector<16xf32> to vector<16xf16>
  %1 = arith.truncf %b : vector<16xf32> to vector<16xf16>
  // CHECK: arith.truncf %{{.*}} : tensor<8xf32> to tensor<8xbf16>
  %2 = arith.truncf %c : tensor<8xf32> to tensor<8xbf16>
  return %0, %1, %2 : f32, vector<16xf16>, tensor<8xbf16>
}
