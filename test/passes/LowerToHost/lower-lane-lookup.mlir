// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v4 --nibble-lower-lane-lookup | FileCheck %s --check-prefix=WIDE
// RUN: nibble-opt %s --nibble-set-target=target=x86-64-v3 --nibble-lower-lane-lookup | FileCheck %s --check-prefix=HALF

// Sixteen lanes at once, or two halves with two permutes and a blend.
// WIDE-LABEL: @lookup
// WIDE: llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%arg0, %arg1)
// HALF-LABEL: @lookup
// HALF-COUNT-4: llvm.call_intrinsic "llvm.x86.avx2.permps"
// HALF-NOT: llvm.call_intrinsic
func.func @lookup(%table: vector<16xf32>, %index: vector<16xi32>) -> vector<16xf32> {
  %y = host.lane_lookup %table, %index : vector<16xf32>, vector<16xi32>
  return %y : vector<16xf32>
}

// Without a lookup nothing changes.
// WIDE-LABEL: @other
// WIDE-NEXT: arith.addf %arg0, %arg0
// WIDE-NEXT: return
func.func @other(%lanes: vector<16xf32>) -> vector<16xf32> {
  %y = arith.addf %lanes, %lanes : vector<16xf32>
  return %y : vector<16xf32>
}
