// The kernels that need what Hopper brought: wgmma, tensor copies, clusters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

void addLinearKernels(KernelTable &table);
void addAttentionKernels(KernelTable &table);
void addAttentionGradKernels(KernelTable &table);

} // namespace nibble::hopper
