// Loads and stores pieces of a matrix with bounds checks.
#include "passes/LowerToDevice/Quantize/PieceMatrix.h"

#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

using namespace mlir;

namespace nibble::device {

static Value either(Emitter &b, Value condition,
                    llvm::function_ref<Value()> body,
                    llvm::function_ref<Value()> otherwise) {
  return condition ? b.ifValue(condition, body, otherwise) : body();
}

// Two numbers of a piece as one word.
static Value wordOf(Emitter &b, Type element, Value vector, int64_t low) {
  if (element.isF32())
    return b.packBf16(b.extract(vector, low), b.extract(vector, low + 1));
  auto wide = [&](int64_t i) {
    return arith::ExtUIOp::create(b, b.getI32Type(), b.extract(vector, i))
        .getResult();
  };
  return b.orI(wide(low), b.shlI(wide(low + 1), 16));
}

// Whether an access of the piece is inside the matrix; null when it always is.
static Value condition(Emitter &b, const PieceMatrix &m, Value row,
                       Value column, bool inside) {
  Value rowIn = inside ? Value() : b.less(row, m.n);
  Value columnIn = m.k % 128 == 0 ? Value() : b.less(column, m.k);
  if (!rowIn || !columnIn)
    return rowIn ? rowIn : columnIn;
  return b.both(rowIn, columnIn);
}

Value PieceMatrix::load(Emitter &b, Value row, Value column,
                        bool inside) const {
  int64_t width = accessWidth(k, element);
  Type stored = element.isF32() ? element : b.getI16Type();
  auto zeros = [&](int64_t words) {
    return arith::ConstantOp::create(
               b, DenseElementsAttr::get(b.vectorOf(b.getI32Type(), words),
                                         int32_t{0}))
        .getResult();
  };
  if (width == kPiece)
    return either(
        b, condition(b, *this, row, column, inside),
        [&] {
          return b.load(b.at(pointer, element, b.place(row, k, column)),
                        b.vectorOf(b.getI32Type(), 4));
        },
        [&] { return zeros(4); });
  if (width % 2 == 0) {
    SmallVector<Value> words;
    for (int64_t first = 0; first < kPiece; first += width) {
      Value at = b.addI(column, first);
      Value part = either(
          b, condition(b, *this, row, at, inside),
          [&] {
            Value vector = b.load(b.at(pointer, stored, b.place(row, k, at)),
                                  b.vectorOf(stored, width));
            SmallVector<Value> own;
            for (int64_t i = 0; i < width; i += 2)
              own.push_back(wordOf(b, element, vector, i));
            return b.fromElements(own);
          },
          [&] { return zeros(width / 2); });
      for (int64_t i = 0; i < width / 2; ++i)
        words.push_back(b.extract(part, i));
    }
    return b.fromElements(words);
  }
  SmallVector<Value> words, numbers;
  for (int64_t i = 0; i < kPiece; ++i) {
    Value at = b.addI(column, i);
    numbers.push_back(either(
        b, condition(b, *this, row, at, inside),
        [&] {
          return b.load(b.at(pointer, stored, b.place(row, k, at)), stored);
        },
        [&] {
          return element.isF32()
                     ? b.f32(0)
                     : arith::ConstantIntOp::create(b, b.getI16Type(), 0)
                           .getResult();
        }));
  }
  Value all = b.fromElements(numbers);
  for (int64_t i = 0; i < kPiece; i += 2)
    words.push_back(wordOf(b, element, all, i));
  return b.fromElements(words);
}

void PieceMatrix::store(Emitter &b, Value words, Value row, Value column,
                        bool inside) const {
  int64_t width = accessWidth(k, element);
  auto guarded = [&](Value at, llvm::function_ref<void()> body) {
    if (Value condition = device::condition(b, *this, row, at, inside))
      b.ifThen(condition, body);
    else
      body();
  };
  if (width == kPiece)
    return guarded(column, [&] {
      b.store(words, b.at(pointer, element, b.place(row, k, column)));
    });
  Value numbers = element.isF32()
                      ? floatsOfWords(b, words)
                      : b.bitcast(words, b.vectorOf(b.getI16Type(), kPiece));
  for (int64_t first = 0; first < kPiece; first += width) {
    Value at = b.addI(column, first);
    guarded(at, [&] {
      SmallVector<Value> own;
      for (int64_t i = 0; i < width; ++i)
        own.push_back(b.extract(numbers, first + i));
      b.store(b.fromElements(own),
              b.at(pointer, own[0].getType(), b.place(row, k, at)));
    });
  }
}

void storeBytes(Emitter &b, Value value, int64_t bytes, Value pointer,
                Value offset, int64_t alignment) {
  int64_t width = std::min(bytes, alignment);
  Type type = b.getIntegerType(8 * width);
  for (int64_t at = 0; at < bytes; at += width) {
    Value part = at == 0 ? value : b.shrI(value, 8 * at);
    if (width < 4)
      part = arith::TruncIOp::create(b, type, part);
    b.store(part, b.atByte(pointer, b.addI(offset, at)));
  }
}

Value loadBytes(Emitter &b, int64_t bytes, Value pointer, Value offset,
                int64_t alignment) {
  int64_t width = std::min(bytes, alignment);
  Type type = b.getIntegerType(8 * width);
  Value all;
  for (int64_t at = 0; at < bytes; at += width) {
    Value part = b.load(b.atByte(pointer, b.addI(offset, at)), type);
    if (width < 4)
      part = arith::ExtUIOp::create(b, b.getI32Type(), part);
    all = all ? b.orI(all, b.shlI(part, 8 * at)) : part;
  }
  return all;
}

} // namespace nibble::device
