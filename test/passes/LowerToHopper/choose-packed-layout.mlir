// RUN: nibble-opt %s --nibble-choose-packed-layout | FileCheck %s

// Arguments, results, inner values and types in attributes, for every scheme.
// CHECK-LABEL: func.func @step
// CHECK-SAME: !qat.packed<64x128, <int4, group_size = 32>, hopper>
// CHECK-SAME: -> (tensor<64x128xbf16>, !qat.packed<64x128, <int4, group_size = 32>, hopper>)
// CHECK: qat.quantize %{{.*}} : tensor<64x128xbf16> -> !qat.packed<64x128, <int4, group_size = 32>, hopper>
// CHECK: qat.dequantize %{{.*}} : !qat.packed<64x128, <int4, group_size = 32>, hopper> -> tensor<64x128xbf16>
func.func @step(%p: !qat.packed<64x128, <int4, group_size = 32>, host>, %w: tensor<64x128xbf16>)
    -> (tensor<64x128xbf16>, !qat.packed<64x128, <int4, group_size = 32>, host>) {
  %q = qat.quantize %w : tensor<64x128xbf16> -> !qat.packed<64x128, <int4, group_size = 32>, host>
  %d = qat.dequantize %p : !qat.packed<64x128, <int4, group_size = 32>, host> -> tensor<64x128xbf16>
  return %d, %q : tensor<64x128xbf16>, !qat.packed<64x128, <int4, group_size = 32>, host>
}

// CHECK-LABEL: func.func private @called
// CHECK-SAME: !qat.packed<16x64, <fp8, group_size = 128>, hopper>
func.func private @called(!qat.packed<16x64, <fp8, group_size = 128>, host>)

// CHECK-LABEL: func.func @attribute
// CHECK: input_types = [!qat.packed<64x128, <int4, group_size = 32>, hopper>]
func.func @attribute(%p: memref<4608xi8>) {
  kernel.compute "nn.x" ins(%p : memref<4608xi8>) outs()
      {parameters = {}, input_types = [!qat.packed<64x128, <int4, group_size = 32>, host>], output_types = []}
  return
}
