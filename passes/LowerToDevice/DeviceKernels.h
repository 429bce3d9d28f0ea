// The kernels that run on any GPU, whatever its architecture. Each file adds
// its own to the table.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace nibble::device {

void addNormKernels(KernelTable &table);
void addElementwiseKernels(KernelTable &table);
void addLossKernels(KernelTable &table);
void addSumKernels(KernelTable &table);
void addSampleKernels(KernelTable &table);
void addCacheWriteKernels(KernelTable &table);
void addRopeCacheWriteKernels(KernelTable &table);
void addQuantizeKernels(KernelTable &table);
// Adds all of them.
void addDeviceKernels(KernelTable &table);

// Elementwise linalg on buffers.
mlir::LogicalResult emitElementwise(KernelWriter &writer,
                                    mlir::linalg::LinalgOp op);

} // namespace nibble::device
