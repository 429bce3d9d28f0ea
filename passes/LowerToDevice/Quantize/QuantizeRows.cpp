// Weights with codes in rows, and fake-quant. Each thread handles a piece,
// which is eight neighbours of a row. The threads of a group are neighbours in
// a warp. Scales of whole rows and of blocks are computed before.
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Quantize/PieceMatrix.h"
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"

using namespace mlir;

namespace nibble::device {

namespace {

constexpr int64_t kBlock = 128; // side of a block

bool isShared(qat::SchemeAttr scheme) {
  return scheme.row().inBlocks || scheme.getGroupSize() == 0;
}

int64_t alignmentOf(int64_t offset) {
  return offset % 4 == 0 ? 4 : offset % 2 == 0 ? 2 : 1;
}

std::string keyOf(StringRef name, int64_t n, int64_t k, qat::SchemeAttr scheme,
                  Type element) {
  return name.str() + "_" + std::to_string(n) + "x" + std::to_string(k) + "_" +
         textOf(scheme) + "_" + textOf(element);
}

PieceMatrix matrixOf(Value memref, Value pointer) {
  auto type = cast<MemRefType>(memref.getType());
  return {type.getElementType(), type.getDimSize(0), type.getDimSize(1),
          pointer};
}

// The position of scale number `index` of a packed weight.
struct ScalePlace {
  int64_t begin, bytes;
  explicit ScalePlace(qat::PackedType type)
      : begin(type.getCodeBytes()),
        bytes(numerics::bytesOf(type.getScheme().row().scaleType)) {}
  int64_t alignment() const { return std::min(bytes, alignmentOf(begin)); }
  Value offset(Emitter &b, Value index) const {
    return b.addI(b.mulI(b.wide(index), bytes), begin);
  }
};

// A thread's piece; `scaleIndex` numbers the scheme's scales.
struct Piece {
  Value row, number, column, scaleIndex;
  Value isFirst; // whether it is the first piece that uses the scale

