// RUN: nibble-opt %s --nibble-hopper-kernels --split-input-file | FileCheck %s

// A thread handles sixteen bytes. The remainder has threads of its own, with one element each.
// CHECK-LABEL: func.func @swiglu
// CHECK: hopper.launch @kernels::@swiglu_bf16_rest_0
// CHECK: gpu.func @swiglu_bf16_rest_0({{.*}}) kernel
// CHECK-COUNT-2: llvm.load {{.*}} vector<8xbf16>
// CHECK: llvm.store {{.*}} vector<8xbf16>
// CHECK-COUNT-2: llvm.load {{.*}} vector<1xbf16>
// CHECK: llvm.store {{.*}} vector<1xbf16>
func.func @swiglu(%gate: tensor<?x21xbf16>, %up: tensor<?x21xbf16>) -> tensor<?x21xbf16> {
  %y = nn.swiglu %gate, %up : tensor<?x21xbf16>
  return %y : tensor<?x21xbf16>
}

// -----

// One block for each token, which compares thirty-two tokens at a time. There are no atomics.
// CHECK-LABEL: func.func @embedding_grad
// CHECK: gpu.func @embedding_grad_bf16_64_0
// CHECK: nvvm.vote.sync
// CHECK-NOT: {{atomicrmw|cmpxchg}}
func.func @embedding_grad(%dy: tensor<?x64xbf16>, %tokens: tensor<?xi32>, %init: tensor<90x64xf32>) -> tensor<90x64xf32> {
  %g = nn.embedding_grad %dy, %tokens, %init : tensor<?x64xbf16>, tensor<?xi32>, tensor<90x64xf32>
  return %g : tensor<90x64xf32>
}

// -----

// A row of 20000 logits is three parts with one block each. Then one warp handles each row.
// CHECK-LABEL: func.func @log_probability
// CHECK: hopper.launch @kernels::@log_probability_parts_20000_0
// CHECK: hopper.launch @kernels::@log_probability_20000_1
// CHECK: gpu.func @log_probability_parts_20000_0
// CHECK-COUNT-8: llvm.load {{.*}} vector<4xf32>
// CHECK-NOT: llvm.load {{.*}} vector<4xf32>
// CHECK: gpu.func @log_probability_20000_1
func.func @log_probability(%logits: tensor<?x20000xf32>, %targets: tensor<?xi32>, %temperature: tensor<?xf32>) -> tensor<?xf32> {
  %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature : tensor<?x20000xf32>, tensor<?xi32>, tensor<?xf32>
  return %logp : tensor<?xf32>
}

// -----

// A thread issues four 16-byte loads before it uses the first. It stores codes sixteen bytes at a time.
// CHECK-LABEL: func.func @quantize
// CHECK: gpu.func @quantize_slabs_bf16_64x128_int4_g128_nibble_x1_0
// CHECK-COUNT-4: llvm.load {{.*}} vector<4xi32>
// CHECK: nvvm.shfl.sync bfly
// CHECK: nvvm.barrier
// CHECK: llvm.load {{.*}} vector<4xi32>
// CHECK: llvm.store {{.*}} vector<4xi32>, !llvm.ptr<1>
#int4 = #qat.scheme<int4, group_size = 128>
func.func @quantize(%w: tensor<64x128xbf16>) -> !qat.packed<64x128, #int4, hopper> {
  %p = qat.quantize %w : tensor<64x128xbf16> -> !qat.packed<64x128, #int4, hopper>
  return %p : !qat.packed<64x128, #int4, hopper>
}

// -----

// The body is emitted for each of eight neighbours. bf16 is rounded after each operation.
// CHECK-LABEL: func.func @linalg
// CHECK: hopper.launch @kernels::@elementwise_
// CHECK: llvm.load {{.*}} vector<8xbf16>
// CHECK: arith.mulf {{.*}} : f32
// CHECK: arith.truncf {{.*}} : f32 to bf16
// CHECK: llvm.store {{.*}} vector<8xbf16>
func.func @linalg(%x: tensor<4x8xbf16>) -> tensor<4x8xbf16> {
  %e = tensor.empty() : tensor<4x8xbf16>
  %y = linalg.mul ins(%x, %x : tensor<4x8xbf16>, tensor<4x8xbf16>) outs(%e : tensor<4x8xbf16>) -> tensor<4x8xbf16>
  return %y : tensor<4x8xbf16>
}
