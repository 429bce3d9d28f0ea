// RUN: nibble-opt %s --nibble-set-target=target=h200 --nibble-emit-hopper-kernels --split-input-file | FileCheck %s

// Kernels with the same key are emitted once; another epsilon gives another key. Extents stay integers on the host, and the grid is a
// function of them.
// CHECK-LABEL: func.func @norms(
// CHECK: memref.dim
// CHECK: hopper.launch @kernels::@[[FIRST:rms_norm_bf16_64_[0-9A-F]+_0]] grid({{.*}}) args({{.*}} : memref<?x64xbf16>, memref<64xbf16>, memref<?x64xbf16>, index)
// CHECK: hopper.launch @kernels::@[[FIRST]] grid(
// CHECK: hopper.launch @kernels::@[[OTHER:rms_norm_bf16_64_[0-9A-F]+_1]] grid(
// CHECK-NOT: kernel.compute
// CHECK: gpu.module @kernels
// CHECK: gpu.func @[[FIRST]](%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr<1>, %{{.*}}: i64) kernel
// CHECK-SAME: hopper.cluster = 1 : i64
// CHECK-SAME: hopper.threads = 256 : i64
// CHECK: gpu.func @[[OTHER]](
// CHECK-NOT: gpu.func
func.func @norms(%x: memref<?x64xbf16>, %w: memref<64xbf16>, %y: memref<?x64xbf16>) {
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
      {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
  kernel.compute "nn.rms_norm" ins(%y, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%x : memref<?x64xbf16>)
      {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
      {parameters = {epsilon = 1.0e-5 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
  return
}

// -----

// A linear with packed codes. Each tile size has a launch for its range of tokens, so only one of them has blocks. Activations come through
// the copy engine, and codes are loaded directly. Codes become a matrix operand in registers. In small tiles each warp multiplies by
// itself.
// CHECK-LABEL: func.func @linear(
// CHECK: hopper.tensor_map %{{.*}} extents({{.*}}) strides({{.*}}) box [64, 8] swizzle 128 : memref<?x256xbf16>
// CHECK: hopper.launch @kernels::@matrix_packed_rows_8_s4_bf16_{{[0-9]+}} {{.*}} operations(
// CHECK: hopper.launch @kernels::@matrix_packed_rows_16_
// CHECK: hopper.launch @kernels::@matrix_packed_rows_32_
// CHECK: hopper.launch @kernels::@matrix_packed_rows_64_
// CHECK: hopper.tensor_map %{{.*}} extents({{.*}}) strides({{.*}}) box [64, 128] swizzle 128 : memref<?x256xbf16>
// CHECK: hopper.launch @kernels::@matrix_packed_rows_128_
// CHECK: hopper.tensor_map %{{.*}} extents({{.*}}) strides({{.*}}) box [64, 256] swizzle 128 : memref<?x256xbf16>
// CHECK: hopper.launch @kernels::@matrix_packed_rows_256_
// CHECK: gpu.func @matrix_packed_rows_8_s4_bf16_{{.*}} kernel
// CHECK: hopper.ring_init
// CHECK: hopper.roles registers
// CHECK: hopper.ring_acquire
// CHECK-DAG: hopper.bulk_copy {{.*}} once
// CHECK-DAG: hopper.tensor_copy
// CHECK: } consumers {
// CHECK: hopper.ring_wait
// CHECK: nvvm.vote.sync all
// CHECK: scf.if
// CHECK: nvvm.ldmatrix
// CHECK: hopper.dequantize_small
// CHECK: nvvm.mma.sync
// CHECK: } else {
// CHECK: hopper.dequantize %
// CHECK: nvvm.mma.sync
// CHECK: hopper.ring_release
// CHECK: gpu.func @matrix_packed_rows_32_s4_bf16_{{.*}} kernel
// CHECK: nvvm.vote.sync all
// CHECK: scf.if
// CHECK: hopper.dequantize_small
// CHECK: hopper.wgmma %{{.*}} : vector<4xi32>, vector<16xf32>
// CHECK: hopper.wgmma_wait
// CHECK: hopper.ring_release
// CHECK: } else {
// CHECK: hopper.dequantize %
// CHECK: hopper.wgmma %{{.*}} : vector<4xi32>, vector<16xf32>
func.func @linear(%x: memref<?x256xbf16>, %w: memref<18432xi8>, %y: memref<?x128xbf16>) {
  kernel.compute "qat.linear" ins(%x, %w : memref<?x256xbf16>, memref<18432xi8>) outs(%y : memref<?x128xbf16>)
      {parameters = {operandSegmentSizes = array<i32: 1, 1, 0, 0>}, input_types = [tensor<?x256xbf16>, !qat.packed<128x256, <int4, group_size = 32>, hopper>], output_types = [tensor<?x128xbf16>]}
  return
}

// -----

// The host would only carry this scalar from one buffer to another, so the device copies it.
// CHECK-LABEL: func.func @scalar(
// CHECK: memref.copy
// CHECK-NOT: memref.load
// CHECK-NOT: memref.store
func.func @scalar(%a: memref<f32>, %b: memref<f32>) {
  %v = memref.load %a[] : memref<f32>
  memref.store %v, %b[] : memref<f32>
  return
}

// -----

// The steps of an update are one launch. Those that end in whole slabs include the packed weight. The pointers are a table, which is a
// parameter by value. An unrelated op between two steps stays.
// CHECK-LABEL: func.func @update(
// CHECK: memref.copy
// CHECK-NOT: memref.copy
// CHECK: hopper.launch @kernels::@adamw_bf16_x1_0 {{.*}} args(%[[HYPER:.*]], %{{.*}} : memref<8xf32>, memref<8xf32>, memref<8xf32>, memref<8xf32>, memref<8xf32>, memref<8xbf16>, index)
// CHECK: hopper.launch @kernels::@adamw_quantize_slabs_bf16_64x128_int4_g32_nibble_x1_1
// CHECK-NOT: hopper.launch
// CHECK: gpu.func @adamw_bf16_x1_0(%{{.*}}: !llvm.ptr<1>, %{{.*}}: !llvm.ptr) kernel
// CHECK-SAME: hopper.table = 6 : i64
// CHECK: gpu.func @adamw_quantize_slabs_bf16_64x128_int4_g32_nibble_x1_1(
// CHECK-SAME: hopper.table = 6 : i64
func.func @update(%h: memref<8xf32>, %g: memref<64x128xf32>, %p: memref<64x128xf32>, %m: memref<64x128xf32>, %v: memref<64x128xf32>, %w: memref<64x128xbf16>,
                  %q: memref<4608xi8>, %gn: memref<8xf32>, %pn: memref<8xf32>, %mn: memref<8xf32>, %vn: memref<8xf32>, %wn: memref<8xbf16>,
                  %a: memref<4xf32>, %b: memref<4xf32>) {
  kernel.compute "nn.adamw" ins(%g, %h : memref<64x128xf32>, memref<8xf32>) outs(%p, %m, %v, %w : memref<64x128xf32>, memref<64x128xf32>, memref<64x128xf32>, memref<64x128xbf16>)
      {parameters = {}, input_types = [tensor<64x128xf32>, tensor<8xf32>], output_types = [tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xbf16>]}
  kernel.compute "qat.quantize" ins(%w : memref<64x128xbf16>) outs(%q : memref<4608xi8>)
      {parameters = {}, input_types = [tensor<64x128xbf16>], output_types = [!qat.packed<64x128, <int4, group_size = 32>, hopper>]}
  memref.copy %a, %b : memref<4xf32> to memref<4xf32>
  kernel.compute "nn.adamw" ins(%gn, %h : memref<8xf32>, memref<8xf32>) outs(%pn, %mn, %vn, %wn : memref<8xf32>, memref<8xf32>, memref<8xf32>, memref<8xbf16>)
      {parameters = {}, input_types = [tensor<8xf32>, tensor<8xf32>], output_types = [tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xbf16>]}
  return
}

// -----

// Dependent ops stay in order: a step follows the writes that it reads, and a weight is quantized before it is overwritten.
// CHECK-LABEL: func.func @ordered(
// CHECK: hopper.launch @kernels::@quantize_slabs_bf16_64x128_int4_g32_nibble_x1_0
// CHECK: hopper.launch @kernels::@[[STEP:adamw_bf16_x1_1]]
// CHECK: memref.copy
// CHECK: hopper.launch @kernels::@[[STEP]]
func.func @ordered(%h: memref<8xf32>, %g: memref<64x128xf32>, %p: memref<64x128xf32>, %m: memref<64x128xf32>, %v: memref<64x128xf32>, %w: memref<64x128xbf16>,
                   %q: memref<4608xi8>, %next: memref<64x128xf32>) {
  kernel.compute "qat.quantize" ins(%w : memref<64x128xbf16>) outs(%q : memref<4608xi8>)
      {parameters = {}, input_types = [tensor<64x128xbf16>], output_types = [!qat.packed<64x128, <int4, group_size = 32>, hopper>]}
  kernel.compute "nn.adamw" ins(%g, %h : memref<64x128xf32>, memref<8xf32>) outs(%p, %m, %v, %w : memref<64x128xf32>, memref<64x128xf32>, memref<64x128xf32>, memref<64x128xbf16>)
      {parameters = {}, input_types = [tensor<64x128xf32>, tensor<8xf32>], output_types = [tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xbf16>]}
  memref.copy %next, %g : memref<64x128xf32> to memref<64x128xf32>
  kernel.compute "nn.adamw" ins(%g, %h : memref<64x128xf32>, memref<8xf32>) outs(%p, %m, %v, %w : memref<64x128xf32>, memref<64x128xf32>, memref<64x128xf32>, memref<64x128xbf16>)
      {parameters = {}, input_types = [tensor<64x128xf32>, tensor<8xf32>], output_types = [tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xf32>, tensor<64x128xbf16>]}
  return
}
