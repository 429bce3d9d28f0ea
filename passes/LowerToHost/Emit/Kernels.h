// The kernels there are: for each op of nn and qat a function that writes its
// body.
#pragma once

#include "dialects/Host/Host.h"
#include "passes/Kernels/KernelOp.h"
#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

// One kernel to be written: its buffers are arguments of the function that it
// is outlined to.
struct Kernel : kernels::KernelOp {
  Emitter &b;
  const CpuTarget &machine;
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
