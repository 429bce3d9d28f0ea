// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v4 --nibble-lower-lane-lookup | FileCheck %s

// A shuffle with constant indices is no lookup.
// CHECK-LABEL: func.func @f(
// CHECK-NEXT: vector.shuffle
// CHECK-NEXT: return
func.func @f(%x: vector<4xf32>) -> vector<4xf32> {
  %y = vector.shuffle %x, %x [3, 2, 1, 0] : vector<4xf32>, vector<4xf32>
  return %y : vector<4xf32>
}
