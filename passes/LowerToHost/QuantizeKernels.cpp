#include "passes/LowerToHost/Kernels.h"

void nibble::host::addQuantizeKernels(KernelTable &) {}
