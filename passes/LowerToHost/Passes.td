//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_LOWERTOHOST_PASSES
#define NIBBLE_PASSES_LOWERTOHOST_PASSES

include "mlir/Pass/PassBase.td"

def EmitHostKernelsPass : Pass<"nibble-emit-host-kernels", "::mlir::ModuleOp"> {
  let summary = "Outlines each distinct kernel.compute and emits its body as loops over vectors.";
  let description = [{
    Kernels that are the same op with the same attributes and types share one private function. The kernel's emitter
    (LinearKernels.cpp, AttentionKernels.cpp, ...) writes the body, with sums in the order that the op states. Its
    tiles suit the CPU in the module's `kernel.target`.

    Example: two `kernel.compute "nn.rms_norm"` of one shape become two calls of `@nn_rms_norm_0`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::nibble::host::HostDialect", "::nibble::kernel::KernelDialect"];
}

def ProfileKernelsPass : Pass<"nibble-profile-kernels", "::mlir::ModuleOp"> {
  let summary = "Times each kernel and each linalg op at its call.";
  let description = [{
    Adds calls of the runtime (nibble_profile_begin, nibble_profile_end in ABI.h) around every `kernel.compute` and
    every linalg op on buffers. The label is the op's name with the types of its operands. No bit of a result changes.

    Example: `kernel.compute "nn.rms_norm" ...` gets `%0 = call @nibble_profile_begin()` before and `call @nibble_profile_end(%label, %0)` after it.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LowerCopiesPass : Pass<"nibble-lower-copies", "::mlir::ModuleOp"> {
  let summary = "Turns copies from or to a strided buffer into elementwise linalg.";
  let description = [{
    A `memref.copy` between row-major buffers stays, since one `memcpy` moves it. `tensor.pad`, slices and
    concatenations leave other copies. These become a `linalg.generic` that yields its input, for any rank and element
    type. They then run like all elementwise linalg, in lanes and on several threads. Upstream's lowering would call a
    C function (`memrefCopy`) that our programs do not have.

    Example: `memref.copy %a, %b : memref<4x2xf32, strided<[6, 1], offset: 2>> to memref<4x2xf32>` becomes
    `linalg.generic ins(%a) outs(%b) { ^bb0(%x: f32, %y: f32): linalg.yield %x : f32 }`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def WidenSumsPass : Pass<"nibble-widen-sums", "::mlir::ModuleOp"> {
  let summary = "Accumulates sums of linalg on buffers in float64 and rounds them once.";
  let description = [{
    A linalg op with a reduction may add to an output of float32, bf16 or float16. The pass makes it add to a buffer
    of float64 instead. The buffer first takes the values of the output; afterwards the output takes the rounded sums.
    A chain of float32 additions over a million numbers loses four digits, and one of bf16 stops growing at 256.
    Frameworks avoid both by summation orders that linalg does not state. The kernels of the nn dialect are not
    changed, because their orders are stated (docs/numerics.md).

    Example: `linalg.generic ins(%x : memref<1000xf32>) outs(%s : memref<f32>)` whose body is `arith.addf %in, %out : f32` becomes one with
    `outs(%wide : memref<f64>)` and the body `arith.addf %out, %wide_in : f64`, between an `arith.extf` of `%s` and an `arith.truncf` to it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
}

def WalkInLanesPass : Pass<"nibble-walk-in-lanes", "::mlir::ModuleOp"> {
  let summary = "Vectorizes elementwise linalg on buffers in sixteen lanes, with rows in parallel.";
  let description = [{
    The pass handles a `linalg.generic` with parallel loops only and a body of arithmetic. Each buffer must be read
    along its last dimension, or have one element for all of that dimension. The op becomes `scf.parallel` over its
    first dimension, a loop in steps of `vector<16x...>`, and a scalar loop for the remainder. Each element's
    operations are those of the body, so the bits are too. Reductions, gathers and transpositions stay: upstream
    lowers them to loops in the order that they state.

    Example: an addition of two `memref<?x64xbf16>` becomes
    `scf.parallel (%t) { scf.for %c step 16 { vector.load; vector.load; arith.addf : vector<16xbf16>; vector.store } }`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ExpandElementaryPass : Pass<"nibble-expand-elementary", "::mlir::ModuleOp"> {
  let summary = "Replaces exp and log by our own polynomials.";
  let description = [{
    Replaces `math.exp` and `math.log` of float32 by the polynomials that the kernels use, so that no program's bits
    depend on the C library. Other elementary functions use upstream's polynomial approximations.

    Ops that neither LLVM nor a library provides are expanded:

    - `math.fpowi` and `math.ipowi` become products by repeated squaring. The exponent may have any width and need not
      be constant.
    - `math.isinf` and `math.isnormal` become comparisons, `math.clampf` a maximum and a minimum.
    - `math.fma` of bf16 and f16 is computed in float32.
    - `arith.truncf` from f64 to bf16 goes through float32 rounded to odd, which rounds once in all.

    Example: `math.exp %x : f32` becomes a chain of `math.fma`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def LowerLaneLookupPass : Pass<"nibble-lower-lane-lookup", "::mlir::ModuleOp"> {
  let summary = "Lowers host.lane_lookup to the lane permutes of the CPU.";
  let description = [{
    The CPU is the module's `kernel.target`. With vectors of 16 float32 (AVX-512) the op is one sixteen-entry permute.
    With 8 (AVX2) it is two eight-entry permutes and a blend for each half. With fewer it is extracts, which any CPU
    has. The bits are the same each way.

    Example: for a target with `vector_floats = 16`, `host.lane_lookup %table, %codes` becomes
    `llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%table, %codes)`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
}

def HoistLocalBuffersPass : Pass<"nibble-hoist-local-buffers", "::mlir::ModuleOp"> {
  let summary = "Allocates the stack buffers of a parallel loop once per thread.";
  let description = [{
    Upstream's lowering of `scf.parallel` wraps the body in `memref.alloca_scope`, inside which control flow cannot be
    lowered. The pass moves buffers of known size to the start of the thread's region and removes the scope.

    Example: `omp.parallel { omp.wsloop { ... memref.alloca_scope { %b = memref.alloca() ... } } }` becomes
    `omp.parallel { %b = memref.alloca() omp.wsloop { ... } }`.
  }];
}

def MoveAsIntegersPass : Pass<"nibble-move-as-integers", "::mlir::ModuleOp"> {
  let summary = "Turns loads and stores of bf16 into ones of sixteen-bit integers.";
  let description = [{
    A CPU without bf16 arithmetic has no bf16 registers either. LLVM then splits a masked access into elements. A
    vector of bf16 that lives across blocks, as when two branches share a store, goes through float32 and a library
    call for each element. Integers of sixteen bits have the same bits and avoid both.

    Example: `llvm.intr.masked.load` of `vector<16xbf16>` becomes one of `vector<16xi16>` and a bitcast; so do `llvm.load` and `llvm.store`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerChecksPass : Pass<"nibble-lower-checks", "::mlir::ModuleOp"> {
  let summary = "Lowers checks on buffers and assertions to calls of the runtime.";
  let description = [{
    Each `check.expect_eq` and `check.expect_close` becomes a call of the function of that name in ABI.h. Its
    arguments are the op's location as a constant text, and the addresses of the two buffers and of their extents. The
    pass runs after buffers have owners, so that nothing frees a buffer whose address is passed.

    A `cf.assert`, which exporters write before every indexed read, becomes a branch to `nibble_assert_failed` with
    its location and message. The call that entered the program then fails with that message. Upstream's lowering
    would end the process.

    Example: `check.expect_eq %a, %b : memref<?xf32>` becomes `call @nibble_check_expect_eq(%where, %is_float, %bits, ...)`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def RoundToBf16Pass : Pass<"nibble-round-to-bf16", "::mlir::ModuleOp"> {
  let summary = "Rounds float32 to bf16 with integers, to nearest even.";
  let description = [{
    `arith.truncf` from f32 to bf16 becomes integer arithmetic on the bits, NaN included, as in `lib/Numerics/bf16.h`.
    Only the last bitcast produces bf16, because LLVM splits a vector of bf16 into elements when the CPU has no bf16
    arithmetic. Casts must not be contracted any more: `extf(truncf(x))` is x rounded to bf16, whatever inserted the
    two.

    Example: `arith.truncf %x : vector<16xf32> to vector<16xbf16>` becomes shifts, adds and one select of `vector<16xi32>`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // NIBBLE_PASSES_LOWERTOHOST_PASSES
