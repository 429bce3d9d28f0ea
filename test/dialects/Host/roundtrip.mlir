// RUN: nibble-opt %s | nibble-opt | FileCheck %s
// RUN: nibble-opt %s --mlir-print-op-generic | nibble-opt | FileCheck %s

// CHECK: module attributes {kernel.target = #host.target<cpu = "znver5", vector_registers = 32, vector_floats = 16, l1_bytes = 49152, l2_bytes = 1048576>}
module attributes {kernel.target = #host.target<cpu = "znver5", vector_registers = 32, vector_floats = 16, l1_bytes = 49152, l2_bytes = 1048576>} {
  // CHECK-LABEL: func.func @lookup
  func.func @lookup(%table: vector<16xf32>, %index: vector<16xi32>) -> vector<16xf32> {
    // CHECK: host.lane_lookup %{{.*}}, %{{.*}} : vector<16xf32>, vector<16xi32>
    %y = host.lane_lookup %table, %index : vector<16xf32>, vector<16xi32>
    return %y : vector<16xf32>
  }
}
