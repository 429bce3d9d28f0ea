// RUN: nibble-opt %s --nibble-hopper-kernels -split-input-file -verify-diagnostics | FileCheck %s

// Keys come as 64 x 64 boxes of rows in training; the scores of a block are products of 16 elements of the head at a time, and the
// weights are the next product's operand without leaving registers.
// CHECK: gpu.func @attention_2_1_64_{{.*}} kernel
// CHECK: hopper.roles registers 40, 232
// CHECK: hopper.tensor_copy
// CHECK-COUNT-4: hopper.wgmma {{.*}} : vector<4xi32>, vector<32xf32>
// CHECK: hopper.wgmma_wait 0
// CHECK: scf.for
// CHECK-COUNT-4: hopper.wgmma {{.*}} : vector<4xi32>, vector<32xf32>
// CHECK-COUNT-4: hopper.wgmma {{.*}} b_transposed : vector<4xi32>, vector<32xf32>
// CHECK: hopper.wgmma_wait 1
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
