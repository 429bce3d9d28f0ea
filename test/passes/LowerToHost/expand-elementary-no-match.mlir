// RUN: nibble-opt %s --nibble-expand-elementary | FileCheck %s

// Operations that the CPU does in one instruction stay, and so does double precision.
// CHECK-LABEL: func.func @f(
// CHECK: math.sqrt
// CHECK: math.exp %{{.*}} : f64
func.func @f(%x: f32, %d: f64) -> (f32, f64) {
  %a = math.sqrt %x : f32
  %b = math.exp %d : f64
  return %a, %b : f32, f64
}