  Piece(Emitter &b, Value index, const PieceMatrix &m, qat::SchemeAttr scheme) {
    row = b.divI(index, m.perRow());
    number = b.remI(index, m.perRow());
    column = b.mulI(number, kPiece);
    if (scheme.row().inBlocks) {
      scaleIndex =
          b.addI(b.mulI(b.divI(row, kBlock), (m.k + kBlock - 1) / kBlock),
                 b.divI(column, kBlock));
      isFirst = b.both(b.equal(b.remI(row, kBlock), 0),
                       b.equal(b.remI(column, kBlock), 0));
    } else if (scheme.getGroupSize() == 0) {
      scaleIndex = row;
      isFirst = b.equal(number, 0);
    } else {
      int64_t pieces = scheme.getGroupSize() / kPiece;
      scaleIndex = b.divI(index, pieces);
      isFirst = b.equal(b.remI(number, pieces), 0);
    }
  }
};

// A weight with its scales, null unless they are shared, and the buffer that
// the body gets.
struct PieceRow {
  Value weight, sharedScales, result;
};

// The scale of a piece: the `used` value (float32), and the bits (i32) that the
// packed weight stores.
struct PieceScale {
  Value used, storedBits;
};

using PieceBody = llvm::function_ref<void(
    Emitter &, Value result, const Piece &, Value codes, const PieceScale &)>;

// A launch over the pieces of weights of one type.
void launchPieces(Kernel &k, StringRef name, qat::SchemeAttr scheme,
                  ArrayRef<PieceRow> weights, PieceBody body) {
  Value first = weights.front().weight;
  PieceMatrix shape = matrixOf(first, Value());
  int64_t count = shape.n * shape.perRow();
  bool shared = isShared(scheme);
  LaunchSpec spec;
  spec.key = keyOf(name, shape.n, shape.k, scheme, shape.element);
  spec.threads = kThreads;
  SmallVector<BatchRow> rows;
  for (const PieceRow &weight : weights) {
    rows.push_back({{weight.weight, weight.result},
                    k.index((count + kThreads - 1) / kThreads)});
    if (shared)
      rows.back().values.push_back(weight.sharedScales);
  }
  launchBatched(
      k, spec, rows, [&](Emitter &b, ValueRange, ValueRange row, Value block) {
        PieceMatrix matrix = matrixOf(first, row[0]);
        Grid grid(b, scheme);
        Value index = b.addI(b.mulI(block, kThreads), b.thread());
        Value exists = b.less(index, count);
        // Threads beyond the last piece stay active in their warp.
        Piece piece(b, b.select(exists, index, b.i32(0)), matrix, scheme);
        Value words = matrix.load(b, piece.row, piece.column, /*inside=*/true);
        PieceScale scale;
        if (shared) {
          scale.used = b.load(b.at(row[2], b.getF32Type(), piece.scaleIndex),
                              b.getF32Type());
          numerics::ScaleType type = scheme.row().scaleType;
          Value stored = type == numerics::ScaleType::kBF16
                             ? b.roundTo(scale.used, b.getBF16Type())
                             : scale.used;
          scale.storedBits = kernels::scaleBits(b, type, stored);
        } else {
          Value largest = largestOfWords(b, words);
          for (int64_t mask = 1; mask < scheme.getGroupSize() / kPiece;
               mask *= 2)
            largest = b.maxI(largest, b.shuffleXor(largest, mask));
          GridScale own = grid.scaleOfBits(largest);
          scale = {own.used, grid.storedBits(own)};
        }
        Value codes = grid.codes(floatsOfWords(b, words), scale.used);
        b.ifThen(exists, [&] { body(b, row[1], piece, codes, scale); });
      });
}

// Packs four codes into the bytes of a word.
Value bytesOf(Emitter &b, Value codes, int64_t first) {
  Value word;
  for (int64_t i = 0; i < 4; ++i) {
    Value byte = b.shlI(b.andI(b.extract(codes, first + i), 0xFF), 8 * i);
    word = word ? b.orI(word, byte) : byte;
  }
  return word;
}

// Bytes of an access to a row of one-byte codes.
int64_t byteWidth(int64_t k) { return k % 4 == 0 ? 4 : k % 2 == 0 ? 2 : 1; }

void storeCodes(Emitter &b, qat::PackedType type, Value bytes,
                const Piece &piece, Value codes) {
  Value row = b.mulI(b.wide(piece.row), type.getCodeRowBytes());
  if (type.getScheme().row().codeBits == 4) {
    Value word;
    for (int64_t i = 0; i < kPiece; ++i) {
      Value code = b.shlI(b.andI(b.extract(codes, i), 0xF), 4 * i);
      word = word ? b.orI(word, code) : code;
    }
    return b.store(
        word, b.atByte(bytes, b.addI(row, b.wide(b.mulI(piece.number, 4)))));
  }
  int64_t width = byteWidth(type.getK());
  for (int64_t first = 0; first < kPiece; first += 4) {
    Value word = bytesOf(b, codes, first);
    for (int64_t i = 0; i < 4; i += width) {
      Value column = b.addI(piece.column, first + i);
      b.ifThen(b.less(column, type.getK()), [&] {
        storeBytes(b, i == 0 ? word : b.shrI(word, 8 * i), width, bytes,
                   b.addI(row, b.wide(column)), width);
      });
    }
  }
}

// Loads vector<8xi32> as kernels::numbersOfCodes takes them; 0 beyond the row.
Value loadCodes(Emitter &b, qat::PackedType type, Value bytes,
                const Piece &piece) {
  Value row = b.mulI(b.wide(piece.row), type.getCodeRowBytes());
  SmallVector<Value> codes;
  if (type.getScheme().row().codeBits == 4) {
    Value word =
        b.load(b.atByte(bytes, b.addI(row, b.wide(b.mulI(piece.number, 4)))),
               b.getI32Type());
    for (int64_t i = 0; i < kPiece; ++i)
      codes.push_back(b.andI(b.shrI(word, 4 * i), 0xF));
    return b.fromElements(codes);
  }
  int64_t width = byteWidth(type.getK());
  for (int64_t first = 0; first < kPiece; first += width) {
    Value column = b.addI(piece.column, first);
    Value word = b.ifValue(
        b.less(column, type.getK()),
        [&] {
          return loadBytes(b, width, bytes, b.addI(row, b.wide(column)), width);
        },
        [&] { return b.i32(0); });
    for (int64_t i = 0; i < width; ++i) {
      if (type.getScheme().row().codeType != numerics::CodeType::kInteger)
        codes.push_back(b.andI(b.shrI(word, 8 * i), 0xFF));
      else // the sign is in bit 8i + 7
        codes.push_back(
            arith::ShRSIOp::create(b, b.shlI(word, 24 - 8 * i), b.i32(24)));
    }
  }
  return b.fromElements(codes);
}

} // namespace

SmallVector<Value> launchSharedScales(Kernel &k, ValueRange weights,
                                      qat::SchemeAttr scheme) {
  if (!isShared(scheme))
    return SmallVector<Value>(weights.size());
  PieceMatrix shape = matrixOf(weights.front(), Value());
  bool blocks = scheme.row().inBlocks;
  int64_t across = (shape.k + kBlock - 1) / kBlock;
  int64_t count = blocks ? (shape.n + kBlock - 1) / kBlock * across : shape.n;
  SmallVector<Value> scales;
  SmallVector<BatchRow> rows;
  for (Value weight : weights) {
    scales.push_back(k.scratch({count}, {}, k.host.getF32Type()));
    rows.push_back({{weight, scales.back()}, k.index(count)});
  }
  LaunchSpec spec;
  spec.key = keyOf("shared_scales", shape.n, shape.k, scheme, shape.element);
  spec.threads = kThreads;
  spec.sharedBytes = kThreads / 32 * 4;
  launchBatched(
      k, spec, rows,
      [&](Emitter &b, ValueRange, ValueRange tableRow, Value block) {
        PieceMatrix matrix = matrixOf(weights.front(), tableRow[0]);
        Value largest = b.i32(0);
        if (blocks) {
          Value row = b.addI(b.mulI(b.divI(block, across), kBlock),
                             b.shrI(b.thread(), 4));
          Value column = b.addI(b.mulI(b.remI(block, across), kBlock),
                                b.mulI(b.andI(b.thread(), 15), kPiece));
          for (int64_t step = 0; step < kBlock; step += kThreads / 16)
            largest = b.maxI(
                largest,
                largestOfWords(b, matrix.load(b, b.addI(row, step), column)));
        } else {
          largest = b.loop(
              b.thread(), b.i32(matrix.perRow()), b.i32(kThreads), {largest},
              [&](Value piece, ValueRange best) -> SmallVector<Value> {
                return {b.maxI(
                    best[0], largestOfWords(
                                 b, matrix.load(b, block, b.mulI(piece, kPiece),
                                                /*inside=*/true)))};
              })[0];
        }
        // Bits of magnitudes order like the numbers.
        Value all = b.blockMax(b.bitcast(largest, b.getF32Type()),
                               b.sharedMemory(0), kThreads);
        Value used = Grid(b, scheme).scaleOf(all).used;
        b.ifThen(b.equal(b.thread(), 0), [&] {
          b.store(used, b.at(tableRow[1], b.getF32Type(), block));
        });
      });
  return scales;
}

void launchQuantizeRows(Kernel &k, ArrayRef<QuantizedWeight> weights,
                        qat::PackedType type, ValueRange sharedScales) {
  SmallVector<PieceRow> rows;
  for (auto [weight, scales] : llvm::zip(weights, sharedScales))
    rows.push_back({weight.weight, scales, weight.bytes});
  launchPieces(k, "quantize_rows", type.getScheme(), rows,
               [&](Emitter &b, Value bytes, const Piece &piece, Value codes,
                   const PieceScale &scale) {
                 storeCodes(b, type, bytes, piece, codes);
                 ScalePlace place(type);
                 b.ifThen(piece.isFirst, [&] {
                   storeBytes(b, scale.storedBits, place.bytes, bytes,
                              place.offset(b, piece.scaleIndex),
                              place.alignment());
                 });
               });
}

void launchFakeQuant(Kernel &k, Value weight, qat::SchemeAttr scheme,
                     Value sharedScales, Value result) {
  launchPieces(k, "fake_quant", scheme, PieceRow{weight, sharedScales, result},
               [&](Emitter &b, Value pointer, const Piece &piece, Value codes,
                   const PieceScale &scale) {
                 Value values = Grid(b, scheme).valuesOf(codes, scale.used);
                 matrixOf(result, pointer)
                     .store(b, wordsOfFloats(b, values), piece.row,
                            piece.column, /*inside=*/true);
               });
}

void launchDequantizeRows(Kernel &k, Value bytes, qat::PackedType type,
                          Value weight) {
  PieceMatrix shape = matrixOf(weight, Value());
  ElementwiseSpec spec;
  spec.key = keyOf("dequantize_rows", shape.n, shape.k, type.getScheme(),
                   shape.element);
  spec.width = 1;
  spec.arguments = {bytes, weight};
  spec.count = k.index(shape.n * shape.perRow());
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
        PieceMatrix matrix = matrixOf(weight, arguments[1]);
        Piece piece(b, b.narrow(first), matrix, type.getScheme());
        ScalePlace place(type);
        Value bits =
            loadBytes(b, place.bytes, arguments[0],
                      place.offset(b, piece.scaleIndex), place.alignment());
        Value scale =
            kernels::numberOfScale(b, type.getScheme().row().scaleType, bits);
        Value values =
            Grid(b, type.getScheme())
                .storedValues(loadCodes(b, type, arguments[0], piece), scale);
        matrix.store(b, wordsOfFloats(b, values), piece.row, piece.column,
                     /*inside=*/true);
      });
}

} // namespace nibble::device
