//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_LOWERTOHOST_PASSES
#define NIBBLE_PASSES_LOWERTOHOST_PASSES

include "mlir/Pass/PassBase.td"

def EmitHostKernelsPass : Pass<"nibble-emit-host-kernels", "::mlir::ModuleOp"> {
  let summary = "Outlines each distinct kernel.compute and writes its body as loops over vectors.";
  let description = [{
    Kernels that are the same op with the same attributes and types share one private function. The body is written by the kernel's
    emitter (LinearKernels.cpp, AttentionKernels.cpp, ...), with the sums in the order that the op states. Its tiles are those of the CPU
    in the module's `kernel.target`.

    Example: two `kernel.compute "nn.rms_norm"` of one shape become two calls of `@nn_rms_norm_0`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::nibble::host::HostDialect", "::nibble::kernel::KernelDialect"];
}

def ProfileKernelsPass : Pass<"nibble-profile-kernels", "::mlir::ModuleOp"> {
  let summary = "Times each kernel and each linalg op where it is called.";
  let description = [{
    Puts calls of the runtime (nibble_profile_begin, nibble_profile_end in ABI.h) around every `kernel.compute` and every linalg op over
    buffers. The label is the op's name with the types of its operands. No bit of a result changes.

    Example: `kernel.compute "nn.rms_norm" ...` gets `%0 = call @nibble_profile_begin()` before and `call @nibble_profile_end(%label, %0)` after it.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}

def LowerCopiesPass : Pass<"nibble-lower-copies", "::mlir::ModuleOp"> {
  let summary = "Copies from or to a strided buffer as elementwise linalg.";
  let description = [{
    A `memref.copy` between row-major buffers stays, since one `memcpy` moves it. Any other, as `tensor.pad`, slices and concatenations
    leave them, becomes a `linalg.generic` that yields its input, of any rank and element type. It is then walked like all elementwise
    linalg, in lanes and over the threads. Upstream's lowering would call a C function for it (`memrefCopy`) that no program of ours has.

    Example: `memref.copy %a, %b : memref<4x2xf32, strided<[6, 1], offset: 2>> to memref<4x2xf32>` becomes
    `linalg.generic ins(%a) outs(%b) { ^bb0(%x: f32, %y: f32): linalg.yield %x : f32 }`.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
}

def WidenSumsPass : Pass<"nibble-widen-sums", "::mlir::ModuleOp"> {
  let summary = "Sums of linalg over buffers in float64, rounded once.";
  let description = [{
    A linalg op with a reduction whose body adds to an output of float32, bf16 or float16 adds to a buffer of float64 instead. Before it,
    that buffer takes what the output holds; behind it, the output takes the rounded sums. A chain of float32 additions over a million
    numbers loses four digits, and one of bf16 stands still at 256. Frameworks avoid both by orders of their own, which linalg does not
    state. The kernels of the nn dialect are not touched: their orders are stated (docs/numerics.md).

    Example: `linalg.generic ins(%x : memref<1000xf32>) outs(%s : memref<f32>)` whose body is `arith.addf %in, %out : f32` becomes one with
    `outs(%wide : memref<f64>)` and the body `arith.addf %out, %wide_in : f64`, between an `arith.extf` of `%s` and an `arith.truncf` to it.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
}

def WalkInLanesPass : Pass<"nibble-walk-in-lanes", "::mlir::ModuleOp"> {
  let summary = "Elementwise linalg over buffers in steps of sixteen lanes, rows over the threads.";
  let description = [{
    A `linalg.generic` whose loops are all parallel, whose buffers are walked along their last dimension (or hold one element for all of
    it) and whose body is arithmetic becomes `scf.parallel` over its first dimension and a loop in steps of `vector<16x...>`, then one of
    single elements for what is left. Each element's operations are those of the body, so the bits are too. Reductions, gathers and
    transpositions stay: their loops are upstream's, in the order that they state.

    Example: an addition of two `memref<?x64xbf16>` becomes
    `scf.parallel (%t) { scf.for %c step 16 { vector.load; vector.load; arith.addf : vector<16xbf16>; vector.store } }`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def ExpandElementaryPass : Pass<"nibble-expand-elementary", "::mlir::ModuleOp"> {
  let summary = "exp and log by our own polynomials.";
  let description = [{
    Replaces `math.exp` and `math.log` of float32 by the same polynomials that the kernels use, so that no program's bits depend on the
    C library it runs with. Other elementary functions go through upstream's polynomial approximations.

    What neither LLVM nor a library gives is written out: `math.fpowi` and `math.ipowi` as products by repeated squaring (of an exponent of
    any width, known or not), `math.isinf` and `math.isnormal` as comparisons, `math.clampf` as a maximum and a minimum, `math.fma` of bf16 and f16 in float32, and `arith.truncf` from
    f64 to bf16 by way of float32 rounded to odd, which is one rounding in all.

    Example: `math.exp %x : f32` becomes a chain of `math.fma`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def LowerLaneLookupPass : Pass<"nibble-lower-lane-lookup", "::mlir::ModuleOp"> {
  let summary = "host.lane_lookup to the lane permutes that the CPU has.";
  let description = [{
    The CPU is the one in the module's `kernel.target`. With vectors of 16 float32 it has one sixteen-entry permute (AVX-512), with 8 two
    eight-entry permutes and a blend for each half (AVX2), with fewer extracts that any CPU can do. The same bits each way.

    Example: for a target with `vector_floats = 16`, `host.lane_lookup %table, %codes` becomes
    `llvm.call_intrinsic "llvm.x86.avx512.permvar.sf.512"(%table, %codes)`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect", "::mlir::vector::VectorDialect"];
}

def HoistLocalBuffersPass : Pass<"nibble-hoist-local-buffers", "::mlir::ModuleOp"> {
  let summary = "Takes the stack buffers of a parallel loop's iterations once per thread.";
  let description = [{
    Upstream's lowering of `scf.parallel` wraps the body in `memref.alloca_scope`, which control flow cannot be lowered in. Buffers of known
    size move to the start of the thread's region, the scope dissolves.

    Example: `omp.parallel { omp.wsloop { ... memref.alloca_scope { %b = memref.alloca() ... } } }` becomes
    `omp.parallel { %b = memref.alloca() omp.wsloop { ... } }`.
  }];
}

def MoveAsIntegersPass : Pass<"nibble-move-as-integers", "::mlir::ModuleOp"> {
  let summary = "Loads and stores of bf16 as sixteen-bit integers.";
  let description = [{
    A CPU without bf16 arithmetic has no bf16 registers either: LLVM takes a masked access apart, and a vector of bf16 that lives across
    blocks (two branches that store to one place share the store) goes through float32 and a library call for each element. The bits
    are the same as those of an integer.

    Example: `llvm.intr.masked.load` of `vector<16xbf16>` becomes one of `vector<16xi16>` and a bitcast; so do `llvm.load` and `llvm.store`.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def LowerChecksPass : Pass<"nibble-lower-checks", "::mlir::ModuleOp"> {
  let summary = "Checks over buffers and assertions to calls of the runtime.";
  let description = [{
    Each `check.expect_eq` and `check.expect_close` becomes a call of the function of that name in ABI.h, with the op's location as a
    constant text, the addresses of the two buffers and of their extents. Runs after buffers have owners, so that nothing frees a buffer whose
    address is on its way.

    A `cf.assert`, which exporters write in front of every indexed read, becomes a branch to `nibble_assert_failed` with its place and message.
    The call that entered the program then fails with them, where upstream's lowering would end the process.

    Example: `check.expect_eq %a, %b : memref<?xf32>` becomes `call @nibble_check_expect_eq(%where, %is_float, %bits, ...)`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def RoundToBf16Pass : Pass<"nibble-round-to-bf16", "::mlir::ModuleOp"> {
  let summary = "Rounds float32 to bf16 with integers, to nearest even.";
  let description = [{
    `arith.truncf` from f32 to bf16 becomes integer arithmetic on the bits, NaN included, as `lib/Numerics/bf16.h` has it. Everything up to
    the last bitcast is of integers: a vector of bf16 is taken apart by LLVM where the CPU has no bf16 arithmetic. No cast may be contracted
    with another one any more: `extf(truncf(x))` is x rounded to bf16, whatever inserted the two.

    Example: `arith.truncf %x : vector<16xf32> to vector<16xbf16>` becomes shifts, adds and one select of `vector<16xi32>`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

#endif // NIBBLE_PASSES_LOWERTOHOST_PASSES
