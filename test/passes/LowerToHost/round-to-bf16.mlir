// RUN: nibble-opt %s --nibble-round-to-bf16 | FileCheck %s

// Everything up to the last cast is of integers, so that vectors stay whole.
// CHECK-LABEL: @lanes
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : vector<16xi1>, vector<16xi32>
// CHECK-NEXT: %[[HALF:.*]] = arith.trunci %{{.*}} : vector<16xi32> to vector<16xi16>
// CHECK-NEXT: arith.bitcast %[[HALF]] : vector<16xi16> to vector<16xbf16>
func.func @lanes(%x: vector<16xf32>) -> vector<16xbf16> {
  %y = arith.truncf %x : vector<16xf32> to vector<16xbf16>
  return %y : vector<16xbf16>
}

// CHECK-LABEL: @scalar
// CHECK: arith.trunci %{{.*}} : i32 to i16
// CHECK-NEXT: arith.bitcast %{{.*}} : i16 to bf16
func.func @scalar(%x: f32) -> bf16 {
  %y = arith.truncf %x : f32 to bf16
  return %y : bf16
}

// Other types are rounded by the CPU.
// CHECK-LABEL: @other
// CHECK: arith.truncf %arg0 : f64 to f32
func.func @other(%x: f64) -> f32 {
  %y = arith.truncf %x : f64 to f32
  return %y : f32
}
