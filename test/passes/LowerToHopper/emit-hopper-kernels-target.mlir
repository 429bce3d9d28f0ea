// RUN: nibble-opt %s --nibble-emit-hopper-kernels --split-input-file | FileCheck %s

// The splits of a linear depend on the number of SMs. Eight splits are two per block in clusters of four blocks. An H200 has room for 8 row
// blocks of that kind, a part of it does not.
// CHECK-LABEL: func.func @all(
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits8_
module attributes {kernel.target = #hopper.target<"h200">} {
  func.func @all(%x: memref<?x4096xbf16>, %w: memref<1024x4096xbf16>, %y: memref<?x1024xbf16>) {
    kernel.compute "nn.linear" ins(%x, %w : memref<?x4096xbf16>, memref<1024x4096xbf16>) outs(%y : memref<?x1024xbf16>)
        {parameters = {operandSegmentSizes = array<i32: 1, 1, 0, 0>}, input_types = [tensor<?x4096xbf16>, tensor<1024x4096xbf16>], output_types = [tensor<?x1024xbf16>]}
    return
  }
}

// -----

// CHECK-LABEL: func.func @part(
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_splits4_
module attributes {kernel.target = #hopper.target<"h200", sms = 16>} {
  func.func @part(%x: memref<?x4096xbf16>, %w: memref<1024x4096xbf16>, %y: memref<?x1024xbf16>) {
    kernel.compute "nn.linear" ins(%x, %w : memref<?x4096xbf16>, memref<1024x4096xbf16>) outs(%y : memref<?x1024xbf16>)
        {parameters = {operandSegmentSizes = array<i32: 1, 1, 0, 0>}, input_types = [tensor<?x4096xbf16>, tensor<1024x4096xbf16>], output_types = [tensor<?x1024xbf16>]}
    return
  }
}
