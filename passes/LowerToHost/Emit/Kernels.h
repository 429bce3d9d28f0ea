// The kernels there are: for each op of nn and qat a function that writes its
// body.
#pragma once

#include "dialects/Host/Host.h"
#include "passes/Kernels/KernelOp.h"
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

// One kernel to be written: its buffers are arguments of the function that it
// is outlined to.
struct Kernel : kernels::KernelOp {
  Emitter &b;
  const MachineModel &machine;
};

using KernelTable = kernels::KernelTable<Kernel>;

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
