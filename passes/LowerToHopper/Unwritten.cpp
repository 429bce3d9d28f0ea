// Placeholder until each file of kernels is there.
#include "passes/LowerToHopper/Kernels.h"
using namespace mlir;
namespace nibble::hopper {
void addLossKernels(KernelTable &) {}
void addUpdateKernels(KernelTable &) {}
} // namespace nibble::hopper
