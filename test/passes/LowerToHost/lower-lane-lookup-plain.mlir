// RUN: nibble-opt %s --nibble-lower-lane-lookup | FileCheck %s

// A CPU without lane permutes looks up lane by lane.
// CHECK-LABEL: @lookup
// CHECK: arith.andi %arg1, {{.*}} : vector<16xi32>
// CHECK-COUNT-16: vector.insert
// CHECK-NOT: host.lane_lookup
module attributes {kernel.target = #host.target<cpu = "x86-64", vector_registers = 16, vector_floats = 4, l1_bytes = 32768, l2_bytes = 1048576>} {
  func.func @lookup(%table: vector<16xf32>, %index: vector<16xi32>) -> vector<16xf32> {
    %y = host.lane_lookup %table, %index : vector<16xf32>, vector<16xi32>
    return %y : vector<16xf32>
  }
}
