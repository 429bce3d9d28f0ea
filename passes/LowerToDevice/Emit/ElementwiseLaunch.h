// Kernels on consecutive elements, independent of rows. Each thread handles
// `width` neighbouring elements.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"

namespace nibble::device {

struct ElementwiseSpec {
  std::string key;
  int64_t width = 8;
  bool whole = false; // whether the count is known to be a multiple of width
  llvm::SmallVector<mlir::Value> arguments;
  mlir::Value count; // elements, an index value on the host; up to 2^32 * width
  llvm::SmallVector<mlir::Value> partly = {}; // see LaunchSpec
  mlir::Value touches = {};
};

// body(b, arguments, first, width) handles the elements [first, first + width);
// `first` is an i64. When fewer than `width` elements may be left over, the
// body is emitted twice: with the spec's width and with 1.
using ElementwiseBody = llvm::function_ref<void(
    Emitter &, mlir::ValueRange, mlir::Value first, int64_t width)>;
void launchElementwise(KernelWriter &writer, mlir::OpBuilder &host,
                       mlir::Location loc, const ElementwiseSpec &spec,
                       ElementwiseBody body);

// The code of one thread. The first `vectors` threads handle `width` elements
// each, the ones after them, up to `threads`, handle one. `threads` is null
// when there are none.
void forElements(
    Emitter &b, mlir::Value thread, mlir::Value vectors, mlir::Value threads,
    int64_t width,
    llvm::function_ref<void(mlir::Value first, int64_t width)> body);

// The number of elements of a buffer, as an index value on the host.
mlir::Value elementsOf(mlir::OpBuilder &host, mlir::Location loc,
                       mlir::Value buffer);
// Whether that number is known to be a multiple of `width`, because some extent
// is.
bool isMultiple(mlir::Value buffer, int64_t width);

// The largest power of two that divides `columns` and makes an access of at
// most 16 bytes.
int64_t accessWidth(int64_t columns, mlir::Type element);

// Loads `width` elements from element `first` on as float32, in accesses of at
// most 16 bytes. The counterpart rounds and stores.
mlir::Value loadFloats(Emitter &b, mlir::Value pointer, mlir::Type element,
                       mlir::Value first, int64_t width);
void storeFloats(Emitter &b, mlir::Value values, mlir::Value pointer,
                 mlir::Type element, mlir::Value first, int64_t width);

// Reports an error unless the buffer's elements are bf16.
mlir::LogicalResult checkActivations(Kernel &kernel, mlir::Value buffer);
// A float's bits as text for a key.
std::string bitsText(double value);

} // namespace nibble::device
