#include "passes/LowerToHost/Kernels.h"

void nibble::host::addLinearKernels(KernelTable &) {}
