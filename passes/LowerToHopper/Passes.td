//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_LOWERTOHOPPER_PASSES
#define NIBBLE_PASSES_LOWERTOHOPPER_PASSES

include "mlir/Pass/PassBase.td"

def ChoosePackedLayoutPass : Pass<"nibble-choose-packed-layout", "::mlir::ModuleOp"> {
  let summary = "Packed weights in the order in which an SM's registers read them.";
  let description = [{
    Every `!qat.packed` of layout `host` becomes one of layout `hopper`, arguments and results of functions included. Nothing is
    converted: whoever makes the weight (the update, or the runtime from a checkpoint) makes it in this layout.

    Example: `!qat.packed<64x128, <int4, group_size = 32>, host>` becomes `!qat.packed<64x128, <int4, group_size = 32>, hopper>`.
  }];
}

def RoundGradientsPass : Pass<"nibble-round-gradients", "::mlir::ModuleOp"> {
  let summary = "A float32 gradient of a linear is rounded to bf16 once for all products that take it.";
  let description = [{
    An SM's matrix instructions multiply bf16. The gradient of the logits is float32, and both the input gradient and the weight gradient of
    the last linear take it: it becomes one `arith.truncf`, right behind the value, that both read. Other users keep the float32.

    Example: `nn.linear_input_grad %dy, %w` and `nn.linear_weight_grad %dy, %x, %dw` of `%dy : tensor<?x64xf32>` become the same of
    `%0 = arith.truncf %dy : tensor<?x64xf32> to tensor<?x64xbf16>`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def FuseLaunchesPass : Pass<"nibble-fuse-launches", "::mlir::ModuleOp"> {
  let summary = "Ops that follow each other in a layer as one kernel, without changing a bit.";
  let description = [{
    In a decode step a layer's kernels are short, and what is between two of them counts. On tensors, before bufferization:

    - Rotations of queries and keys whose keys go into a cache become `nn.rope_cache_write`, norms of their heads included.
    - `nn.swiglu` of two linears that nobody else reads becomes `nn.linear_swiglu` or `qat.linear_swiglu`. Where a gradient needs gate and up,
      they stay.

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
  let summary = "Each kernel.compute and elementwise linalg op to launches of kernels.";
  let description = [{
    Kernels of one key (what their code depends on) are written once, as `gpu.func` of one `gpu.module @kernels`, in arith, scf, nvvm and
    hopper. The functions keep allocations, integer arithmetic, calls and `hopper.launch`: commands, which need no code on the host.
    Grids and splits are those of the GPU in the module's `kernel.target`.

    Example: `kernel.compute "nn.rms_norm" ins(%x, %w) outs(%y)` becomes `hopper.launch @kernels::@rms_norm_bf16_64_0 grid(...) args(%x, %w, %y, %rows)`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect", "::mlir::math::MathDialect", "::mlir::cf::ControlFlowDialect", "::nibble::hopper::HopperDialect"];
}

def LowerHopperPass : Pass<"nibble-lower-hopper", "::mlir::gpu::GPUModuleOp"> {
  let summary = "hopper in kernels to nvvm, llvm and PTX.";
  let description = [{
    Rings become addresses in shared memory and mbarriers with phases, roles a branch on the warpgroup with `setmaxnreg`, matrix instructions
    with A in registers inline PTX (the nvvm dialect knows descriptors only), `hopper.dequantize` shifts, masks and two bf16x2 operations
    a pair; elementary functions become polynomials. A `gpu.func` becomes an `llvm.func` that is a kernel.

    Example: `hopper.ring_wait %ring[%i]` becomes a loop around `mbarrier.try_wait.parity` and the slot's address.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect"];
}

#endif // NIBBLE_PASSES_LOWERTOHOPPER_PASSES
