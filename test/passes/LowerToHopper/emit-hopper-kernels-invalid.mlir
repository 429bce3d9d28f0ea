// RUN: nibble-opt %s --nibble-set-target=target=h200 --nibble-emit-hopper-kernels --split-input-file --verify-diagnostics

func.func @unknown(%x: memref<4xf32>) {
  // expected-error @+1 {{there is no kernel for 'nn.unknown' on an H200}}
  kernel.compute "nn.unknown" ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
      {parameters = {}, input_types = [tensor<4xf32>], output_types = [tensor<4xf32>]}
  return
}

// -----

func.func @float32(%x: memref<?x64xf32>, %w: memref<64xf32>, %y: memref<?x64xf32>) {
  // expected-error @+1 {{has activations of 'f32'; an H200's kernels take bf16}}
  kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xf32>, memref<64xf32>) outs(%y : memref<?x64xf32>)
      {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xf32>, tensor<64xf32>], output_types = [tensor<?x64xf32>]}
  return
}

// -----

// The copy engine needs rows that are a multiple of 16 bytes.
func.func @odd(%x: memref<?x60xbf16>, %w: memref<64x60xbf16>, %y: memref<?x64xbf16>) {
  // expected-error @+1 {{has rows of 60}}
  kernel.compute "nn.linear" ins(%x, %w : memref<?x60xbf16>, memref<64x60xbf16>) outs(%y : memref<?x64xbf16>)
      {parameters = {operandSegmentSizes = array<i32: 1, 1, 0, 0>}, input_types = [tensor<?x60xbf16>, tensor<64x60xbf16>], output_types = [tensor<?x64xbf16>]}
  return
}

// -----

func.func @matrix_of_float32(%x: memref<?x64xf32>, %w: memref<64x64xf32>, %y: memref<?x64xf32>) {
  // expected-error @+1 {{has operands of 'f32'; an H200's matrix kernels take bf16}}
  kernel.compute "nn.linear" ins(%x, %w : memref<?x64xf32>, memref<64x64xf32>) outs(%y : memref<?x64xf32>)
      {parameters = {operandSegmentSizes = array<i32: 1, 1, 0, 0>}, input_types = [tensor<?x64xf32>, tensor<64x64xf32>], output_types = [tensor<?x64xf32>]}
  return
}

// -----

// No kernel reads this layout.
func.func @layout(%p: memref<4608xi8>, %y: memref<64x128xbf16>) {
  // expected-error @+1 {{on an H200 int4 lies in layout hopper or interchange}}
  kernel.compute "qat.dequantize" ins(%p : memref<4608xi8>) outs(%y : memref<64x128xbf16>)
      {parameters = {}, input_types = [!qat.packed<64x128, <int4, group_size = 32>, host>], output_types = [tensor<64x128xbf16>]}
  return
}

// -----

#row = affine_map<(i, j) -> (i)>
#all = affine_map<(i, j) -> (i, j)>
func.func @reduction(%x: memref<?x64xf32>, %y: memref<?xf32>) {
  // expected-error @+1 {{'linalg.generic' has a loop that reduces; write it as ops of nn, because an H200 has kernels of linalg only for what goes element by element}}
  linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]} ins(%x : memref<?x64xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %a, %b : f32
    linalg.yield %s : f32
  }
  return
}

// -----

#each = affine_map<(i) -> (i)>
func.func @strided(%x: memref<?xf32, strided<[2]>>, %y: memref<?xf32>) {
  // expected-error @+1 {{walks a strided view of type 'memref<?xf32, strided<[2]>>'; on an H200 buffers are row-major}}
  linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel"]} ins(%x : memref<?xf32, strided<[2]>>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
}

// -----

#each = affine_map<(i) -> (i)>
func.func @outside(%x: memref<?xf32>, %y: memref<?xf32>, %c: f32) {
  linalg.generic {indexing_maps = [#each, #each], iterator_types = ["parallel"]} ins(%x : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    // expected-error @+1 {{uses a value from outside that is not a constant; on an H200 operands are buffers}}
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  }
  return
}

// -----

// expected-error @+1 {{and kernels of hopper.target are asked for; compile it for the machine that it names}}
module attributes {kernel.target = #host.target<cpu = "x86-64-v3", vector_registers = 16, vector_floats = 8, l1_bytes = 32768, l2_bytes = 1048576>} {}
