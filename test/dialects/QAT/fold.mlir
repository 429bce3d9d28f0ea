// RUN: nibble-opt %s --canonicalize | FileCheck %s
#int4 = #qat.scheme<int4, group_size = 32>
#slime = #qat.scheme<int4, group_size = 32, convention = slime>

// N6: a weight on its grid stays where it is.
// CHECK-LABEL: func.func @twice
// CHECK-NEXT: %[[A:.*]] = qat.fake_quant
// CHECK-NEXT: return %[[A]]
func.func @twice(%w: tensor<64x32xbf16>) -> tensor<64x32xbf16> {
  %a = qat.fake_quant %w {scheme = #int4} : tensor<64x32xbf16>
  %b = qat.fake_quant %a {scheme = #int4} : tensor<64x32xbf16>
  return %b : tensor<64x32xbf16>
}

// CHECK-LABEL: func.func @twice_mxfp4
// CHECK-NEXT: %[[A:.*]] = qat.fake_quant
// CHECK-NEXT: return %[[A]]
func.func @twice_mxfp4(%w: tensor<64x32xbf16>) -> tensor<64x32xbf16> {
  %a = qat.fake_quant %w {scheme = #qat.scheme<mxfp4, group_size = 32>} : tensor<64x32xbf16>
  %b = qat.fake_quant %a {scheme = #qat.scheme<mxfp4, group_size = 32>} : tensor<64x32xbf16>
  return %b : tensor<64x32xbf16>
}

// Another grid, and a convention whose decoded weight is no fixed point.
// CHECK-LABEL: func.func @not_twice
// CHECK-COUNT-4: qat.fake_quant
func.func @not_twice(%w: tensor<64x32xbf16>) -> (tensor<64x32xbf16>, tensor<64x32xbf16>) {
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 16>} : tensor<64x32xbf16>
  %b = qat.fake_quant %a {scheme = #int4} : tensor<64x32xbf16>
  %c = qat.fake_quant %w {scheme = #slime} : tensor<64x32xbf16>
  %d = qat.fake_quant %c {scheme = #slime} : tensor<64x32xbf16>
  return %b, %d : tensor<64x32xbf16>, tensor<64x32xbf16>
}

// CHECK-LABEL: func.func @same_layout
// CHECK-SAME: %[[P:.*]]: !qat.packed
// CHECK-NEXT: return %[[P]]
func.func @same_layout(%p: !qat.packed<64x128, #int4, host>) -> !qat.packed<64x128, #int4, host> {
  %a = qat.repack %p : !qat.packed<64x128, #int4, host> -> !qat.packed<64x128, #int4, host>
  return %a : !qat.packed<64x128, #int4, host>
}

// CHECK-LABEL: func.func @there_and_back
// CHECK-SAME: %[[P:.*]]: !qat.packed
// CHECK-NEXT: return %[[P]]
func.func @there_and_back(%p: !qat.packed<64x128, #int4, host>) -> !qat.packed<64x128, #int4, host> {
  %a = qat.repack %p : !qat.packed<64x128, #int4, host> -> !qat.packed<64x128, #int4, interchange>
  %b = qat.repack %a : !qat.packed<64x128, #int4, interchange> -> !qat.packed<64x128, #int4, host>
  return %b : !qat.packed<64x128, #int4, host>
}
