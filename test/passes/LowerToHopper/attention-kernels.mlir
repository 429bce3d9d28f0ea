// RUN: nibble-opt %s --nibble-hopper-kernels -split-input-file -verify-diagnostics | FileCheck %s

// In training, keys arrive as boxes of 64 x 64. The scores of a block are products over 16 elements of the head at a time. Their weights
// stay in registers as the operand of the next product. A first kernel lists the tiles. The producer of each block takes one tile after
// another, and sends its description before its keys.
// CHECK: hopper.launch @kernels::@attention_tiles_2_2_1_64_
// CHECK: arith.minui {{.*}} %c132
// CHECK: hopper.launch @kernels::@attention_2_1_64_
// CHECK: gpu.func @attention_tiles_2_2_1_64_
// CHECK: gpu.func @attention_2_1_64_{{.*}} kernel
// CHECK: hopper.roles registers 40, 232
// CHECK: scf.while
// CHECK: llvm.atomicrmw add
// CHECK: hopper.bulk_copy
// CHECK: hopper.tensor_copy
// CHECK-COUNT-4: hopper.wgmma {{.*}} : vector<4xi32>, vector<32xf32>
// CHECK: hopper.wgmma_wait 0
// CHECK: scf.for
// CHECK-COUNT-4: hopper.wgmma {{.*}} : vector<4xi32>, vector<32xf32>
// CHECK-COUNT-4: hopper.wgmma {{.*}} b_transposed : vector<4xi32>, vector<32xf32>
// CHECK: hopper.wgmma_wait 1
// The softmax comes before the wait for the products with values.
// CHECK: llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK: hopper.wgmma_wait 0
// CHECK: nvvm.vote.sync all
// CHECK: scf.if
func.func @attention(%q: memref<?x128xbf16>, %k: memref<?x64xbf16>, %v: memref<?x64xbf16>, %positions: memref<?xi32>,
    %sequences: memref<?xi32>, %y: memref<?x128xbf16>, %lse: memref<?x2xf32>) {
  kernel.compute "nn.attention" ins(%q, %k, %v, %positions, %sequences : memref<?x128xbf16>, memref<?x64xbf16>, memref<?x64xbf16>, memref<?xi32>, memref<?xi32>)
      outs(%y, %lse : memref<?x128xbf16>, memref<?x2xf32>)
      {parameters = {heads = 2 : i64, kv_heads = 1 : i64, scale = 2.5e-01 : f32, kv_block = 64 : i64, window = 0 : i64},
       input_types = [tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>],
       output_types = [tensor<?x128xbf16>, tensor<?x2xf32>]}
  return
}

// -----

func.func @blocks(%q: memref<?x128xbf16>, %k: memref<?x64xbf16>, %v: memref<?x64xbf16>, %positions: memref<?xi32>,
    %sequences: memref<?xi32>, %y: memref<?x128xbf16>, %lse: memref<?x2xf32>) {
  // expected-error@+1 {{has kv_block = 32; an H200's attention takes keys in blocks of 64, in training and in rollout alike}}
  kernel.compute "nn.attention" ins(%q, %k, %v, %positions, %sequences : memref<?x128xbf16>, memref<?x64xbf16>, memref<?x64xbf16>, memref<?xi32>, memref<?xi32>)
      outs(%y, %lse : memref<?x128xbf16>, memref<?x2xf32>)
      {parameters = {heads = 2 : i64, kv_heads = 1 : i64, scale = 2.5e-01 : f32, kv_block = 32 : i64, window = 0 : i64},
       input_types = [tensor<?x128xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi32>],
       output_types = [tensor<?x128xbf16>, tensor<?x2xf32>]}
  return
}

// -----

// One launch handles queries, keys and values of a layer. The lanes count the sequences that have begun, and a norm is one tree reduction.
// Keys pass through shared memory and are written by slots.
// CHECK-LABEL: func.func @rope_cache_write
// CHECK: hopper.launch @kernels::@rope_cache_write_2_1_128_64_norm_3727C5AC_0
// CHECK-NOT: hopper.launch
// CHECK: gpu.func @rope_cache_write_2_1_128_64_norm_3727C5AC_0
// CHECK: nvvm.shfl.sync bfly {{.*}} : f32 -> f32
// CHECK: llvm.store {{.*}} vector<2xbf16>, !llvm.ptr<1>
// CHECK: nvvm.shfl.sync bfly {{.*}} : i32 -> i32
// CHECK: llvm.store {{.*}} vector<2xbf16>, !llvm.ptr<3>
// CHECK: nvvm.barrier
// CHECK: llvm.store {{.*}} i16, !llvm.ptr<1>
// CHECK: llvm.store {{.*}} vector<8xi16>, !llvm.ptr<1>
func.func @rope_cache_write(%q: tensor<?x256xbf16>, %k: tensor<?x128xbf16>, %v: tensor<?x128xbf16>, %c: tensor<?x64xf32>, %s: tensor<?x64xf32>,
                            %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x?xi32>, %kc: tensor<?x1x128x64xbf16>,
                            %vc: tensor<?x1x64x128xbf16>, %n: tensor<128xbf16>)
    -> (tensor<?x256xbf16>, tensor<?x1x128x64xbf16>, tensor<?x1x64x128xbf16>) {
  %q1, %kc1, %vc1 = nn.rope_cache_write %q, %k, %v, %c, %s, %positions, %sequences, %pages, %kc, %vc
      norms(%n, %n : tensor<128xbf16>, tensor<128xbf16>) {epsilon = 1.0e-5 : f32}
      : tensor<?x256xbf16>, tensor<?x128xbf16>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>, tensor<?x1x128x64xbf16>, tensor<?x1x64x128xbf16>
  return %q1, %kc1, %vc1 : tensor<?x256xbf16>, tensor<?x1x128x64xbf16>, tensor<?x1x64x128xbf16>
}

// -----

// A norm's row is read once, into registers. The weights are read before the sum.
// CHECK-LABEL: func.func @rms_norm
// CHECK: gpu.func @rms_norm_bf16_512_3727C5AC_0
// CHECK-COUNT-4: llvm.load {{.*}} vector<8xbf16>
// CHECK-NOT: llvm.load
// CHECK: nvvm.shfl.sync bfly
// CHECK-NOT: llvm.load
// CHECK-COUNT-2: llvm.store {{.*}} vector<8xbf16>
func.func @rms_norm(%x: tensor<?x512xbf16>, %w: tensor<512xbf16>) -> tensor<?x512xbf16> {
  %y = nn.rms_norm %x, %w {epsilon = 1.0e-5 : f32} : tensor<?x512xbf16>, tensor<512xbf16>
  return %y : tensor<?x512xbf16>
}
