//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_LOWERTOHOPPER_PASSES
#define NIBBLE_PASSES_LOWERTOHOPPER_PASSES

include "mlir/Pass/PassBase.td"

def ChoosePackedLayoutPass : Pass<"nibble-choose-packed-layout", "::mlir::ModuleOp"> {
  let summary = "Gives packed weights the layout that an SM's registers read.";
  let description = [{
    Every `!qat.packed` of layout `host` gets layout `hopper`, also in arguments and results of functions. Nothing is
    converted: the producer of the weight (the update, or the runtime from a checkpoint) makes it in this layout.

    Example: `!qat.packed<64x128, <int4, group_size = 32>, host>` becomes `!qat.packed<64x128, <int4, group_size = 32>, hopper>`.
  }];
}

def RoundGradientsPass : Pass<"nibble-round-gradients", "::mlir::ModuleOp"> {
  let summary = "Rounds a float32 gradient of a linear to bf16 once for all its products.";
  let description = [{
    An SM's matrix instructions multiply bf16. The gradient of the logits is float32, and two products take it: the
    input gradient and the weight gradient of the last linear. The pass adds one `arith.truncf` right after the value,
    which both products read. Other users keep the float32.

    Example: `nn.linear_input_grad %dy, %w` and `nn.linear_weight_grad %dy, %x, %dw` of `%dy : tensor<?x64xf32>` become the same of
    `%0 = arith.truncf %dy : tensor<?x64xf32> to tensor<?x64xbf16>`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def FuseLaunchesPass : Pass<"nibble-fuse-launches", "::mlir::ModuleOp"> {
  let summary = "Fuses consecutive ops of a layer into one kernel, without changing a bit.";
  let description = [{
    In a decode step the kernels of a layer are short, so the gaps between them count. The pass works on tensors,
    before bufferization:

    - Rotations of queries and keys become `nn.rope_cache_write`, with the norms of their heads, when the keys go into
      a cache.
    - `nn.swiglu` of two linears without other readers becomes `nn.linear_swiglu` or `qat.linear_swiglu`. When a
      gradient needs gate and up, they stay.

    A host has no launches, so its programs keep the plain ops.

    Example:

    ```mlir
    %g = qat.linear %x, %wg : tensor<?x64xbf16>, !qat.packed<128x64, #int4, host> -> tensor<?x128xbf16>
    %u = qat.linear %x, %wu : tensor<?x64xbf16>, !qat.packed<128x64, #int4, host> -> tensor<?x128xbf16>
    %h = nn.swiglu %g, %u : tensor<?x128xbf16>
    ```

    becomes

    ```mlir
    %h = qat.linear_swiglu %x, %wg, %wu : tensor<?x64xbf16>, !qat.packed<128x64, #int4, host> -> tensor<?x128xbf16>
    ```
  }];
  let dependentDialects = ["::nibble::nn::NNDialect", "::nibble::qat::QATDialect"];
}

def EmitHopperKernelsPass : Pass<"nibble-emit-hopper-kernels", "::mlir::ModuleOp"> {
  let summary = "Turns each kernel.compute and elementwise linalg op into launches of kernels.";
  let description = [{
    Each kernel is written once for its key, which is everything that its code depends on. Kernels are `gpu.func` of
    one `gpu.module @kernels`, in arith, scf, nvvm and hopper. The functions keep allocations, integer arithmetic,
    calls and `hopper.launch`: commands that need no code on the host. Grids and splits suit the GPU in the module's
    `kernel.target`.

    Example: `kernel.compute "nn.rms_norm" ins(%x, %w) outs(%y)` becomes `hopper.launch @kernels::@rms_norm_bf16_64_0 grid(...) args(%x, %w, %y, %rows)`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect", "::mlir::math::MathDialect", "::mlir::cf::ControlFlowDialect", "::nibble::hopper::HopperDialect"];
}

def LowerHopperPass : Pass<"nibble-lower-hopper", "::mlir::gpu::GPUModuleOp"> {
  let summary = "Lowers hopper in kernels to nvvm, llvm and PTX.";
  let description = [{
    Each `gpu.func` becomes an `llvm.func` that is a kernel. Its ops are lowered as follows:

    - Rings become addresses in shared memory and mbarriers with phases.
    - Roles become a branch on the warpgroup with `setmaxnreg`.
    - Matrix instructions with A in registers become inline PTX, because the nvvm dialect supports descriptors only.
    - `hopper.dequantize` becomes shifts, masks and two bf16x2 operations per pair.
    - Elementary functions become polynomials.

    Example: `hopper.ring_wait %ring[%i]` becomes a loop around `mbarrier.try_wait.parity` and the slot's address.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

#endif // NIBBLE_PASSES_LOWERTOHOPPER_PASSES
