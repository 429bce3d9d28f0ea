// The kernels there are: for each op of nn and qat a function that writes its
// body.
#pragma once

#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"
#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

// What the machine that the code is for can do; decides tiles and instructions,
// never bits.
struct MachineModel {
  int64_t vectorRegisters = 16; // architectural vector registers
  int64_t vectorFloats = 8; // float32 in one of them: 8 (AVX2) or 16 (AVX-512)
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 1 << 20;
};

// One kernel to be written. `inputs` and `outputs` are arguments of the
// outlined function, in the order of the op.
struct Kernel {
  Emitter &b;
  mutable kernel::ComputeOp op;
  mlir::ValueRange inputs;
  mlir::ValueRange outputs;
  const MachineModel &machine;

  // The op's attribute as an integer or float; the kernel's op verified that it
  // is there.
  int64_t integer(llvm::StringRef name) const;
  float real(llvm::StringRef name) const;
  bool flag(llvm::StringRef name) const;
  // The tensor types that the op had.
  mlir::Type inputType(unsigned i) const;
  mlir::Type outputType(unsigned i) const;
  // Of an op with optional operands: the operand of group `group` in the op's
  // definition, null when it was not given.
  mlir::Value optional(unsigned group) const;
};

using EmitKernelFn = mlir::LogicalResult (*)(Kernel &);

// Name of the op ("nn.rms_norm") to the function that writes its body.
using KernelTable = llvm::StringMap<EmitKernelFn>;

// Each file of kernels adds its own.
void addNormKernels(KernelTable &table); // rms_norm and gradient
void addElementwiseKernels(
    KernelTable
        &table); // embedding, rope, swiglu, take_rows, ... and their gradients
void addLossKernels(KernelTable &table); // log_probability, sums, adamw
void addAttentionKernels(
    KernelTable &table); // attention, gradient, paged attention, cache write
void addLinearKernels(
    KernelTable &table); // linear and gradients, bf16, float32 and packed
void addQuantizeKernels(
    KernelTable &table); // quantize, dequantize, fake_quant, repack

} // namespace nibble::host
