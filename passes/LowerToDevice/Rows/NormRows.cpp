// Loads, sums and scales the rows of a root-mean-square norm.
#include "passes/LowerToDevice/Rows/NormRows.h"

#include "passes/Kernels/Formulas.h"

using namespace mlir;

namespace nibble::device {

NormRows::NormRows(int64_t size, Type element, double epsilon)
    : size(size), element(element), epsilon(epsilon) {
  width = size % 256 == 0 ? 8 : size % 128 == 0 ? 4 : size % 64 == 0 ? 2 : 1;
}

std::string NormRows::key(StringRef name) const {
  return name.str() + "_" + textOf(element) + "_" + std::to_string(size) + "_" +
         bitsText(epsilon);
}

Value NormRows::load(Emitter &b, Value pointer, Value row, Value column) const {
  return b.widen(b.load(b.at(pointer, element, b.place(row, size, column)),
                        b.vectorOf(element, width)));
}

Value NormRows::weight(Emitter &b, Value pointer, Value column) const {
  return b.widen(
      b.load(b.at(pointer, element, column), b.vectorOf(element, width)));
}

void NormRows::store(Emitter &b, Value values, Value pointer, Value row,
                     Value column) const {
  b.store(b.round(values, element),
          b.at(pointer, element, b.place(row, size, column)));
}

void NormRows::forColumns(Emitter &b,
                          llvm::function_ref<void(Value)> body) const {
  b.loop(b.mulI(b.lane(), width), b.i32(size), b.i32(32 * width), body);
}

void NormRows::inside(Emitter &b, int64_t i,
                      llvm::function_ref<void()> body) const {
  if (32 * width * (i + 1) <= size)
    return body();
  b.ifThen(b.less(column(b, i), size), body);
}

SmallVector<Value> NormRows::hold(Emitter &b, Value pointer, Value row) const {
  SmallVector<Value> held;
  VectorType type = b.vectorOf(element, width);
  for (int64_t i = 0; i < vectors(); ++i) {
    Value at = column(b, i);
    auto load = [&] {
      return b.load(b.at(pointer, element, b.place(row, size, at)), type);
    };
    auto zeros = [&]() -> Value {
      return arith::ConstantOp::create(b, b.getZeroAttr(type));
    };
    bool whole = 32 * width * (i + 1) <= size;
    held.push_back(whole ? load() : b.ifValue(b.less(at, size), load, zeros));
  }
  return held;
}

Value NormRows::chain(Emitter &b, Value x, Value y, Value sum) const {
  for (int64_t i = 0; i < width; ++i)
    sum = b.fma(b.extract(x, i), b.extract(y, i), sum);
  return sum;
}

Value NormRows::dot(
    Emitter &b,
    llvm::function_ref<std::pair<Value, Value>(Value column)> terms) const {
  Value sum = b.loop(b.mulI(b.lane(), width), b.i32(size), b.i32(32 * width),
                     {b.f32(0)},
                     [&](Value column, ValueRange sums) -> SmallVector<Value> {
                       auto [x, y] = terms(column);
                       return {chain(b, x, y, sums[0])};
                     })[0];
  return b.warpSum(sum);
}

Value NormRows::rootOf(Emitter &b, Value sum) const {
  return kernels::reciprocalRoot(b, sum, size, epsilon);
}

Value NormRows::reciprocalRoot(Emitter &b, Value x, Value row) const {
  return rootOf(b, dot(b, [&](Value column) {
                  Value v = load(b, x, row, column);
                  return std::pair(v, v);
                }));
}

// Zeros beyond the row do not change a sum of squares.
Value NormRows::reciprocalRoot(Emitter &b, ValueRange held) const {
  Value sum = b.f32(0);
  for (Value vector : held) {
    Value v = b.widen(vector);
    sum = chain(b, v, v, sum);
  }
  return rootOf(b, b.warpSum(sum));
}

Value NormRows::scaled(Emitter &b, Value x, Value r, Value weight) const {
  Value normalized = b.roundTo(b.mul(x, r), element);
  return b.roundTo(b.mul(weight, normalized), element);
}

} // namespace nibble::device
