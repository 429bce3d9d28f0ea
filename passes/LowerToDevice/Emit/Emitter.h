// The builder of device kernels, whose values belong to one thread.
//
// Integers are i32 (element counts, indices) unless a name says i64. Pointers
// are LLVM's, global (address space 1) or shared (3). Floating-point operations
// are float32 and round once each; the compiler contracts nothing.
#pragma once

#include "dialects/Hopper/Hopper.h"
#include "passes/Kernels/Emitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace nibble::device {

// Threads of a block in kernels without tiles.
inline constexpr int64_t kThreads = 256;

// Named barrier for all consumers of a block.
inline constexpr int64_t kConsumerBarrier = 1;

class Emitter : public kernels::Emitter {
public:
  using kernels::Emitter::Emitter;

  bool hasFastSubnormals() const override { return true; }

  Value i64(int64_t value);
  Value boolean(bool value);

  // Integers, in addition to the base class, with a constant on the right.
  Value maxI(Value a, Value b); // unsigned
  Value xorI(Value a, Value b);
  Value ceilDivI(Value a, int64_t b);
  using kernels::Emitter::addI;
  using kernels::Emitter::andI;
  using kernels::Emitter::divI;
  using kernels::Emitter::equal;
  using kernels::Emitter::less;
  using kernels::Emitter::mulI;
  using kernels::Emitter::remI;
  using kernels::Emitter::shlI;
  using kernels::Emitter::shrI;
  using kernels::Emitter::subI;
  Value addI(Value a, int64_t b) { return addI(a, constantLike(a, b)); }
  Value subI(Value a, int64_t b) { return subI(a, constantLike(a, b)); }
  Value mulI(Value a, int64_t b) { return mulI(a, constantLike(a, b)); }
  Value divI(Value a, int64_t b) { return divI(a, constantLike(a, b)); }
  Value remI(Value a, int64_t b) { return remI(a, constantLike(a, b)); }
  Value andI(Value a, int64_t b) { return andI(a, constantLike(a, b)); }
  Value shlI(Value a, int64_t b) { return shlI(a, constantLike(a, b)); }
  Value shrI(Value a, int64_t b) { return shrI(a, constantLike(a, b)); }
  Value less(Value a, int64_t b) { return less(a, constantLike(a, b)); }
  Value equal(Value a, int64_t b) { return equal(a, constantLike(a, b)); }
  Value lessEqual(Value a, Value b);
  Value wide(Value i32);          // to i64, unsigned
  Value narrow(Value i64);        // to i32
  Value both(Value a, Value b);   // of i1
  Value either(Value a, Value b); // of i1

  // 1 / a with an error of one unit in the last place (PTX ISA,
  // rcp.approx.ftz), which depends on the machine.
  Value approximateReciprocal(Value a);
  Value greater(Value a, Value b); // of float32
  Value toFloat(Value i32);        // signed
  // The larger of two unsigned 16-bit integers, in each half of a register.
  Value maxHalves(Value a, Value b);
  // Packs two float32 into a register of two bf16, `low` in bits 0..15.
  Value packBf16(Value low, Value high);
  Value bitcast(Value x, Type type);

  // Vectors.
  Value extract(Value vector, int64_t i);
  Value insert(Value scalar, Value vector, int64_t i);
  Value splat(Value scalar, int64_t width);
  Value fromElements(mlir::ArrayRef<Value> elements);
  Value zeros(int64_t width); // vector<width x f32>

  // The position of the thread.
  Value thread();                 // in its block
  Value block(int dimension = 0); // in the grid
  Value lane();                   // thread mod 32
  Value warp();                   // thread / 32
  // The same value, which must be equal in all lanes of the warp, in a uniform
  // register.
  Value uniform(Value i32);

  // Memory. `element` is the type at `pointer`, and `index` (i32 or i64) counts
  // such elements.
  Value at(Value pointer, Type element, Value index);
  Value atByte(Value pointer, Value index);
  Value atByte(Value pointer, int64_t index) {
    return atByte(pointer, i32(index));
  }
  // row * stride + column, as an i64.
  Value place(Value row, Value stride, Value column);
  Value place(Value row, int64_t stride, Value column) {
    return place(row, i32(stride), column);
  }
  Value load(Value pointer, Type type,
             int64_t alignment = 0); // 0: natural of the whole type
  void store(Value value, Value pointer, int64_t alignment = 0);
  mlir::VectorType vectorOf(Type element, int64_t width) {
    return mlir::VectorType::get({width}, element);
  }
  Type sharedPointer() {
    return mlir::LLVM::LLVMPointerType::get(getContext(), 3);
  }
  Value sharedMemory(int64_t offset) {
    return hopper::SharedMemoryOp::create(*this, sharedPointer(), offset);
  }
  // The 32-bit shared address.
  Value sharedAddress(Value shared);

  // Communication between threads.
  void barrier();                            // of the block
  void barrier(int64_t id, int64_t threads); // of `threads` threads, id 1..15
  void syncWarp();
  Value shuffleXor(Value x, int64_t mask); // f32 or i32, of the whole warp
  Value shuffle(Value x, Value lane);      // f32 or i32: the value of that lane
  // Reductions over the 32 lanes by xor of 16, 8, 4, 2, 1, which is a fixed
  // tree (N13). Every lane gets the result.
  Value warpSum(Value x);
  Value warpMax(Value x);
  // Sum over all warps of a block: warpSum, then a second warp tree over the
  // warps' sums. Every thread gets the result. `scratch` is shared memory, 4
  // bytes per warp. `threads` is a multiple of 32, at most 1024. It contains
  // barriers, so all threads must call it.
  Value blockSum(Value x, Value scratch, int64_t threads);
  Value blockMax(Value x, Value scratch, int64_t threads);
  // Makes earlier writes of this thread to shared memory visible to matrix
  // instructions and bulk copies after the next barrier.
  void fenceAsync();

  // Control flow, in addition to the base class.
  // Runs the body at least once. It returns whether to run again, and the
  // carried values.
  void doWhile(mlir::ValueRange init,
               llvm::function_ref<
                   std::pair<Value, llvm::SmallVector<Value>>(mlir::ValueRange)>
                   body);
  // Runs the body as long as the condition, tested first, holds.
  llvm::SmallVector<Value> loopWhile(
      mlir::ValueRange init,
      llvm::function_ref<Value(mlir::ValueRange)> condition,
      llvm::function_ref<llvm::SmallVector<Value>(mlir::ValueRange)> body);
  // Emits the single block of a region, as for a role.
  void writeRegion(mlir::Region &region, llvm::function_ref<void()> body);
  // The value of one branch or of the other, `otherwise`.
  Value ifValue(Value condition, llvm::function_ref<Value()> body,
                llvm::function_ref<Value()> otherwise);

private:
  Value blockReduce(Value x, Value scratch, int64_t threads,
                    Value (Emitter::*warpReduce)(Value), double identity);
};

using kernels::columnsOf;
using kernels::elementOf;

} // namespace nibble::device
