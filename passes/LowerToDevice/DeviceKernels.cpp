// The table of all kernels that run on any GPU.
#include "passes/LowerToDevice/DeviceKernels.h"

void nibble::device::addDeviceKernels(KernelTable &table) {
  addNormKernels(table);
  addElementwiseKernels(table);
  addLossKernels(table);
  addSumKernels(table);
  addSampleKernels(table);
  addCacheWriteKernels(table);
  addRopeCacheWriteKernels(table);
  addQuantizeKernels(table);
}
