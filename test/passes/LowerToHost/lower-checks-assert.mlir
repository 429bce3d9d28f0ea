// RUN: nibble-opt %s --nibble-lower-checks | FileCheck %s

// An assertion is a branch. Nothing is called when it holds.
// CHECK-LABEL: @asserted
// CHECK-SAME: (%[[HOLDS:.*]]: i1)
// CHECK: %[[VIOLATED:.*]] = arith.xori %[[HOLDS]], %{{.*}} : i1
// CHECK: scf.if %[[VIOLATED]] {
// CHECK: memref.get_global @assert_text_0
// CHECK: call @nibble_assert_failed(%{{.*}}) : (i64) -> ()
// CHECK-NOT: cf.assert
func.func @asserted(%holds: i1) {
  cf.assert %holds, "index must be smaller than dim size"
  return
}
