// Codes of four bits in layout hopper: conversion to slabs of 64 rows and 128
// columns and back, one block per slab.
//
// Sixteen threads share the 128 columns of a row; each has a piece of eight. A
// thread has rows r and r + 8 of two groups of sixteen rows. A word of the
// layout holds, for those two rows, four pairs of columns that are eight apart.
// A thread has two of these pairs, and its neighbour has the other two
// (lib/Numerics/fragment.h).
#include "passes/LowerToDevice/Quantize/PieceMatrix.h"
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"

#include "lib/Numerics/fragment.h"

using namespace mlir;

namespace nibble::device {

namespace {

using numerics::kSlabBytes, numerics::kSlabColumns, numerics::kSlabRows;
constexpr int64_t kPairs = 2; // pairs of rows in a thread

struct SlabThread {
  Emitter &b;
  int64_t columnsOfSlabs, perRow; // slabs side by side; scales of a row in one
  numerics::ScaleType scaleType;
  int64_t scaleBytes; // of one
  Value bytes, piece, rowInPair, pairGroup, slabRow, slabColumn, slab;

  SlabThread(Emitter &b, qat::PackedType type, Value bytes, Value block)
      : b(b), columnsOfSlabs((type.getK() + kSlabColumns - 1) / kSlabColumns),
        perRow(type.getScalesPerSlabRow()),
        scaleType(type.getScheme().row().scaleType),
        scaleBytes(numerics::bytesOf(scaleType)), bytes(bytes) {
    Value rows = b.shrI(b.thread(), 4);
    piece = b.andI(b.thread(), 15);
    rowInPair = b.andI(rows, 7);
    pairGroup = b.shrI(rows, 3);
    slabRow = b.divI(block, columnsOfSlabs);
    slabColumn = b.remI(block, columnsOfSlabs);
    slab = b.wide(block);
  }
  // The lower row of pair `i` in the slab; the other row is 8 below it.
  Value rowOf(int64_t i) const {
    return b.addI(b.mulI(b.addI(pairGroup, 2 * i), 16), rowInPair);
  }
  Value inMatrix(Value row) const {
    return b.addI(b.mulI(slabRow, kSlabRows), row);
  }
  Value column() const {
    return b.addI(b.mulI(slabColumn, kSlabColumns), b.mulI(piece, kPiece));
  }
  Value isOdd() const { return b.equal(b.andI(piece, 1), 1); }
  // The byte in the slab of the word for pair number `c` (0..3) of columns, for
  // both rows.
  Value wordOf(Value row, Value c) const {
    Value thread =
        b.addI(b.addI(b.mulI(b.shrI(row, 4), 32), b.mulI(rowInPair, 4)), c);
    Value step = b.shrI(piece, 1);
    return b.addI(b.mulI(b.shrI(step, 2), kSlabBytes / 2),
                  b.addI(b.mulI(thread, 16), b.mulI(b.andI(step, 3), 4)));
  }
  // The position of this piece's scale in the row, among the slab's scales.
  Value scaleOf(Value row) const {
    return b.addI(b.mulI(row, perRow), b.divI(piece, 16 / perRow));
  }
  Value codesAt(Value byte) const {
    return b.atByte(bytes, b.addI(b.mulI(slab, kSlabBytes), b.wide(byte)));
  }
  Type scaleInteger() const {
    return b.getIntegerType(static_cast<unsigned>(8 * scaleBytes));
  }
  // Bytes of the slab's scales.
  int64_t allScaleBytes() const { return kSlabRows * perRow * scaleBytes; }
  Value scalesAt(qat::PackedType type, Value byte) const {
    return b.atByte(bytes, b.addI(b.addI(b.mulI(slab, allScaleBytes()),
                                         type.getCodeBytes()),
                                  b.wide(byte)));
  }
};

// The bits that the grid adds to the four codes of fourOf.
uint32_t aboveFour(const Grid &grid) {
  return static_cast<uint32_t>(grid.aboveCode()) * 17;
}

// Packs four codes into bits 0, 4, 16 and 20 of a word, plus aboveFour. The
// codes are in columns 2c and 2c + 1 of two rows. `upper` and `lower` hold them
// as the grid returns them.
Value fourOf(Emitter &b, Value upper, Value lower, int64_t c) {
  auto pair = [&](Value codes) {
    return b.addI(b.extract(codes, 2 * c),
                  b.shlI(b.extract(codes, 2 * c + 1), 16));
  };
  return b.addI(pair(upper), b.shlI(pair(lower), 4));
}

// The largest magnitudes of the groups of two pieces, reduced over a group's
// threads, which are neighbours.
Value largestOfGroups(Emitter &b, Value largest, int64_t pieces) {
  for (int64_t mask = 1; mask < pieces; mask *= 2)
    largest = b.maxHalves(largest, b.shuffleXor(largest, mask));
  return largest;
}

// `source(row, column)` returns the words of a piece.
void quantizeSlab(Emitter &b, qat::PackedType type,
                  llvm::function_ref<Value(Value, Value)> source,
                  Value rowScales, Value bytes, Value block) {
  SlabThread at(b, type, bytes, block);
  Grid grid(b, type.getScheme());
  int64_t n = type.getN();
  int64_t group = type.getScheme().getGroupSize();
  uint32_t above = aboveFour(grid);
  bool wholeRows = n % kSlabRows == 0;
  bool whole = wholeRows && type.getK() % kSlabColumns == 0;
  Value codes = b.sharedMemory(0);
  Value scales = b.sharedMemory(kSlabBytes);
  Value column = at.column();

  SmallVector<Value> rows, words;
  for (int64_t i = 0; i < 2 * kPairs; ++i) {
    rows.push_back(b.addI(at.rowOf(i / 2), 8 * (i % 2)));
    words.push_back(source(at.inMatrix(rows[i]), column));
  }
  SmallVector<Value> numbers, used, stored;
  for (int64_t i = 0; i < 2 * kPairs; ++i) {
    Value row = at.inMatrix(rows[i]);
    numbers.push_back(floatsOfWords(b, words[i]));
    if (group == 0) {
      Value own = b.select(b.less(row, n), row, b.i32(0));
      used.push_back(
          b.load(b.at(rowScales, b.getF32Type(), own), b.getF32Type()));
      stored.push_back(b.shrI(b.packBf16(b.f32(0), used.back()), 16));
      if (!wholeRows) // of a row's last slab every place holds the row's scale
        stored.back() = b.select(b.less(row, n), stored.back(), b.i32(0));
    } else {
      if (i % 2 == 0) {
        Value both = largestOfGroups(
            b, largestOfPieces(b, words[i], words[i + 1]), group / kPiece);
        for (Value largest : {b.shlI(both, 16), b.andI(both, -0x10000)}) {
          GridScale scale = grid.scaleOfBits(largest);
          used.push_back(scale.used);
          stored.push_back(grid.storedBits(scale));
        }
      }
      // Elements outside of the matrix have code 0, and their scale is stored
      // as 0.
      if (!whole)
        stored[i] =
            b.select(b.both(b.less(row, n), b.less(column, type.getK())),
                     stored[i], b.i32(0));
    }
    b.ifThen(b.equal(b.remI(at.piece, 16 / at.perRow), 0), [&] {
      Value narrow = arith::TruncIOp::create(b, at.scaleInteger(), stored[i]);
      b.store(narrow, b.at(scales, at.scaleInteger(), at.scaleOf(rows[i])));
    });
  }
  SmallVector<Value> pieces = grid.codesOfPieces(numbers, used);
  Value odd = at.isOdd();
  Value shift = b.select(odd, b.i32(8), b.i32(0));
  for (int64_t pair = 0; pair < kPairs; ++pair) {
    SmallVector<Value> own;
    for (int64_t c = 0; c < 4; ++c)
      own.push_back(
          b.shlI(fourOf(b, pieces[2 * pair], pieces[2 * pair + 1], c), shift));
    // The even thread stores words 0 and 1, the odd one words 2 and 3.
    for (int64_t i = 0; i < 2; ++i) {
      Value theirs = b.shuffleXor(b.select(odd, own[i], own[2 + i]), 1);
      Value sum = b.addI(b.select(odd, own[2 + i], own[i]), theirs);
      Value word = b.subI(sum, static_cast<int32_t>(above + (above << 8)));
      Value c = b.select(odd, b.i32(2 + i), b.i32(i));
      b.store(word, b.atByte(codes, at.wordOf(rows[2 * pair], c)));
    }
  }
  b.barrier();
  Type words4 = b.vectorOf(b.getI32Type(), 4);
  Value byte = b.mulI(b.thread(), 16);
  b.store(b.load(b.atByte(codes, byte), words4), at.codesAt(byte));
  b.ifThen(b.less(byte, at.allScaleBytes()), [&] {
    b.store(b.load(b.atByte(scales, byte), words4), at.scalesAt(type, byte));
  });
}

void dequantizeSlab(Emitter &b, qat::PackedType type, Value bytes,
                    PieceMatrix weight) {
  SlabThread at(b, type, bytes, b.block());
  Type i32 = b.getI32Type();
  Value column = at.column();
  Value shift = b.select(at.isOdd(), b.i32(8), b.i32(0));
  for (int64_t pair = 0; pair < kPairs; ++pair) {
    Value row = at.rowOf(pair);
    auto scale = [&](Value row) {
      Value bits = arith::ExtUIOp::create(
          b, i32,
          b.load(at.scalesAt(type, b.mulI(at.scaleOf(row), at.scaleBytes)),
                 at.scaleInteger()));
      return bf16Pair(b, at.scaleType, bits);
    };
    Value low = scale(row);
    Value high = scale(b.addI(row, 8));
    SmallVector<Value> upper, lower;
    for (int64_t c = 0; c < 4; ++c) {
      Value word =
          b.shrI(b.load(at.codesAt(at.wordOf(row, b.i32(c))), i32), shift);
      Value registers = fragmentOf(b, type.getScheme(), word, low, high);
      upper.push_back(b.extract(registers, 0));
      lower.push_back(b.extract(registers, 1));
    }
    bool inside = type.getN() % kSlabRows == 0;
    weight.store(b, b.fromElements(upper), at.inMatrix(row), column, inside);
    weight.store(b, b.fromElements(lower), at.inMatrix(b.addI(row, 8)), column,
                 inside);
  }
}

std::string shapeText(qat::PackedType type) {
  return std::to_string(type.getN()) + "x" + std::to_string(type.getK()) + "_" +
         textOf(type.getScheme());
}

} // namespace

Value slabsOf(Kernel &k, qat::PackedType type) {
  return k.index(type.getCodeBytes() / kSlabBytes);
}

void launchQuantizeSlabs(Kernel &k, LaunchSpec spec, qat::PackedType type,
                         ArrayRef<BatchRow> rows, PieceSource source) {
  spec.key += "_" + shapeText(type);
  spec.threads = kThreads;
  spec.sharedBytes =
      kSlabBytes + kSlabRows * type.getScalesPerSlabRow() *
                       numerics::bytesOf(type.getScheme().row().scaleType);
  bool rowScales = type.getScheme().getGroupSize() == 0;
  launchBatched(
      k, spec, rows,
      [&](Emitter &b, ValueRange arguments, ValueRange tableRow, Value block) {
        quantizeSlab(
            b, type,
            [&](Value row, Value column) {
              return source(b, arguments, tableRow, row, column);
            },
            rowScales ? tableRow[1] : Value(), tableRow[0], block);
      });
}

void launchDequantizeSlabs(Kernel &k, Value bytes, qat::PackedType type,
                           Value weight) {
  LaunchSpec spec;
  spec.key =
      "dequantize_slabs_" + textOf(elementOf(weight)) + "_" + shapeText(type);
  spec.threads = kThreads;
  spec.grid = {slabsOf(k, type)};
  spec.arguments = {bytes, weight};
  if (type.getN() % kSlabRows != 0 ||
      type.getK() % kSlabColumns !=
          0) { // matrices that do not fill their slabs are read in part
    spec.partly = {bytes};
    spec.touches = k.index(columnsOf(bytes));
  }
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    dequantizeSlab(b, type, arguments[0],
                   {elementOf(weight), type.getN(), type.getK(), arguments[1]});
  });
}

} // namespace nibble::device
