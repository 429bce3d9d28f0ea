// The kernels that need Hopper's instructions: wgmma, tensor copies and
// clusters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::hopper {

using namespace device;

void addLinearKernels(KernelTable &table);
void addAttentionKernels(KernelTable &table);
void addAttentionGradKernels(KernelTable &table);

} // namespace nibble::hopper
