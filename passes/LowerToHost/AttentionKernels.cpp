#include "passes/LowerToHost/Kernels.h"

void nibble::host::addAttentionKernels(KernelTable &) {}
