// RUN: nibble-opt %s --nibble-choose-packed-layout | FileCheck %s
// RUN: nibble-opt %s --nibble-choose-packed-layout --nibble-choose-packed-layout | FileCheck %s

// A layout that is already chosen stays, whether it is the one of an SM or the one of files.
// CHECK-LABEL: func.func @chosen
// CHECK-SAME: !qat.packed<64x128, <int4, group_size = 32>, hopper>
// CHECK-SAME: !qat.packed<64x128, <int4, group_size = 32>, interchange>
// CHECK-SAME: tensor<64x128xbf16>
func.func @chosen(%a: !qat.packed<64x128, <int4, group_size = 32>, hopper>, %b: !qat.packed<64x128, <int4, group_size = 32>, interchange>,
                  %c: tensor<64x128xbf16>) -> tensor<64x128xbf16> {
  return %c : tensor<64x128xbf16>
}
