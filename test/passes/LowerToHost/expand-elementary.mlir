// RUN: nibble-opt %s --nibble-expand-elementary | FileCheck %s

// Our own polynomials, the same for scalars and vectors.
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

// A square is one product, rounded once.
// CHECK-LABEL: @square
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[X]], %[[X]] : f32
// CHECK-NEXT: return %[[Y]]
func.func @square(%x: f32) -> f32 {
  %two = arith.constant 2 : i64
  %y = math.fpowi %x, %two : f32, i64
  return %y : f32
}

// x^-3 of a narrow type is (x x^2)^-1 in float32, rounded once.
// CHECK-LABEL: @inverse_cube
// CHECK: arith.extf {{.*}} : bf16 to f32
// CHECK-COUNT-2: arith.mulf {{.*}} : f32
// CHECK: arith.divf {{.*}} : f32
// CHECK: arith.truncf {{.*}} : f32 to bf16
func.func @inverse_cube(%x: bf16) -> bf16 {
  %k = arith.constant -3 : i32
  %y = math.fpowi %x, %k : bf16, i32
  return %y : bf16
}

// CHECK-LABEL: @any_power
// CHECK: scf.while
// CHECK-NOT: fpowi
// CHECK: return
func.func @any_power(%x: f32, %k: i64) -> f32 {
  %y = math.fpowi %x, %k : f32, i64
  return %y : f32
}

// CHECK-LABEL: @integer_power
// CHECK: scf.while
// CHECK-NOT: ipowi
// CHECK: return
func.func @integer_power(%x: i64, %k: i64) -> i64 {
  %y = math.ipowi %x, %k : i64
  return %y : i64
}

// CHECK-LABEL: @clamp
// CHECK-SAME: (%[[X:.*]]: bf16, %[[LOW:.*]]: bf16, %[[HIGH:.*]]: bf16)
// CHECK: %[[RAISED:.*]] = arith.maximumf %[[X]], %[[LOW]] : bf16
// CHECK: arith.minimumf %[[RAISED]], %[[HIGH]] : bf16
func.func @clamp(%x: bf16, %low: bf16, %high: bf16) -> bf16 {
  %y = math.clampf %x to [%low, %high] : bf16
  return %y : bf16
}

// CHECK-LABEL: @classes
// CHECK-NOT: math.is
// CHECK: arith.cmpf oeq
// CHECK: arith.cmpf oge
// CHECK: arith.cmpf olt
// CHECK: return
func.func @classes(%x: f32) -> (i1, i1) {
  %a = math.isinf %x : f32
  %b = math.isnormal %x : f32
  return %a, %b : i1, i1
}

// CHECK-LABEL: @narrow_fma
// CHECK: math.fma {{.*}} : vector<16xf32>
// CHECK: arith.truncf {{.*}} : vector<16xf32> to vector<16xbf16>
func.func @narrow_fma(%x: vector<16xbf16>) -> vector<16xbf16> {
  %y = math.fma %x, %x, %x : vector<16xbf16>
  return %y : vector<16xbf16>
}

// One rounding in total, by way of float32 rounded to odd.
// CHECK-LABEL: @double_to_bf16
// CHECK: arith.truncf {{.*}} : f64 to f32
// CHECK: arith.ori
// CHECK: arith.truncf {{.*}} : f32 to bf16
func.func @double_to_bf16(%x: f64) -> bf16 {
  %y = arith.truncf %x : f64 to bf16
  return %y : bf16
}

// Sine and cosine of one argument are computed one after the other.
// CHECK-LABEL: @sine_and_cosine
// CHECK-NOT: math.sincos
func.func @sine_and_cosine(%x: f32) -> (f32, f32) {
  %s, %c = math.sincos %x : f32
  return %s, %c : f32, f32
}
