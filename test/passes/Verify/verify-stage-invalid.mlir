// RUN: split-file %s %t
// RUN: nibble-opt %t/import.mlir --nibble-verify-stage=stage=import --split-input-file --verify-diagnostics
// RUN: nibble-opt %t/quantize.mlir --nibble-verify-stage=stage=quantize --verify-diagnostics
// RUN: nibble-opt %t/differentiate.mlir --nibble-verify-stage=stage=differentiate --split-input-file --verify-diagnostics
// RUN: nibble-opt %t/hoist.mlir --nibble-verify-stage=stage=hoist --verify-diagnostics
// RUN: nibble-opt %t/rollout.mlir --nibble-verify-stage=stage=rollout --split-input-file --verify-diagnostics
// RUN: nibble-opt %t/fuse.mlir --nibble-verify-stage=stage=fuse --verify-diagnostics
// RUN: nibble-opt %t/hopper-tensors.mlir --nibble-verify-stage=stage=hopper-tensors --verify-diagnostics
// RUN: nibble-opt %t/bufferize.mlir --nibble-verify-stage=stage=bufferize --split-input-file --verify-diagnostics
// RUN: nibble-opt %t/kernels.mlir --nibble-verify-stage=stage=host-loops --verify-diagnostics
// RUN: nibble-opt %t/kernels.mlir --nibble-verify-stage=stage=hopper-kernels --verify-diagnostics
// RUN: nibble-opt %t/host.mlir --nibble-verify-stage=stage=lower-to-host --split-input-file --verify-diagnostics
// RUN: nibble-opt %t/hopper.mlir --nibble-verify-stage=stage=lower-to-hopper --split-input-file --verify-diagnostics
// RUN: not nibble-opt %t/fuse.mlir --nibble-verify-stage=stage=assemble 2>&1 | FileCheck %s
// CHECK: nibble-verify-stage: there is no stage 'assemble'

//--- import.mlir
// expected-error @below {{stage import names every argument of a public function (nn.input, nn.parameter or nn.state); this breaks it}}
func.func @f(%x: tensor<?xf32>) { return }

// -----

func.func @f(%x: memref<4xf32> {nn.input = "x"}) {
  // expected-error @below {{stage import has only ops that later stages know; this breaks it}}
  memref.dealloc %x : memref<4xf32>
  return
}

//--- quantize.mlir
func.func @f(%w: tensor<32x64xf32>) -> (tensor<32x64xf32>, tensor<32x64xf32>) {
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xf32>
  // expected-error @below {{stage quantize reads every weight under one scheme; this breaks it}}
  %b = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 64>} : tensor<32x64xf32>
  return %a, %b : tensor<32x64xf32>, tensor<32x64xf32>
}

//--- differentiate.mlir
// expected-error @below {{stage differentiate accumulates each gradient in float32 in the shape of its parameter; this breaks it}}
func.func @f(%w: tensor<32x64xf32> {nn.parameter = "w"}, %g: tensor<64x32xf32> {nn.state = "gradient:w"}) { return }

// -----

// expected-error @below {{stage differentiate accumulates each gradient in float32}}
func.func @f(%w: tensor<32x64xbf16> {nn.parameter = "w"}, %g: tensor<32x64xbf16> {nn.state = "gradient:w"}) { return }

// -----

// expected-error @below {{stage differentiate accumulates each gradient in float32}}
func.func @f(%w: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> {nn.parameter = "w"},
             %g: tensor<32x32xf32> {nn.state = "gradient:w"}) { return }

//--- hoist.mlir
func.func private @layer(%w: tensor<32x64xf32>) -> tensor<32x64xf32> {
  // expected-error @below {{stage hoist leaves no fake_quant of an argument in training, where it would be the same for every microbatch; this breaks it}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xf32>
  return %a : tensor<32x64xf32>
}
func.func @train_step(%w: tensor<32x64xf32> {nn.parameter = "w"}, %g: tensor<32x64xf32> {nn.state = "gradient:w"}) -> tensor<32x64xf32> {
  %a = call @layer(%w) : (tensor<32x64xf32>) -> tensor<32x64xf32>
  return %a : tensor<32x64xf32>
}

