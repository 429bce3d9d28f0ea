// RUN: nibble-opt %s --nibble-hopper-kernels --split-input-file | FileCheck %s

// The boxes of gate and up lie one after the other in a stage. The results of the two warpgroups meet after the last matrix instruction.
// The fused op has hopper.tile, so there is one launch.
// CHECK-LABEL: func.func @plain(
// CHECK-DAG: hopper.tensor_map {{.*}} box [64, 64] swizzle 128 : memref<192x256xbf16>
// CHECK-DAG: hopper.tensor_map {{.*}} box [64, 64] swizzle 128 : memref<192x256xbf16>
// CHECK: hopper.launch @kernels::@matrix_rows_rows_8_swiglu_bf16_0
// CHECK-NOT: hopper.launch
// CHECK: gpu.func @matrix_rows_rows_8_swiglu_bf16_0(%[[G:[a-z0-9]+]]: {{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[U:[a-z0-9]+]]: !llvm.ptr {{.*}}) kernel
// CHECK: hopper.ring_acquire
// CHECK: hopper.tensor_copy %[[G]]
// CHECK: hopper.tensor_copy %[[U]]
// CHECK: } consumers {
// CHECK: hopper.wgmma_wait
// CHECK: arith.truncf
// CHECK: arith.divf {{.*}} : vector<8xf32>
// CHECK: arith.truncf {{.*}} : vector<8xf32> to vector<8xbf16>
// CHECK: arith.mulf {{.*}} : vector<8xf32>
// CHECK: llvm.store {{.*}} vector<8xbf16>, !llvm.ptr<1>
func.func @plain(%x: tensor<?x256xbf16>, %g: tensor<192x256xbf16>, %u: tensor<192x256xbf16>) -> tensor<?x192xbf16> {
  %y = nn.linear_swiglu %x, %g, %u {hopper.tile = 8 : i64} : tensor<?x256xbf16>, tensor<192x256xbf16> -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}

// -----

// Parallel splits: the block that finishes a row of gate also has the row of up. It adds the sums of each in the order of the splits.
// CHECK-LABEL: func.func @packed(
// CHECK: hopper.launch @kernels::@matrix_packed_rows_8_s4_early_splits4_swiglu_bf16_0
// CHECK: gpu.func @matrix_packed_rows_8_s4_early_splits4_swiglu_bf16_0({{.*}}) kernel
// CHECK: arith.divf {{.*}} : f32
func.func @packed(%x: tensor<?x1024xbf16>, %g: !qat.packed<192x1024, <int4, group_size = 32>, hopper> {nn.parameter = "g"},
                  %u: !qat.packed<192x1024, <int4, group_size = 32>, hopper> {nn.parameter = "u"}) -> tensor<?x192xbf16> {
  %y = qat.linear_swiglu %x, %g, %u {hopper.splits = 4 : i64, hopper.tile = 8 : i64} : tensor<?x1024xbf16>, !qat.packed<192x1024, <int4, group_size = 32>, hopper> -> tensor<?x192xbf16>
  return %y : tensor<?x192xbf16>
}
