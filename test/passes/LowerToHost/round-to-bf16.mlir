// RUN: nibble-opt %s --nibble-round-to-bf16 | FileCheck %s

// Everything up to the last cast is integer arithmetic, so that vectors stay whole.
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

// The CPU rounds other types.
// CHECK-LABEL: @other
// CHECK: arith.truncf %arg0 : f64 to f32
func.func @other(%x: f64) -> f32 {
  %y = arith.truncf %x : f64 to f32
  return %y : f32
}

// A rounding stays, although the widening of arithmetic would allow contraction with the widening after it.
// CHECK-LABEL: @chain
// CHECK: arith.mulf
// CHECK: arith.trunci %{{.*}} : i32 to i16
// CHECK: %[[ROUNDED:.*]] = arith.bitcast %{{.*}} : i16 to bf16
// CHECK: %[[WIDE:.*]] = arith.extf %[[ROUNDED]] : bf16 to f32
// CHECK: arith.addf %[[WIDE]]
func.func @chain(%x: f32, %y: f32, %z: f32) -> f32 {
  %0 = arith.mulf %x, %y : f32
  %1 = arith.truncf %0 fastmath<contract> : f32 to bf16
  %2 = arith.extf %1 fastmath<contract> : bf16 to f32
  %3 = arith.addf %2, %z : f32
  return %3 : f32
}