//--- rollout.mlir
func.func private @layer(%w: tensor<32x64xf32>) -> tensor<32x64xf32> {
  // expected-error @below {{stage rollout leaves no fake_quant in functions with a cache; this breaks it}}
  %a = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<32x64xf32>
  return %a : tensor<32x64xf32>
}
func.func @forward(%w: tensor<32x64xf32> {nn.parameter = "w"}, %k: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}) -> tensor<32x64xf32> {
  %a = call @layer(%w) : (tensor<32x64xf32>) -> tensor<32x64xf32>
  return %a : tensor<32x64xf32>
}

// -----

func.func @forward(%x: tensor<?x64xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                   %k: tensor<?x2x32x64xf32> {nn.state = "key_cache:0"}) -> tensor<?x64xf32> {
  // expected-error @below {{stage rollout attends over pages in functions with a cache; this breaks it}}
  %a, %lse = nn.attention %x, %x, %x, %positions, %sequences {heads = 2, kv_heads = 2, scale = 0.5 : f32, kv_block = 64}
      : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x2xf32>
  return %a : tensor<?x64xf32>
}

//--- fuse.mlir
func.func @f(%x: tensor<?x64xf32>, %p: !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host>) -> tensor<?x32xf32> {
  %w = qat.dequantize %p : !qat.packed<32x64, #qat.scheme<int4, group_size = 32>, host> -> tensor<32x64xf32>
  // expected-error @below {{stage fuse leaves no dequantized weight that feeds a linear; this breaks it}}
  %y = nn.linear %x, %w : tensor<?x64xf32>, tensor<32x64xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

//--- host.mlir
// expected-error @below {{'func.func' has no form on a CPU}}
func.func @f() { llvm.return }

// -----

// The message names the op between two casts, since the leftover casts say less.
llvm.func @f(%x: i64) -> i64 {
  %0 = builtin.unrealized_conversion_cast %x : i64 to index
  // expected-error @below {{'index.add' of 'index', 'index' to 'index' has no form on a CPU}}
  %1 = index.add %0, %0
  %2 = builtin.unrealized_conversion_cast %1 : index to i64
  llvm.return %2 : i64
}

//--- hopper-tensors.mlir
// expected-error @below {{stage hopper-tensors leaves no packed weight in the order of a CPU; this breaks it}}
func.func @f(%p: !qat.packed<64x128, #qat.scheme<int4, group_size = 32>, host>) { return }

//--- bufferize.mlir
// expected-error @below {{stage bufferize leaves no value that is a tensor or a packed weight; this breaks it}}
func.func @f(%x: tensor<4xf32>) { return }

// -----

func.func @f() {
  // expected-error @below {{stage bufferize leaves no value that is a tensor or a packed weight; this breaks it}}
  %0 = tensor.empty() : tensor<4xf32>
  return
}

//--- kernels.mlir
func.func @f(%x: memref<4xf32>) {
  // expected-error @below {{leaves no kernel.compute and no linalg op; this breaks it}}
  linalg.copy ins(%x : memref<4xf32>) outs(%x : memref<4xf32>)
  return
}

//--- hopper.mlir
func.func @f(%x: memref<4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{stage lower-to-hopper leaves nothing but commands over buffers and kernels of llvm and nvvm; this breaks it}}
  scf.for %i = %c0 to %c0 step %c0 {
  }
  return
}

// -----

gpu.module @kernels {
  llvm.func @k() {
    // expected-error @below {{stage lower-to-hopper leaves nothing but commands over buffers and kernels of llvm and nvvm; this breaks it}}
    %0 = arith.constant 0 : i32
    llvm.return
  }
}
