// Kernels over consecutive elements, whatever rows they are cut into: a thread
// has `width` of them, which lie together.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

struct ElementwiseSpec {
  std::string key;
  int64_t width = 8;
  bool whole = false; // the count is known to be a multiple of width
  llvm::SmallVector<mlir::Value> arguments;
  mlir::Value count; // elements, an index value on the host; up to 2^32 * width
  llvm::SmallVector<mlir::Value> partly = {}; // see LaunchSpec
  mlir::Value touches = {};
};

// body(b, arguments, first, width): the elements [first, first + width), first
// an i64. Written twice when a rest of fewer than `width` elements can be left:
// with the spec's width, and with 1.
using ElementwiseBody = llvm::function_ref<void(
    Emitter &, mlir::ValueRange, mlir::Value first, int64_t width)>;
void launchElementwise(KernelWriter &writer, mlir::OpBuilder &host,
                       mlir::Location loc, const ElementwiseSpec &spec,
                       ElementwiseBody body);

// What a thread of such a kernel does: `vectors` threads have `width` elements
// each, those after them up to `threads` (null: there are none) one.
void forElements(
    Emitter &b, mlir::Value thread, mlir::Value vectors, mlir::Value threads,
    int64_t width,
    llvm::function_ref<void(mlir::Value first, int64_t width)> body);

// All elements of a buffer, an index value on the host.
mlir::Value elementsOf(mlir::OpBuilder &host, mlir::Location loc,
                       mlir::Value buffer);
// Whether their number is known to be a multiple of `width`: some extent is.
bool isMultiple(mlir::Value buffer, int64_t width);

// The largest power of two that divides `columns` and with which an access has
// at most 16 bytes.
int64_t accessWidth(int64_t columns, mlir::Type element);

// `width` elements from element `first` on as float32, in accesses of at most
// 16 bytes; and back, rounded.
mlir::Value loadFloats(Emitter &b, mlir::Value pointer, mlir::Type element,
                       mlir::Value first, int64_t width);
void storeFloats(Emitter &b, mlir::Value values, mlir::Value pointer,
                 mlir::Type element, mlir::Value first, int64_t width);

// Error unless the buffer's elements are bf16.
mlir::LogicalResult checkActivations(Kernel &kernel, mlir::Value buffer);
// A float's bits for a key.
std::string bitsText(double value);

} // namespace nibble::device
