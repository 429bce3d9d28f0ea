// The kernels of a host: for each op of nn and qat, the function that emits its
// body.
#pragma once

#include "dialects/Host/Host.h"
#include "passes/Kernels/KernelOp.h"
#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

// One kernel to emit. Its buffers are arguments of the function to which it is
// outlined.
struct Kernel : kernels::KernelOp {
  Emitter &b;
  const CpuTarget &machine;
};

using KernelTable = kernels::KernelTable<Kernel>;

// Each file of kernels adds its own.

// rms_norm and its gradient
void addNormKernels(KernelTable &table);
// embedding, rope, swiglu, take_rows, ... and their gradients
void addElementwiseKernels(KernelTable &table);
// log_probability, sums, adamw
void addLossKernels(KernelTable &table);
// attention, its gradient, paged attention, cache write
void addAttentionKernels(KernelTable &table);
// linear and its gradients: bf16, float32 and packed
void addLinearKernels(KernelTable &table);
// quantize, dequantize, fake_quant, repack
void addQuantizeKernels(KernelTable &table);

} // namespace nibble::host
