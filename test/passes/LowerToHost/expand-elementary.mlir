// RUN: nibble-opt %s --nibble-expand-elementary | FileCheck %s

// Polynomials of our own, the same for scalars and vectors.
// CHECK-LABEL: func.func @f(
// CHECK-NOT: math.exp
// CHECK-NOT: math.log
// CHECK: math.fma %{{.*}} : f32
// CHECK: math.fma %{{.*}} : vector<16xf32>
func.func @f(%x: f32, %v: vector<16xf32>) -> (f32, vector<16xf32>) {
  %a = math.exp %x : f32
  %b = math.log %a : f32
  %c = math.exp %v : vector<16xf32>
  return %b, %c : f32, vector<16xf32>
}
