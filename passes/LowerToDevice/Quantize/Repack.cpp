// Converts codes of four bits and their scales between the layouts interchange
// and hopper (lib/Numerics/pack.h). A thread gathers each word of the target.
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Quantize/PieceMatrix.h"
#include "passes/LowerToDevice/Quantize/QuantizeKernels.h"

#include "lib/Numerics/fragment.h"

using namespace mlir;

namespace nibble::device {

namespace {

using numerics::kSlabBytes, numerics::kSlabColumns, numerics::kSlabRows;

// The sizes of one weight in both layouts.
struct Shape {
  int64_t n, k, group, pieces, groups, slabsAcross, slabs, perRow;
  int64_t scaleBytes; // of one
  int64_t filler;     // a word of codes that only fill a slab up
  std::string suffix;

  Shape(qat::PackedType type, qat::PackedType slabType)
      : n(type.getN()), k(type.getK()), group(type.getScheme().getGroupSize()),
        pieces((k + kPiece - 1) / kPiece),
        groups(type.getScheme().groupsPerRow(k)),
        slabsAcross((k + kSlabColumns - 1) / kSlabColumns),
        slabs((n + kSlabRows - 1) / kSlabRows * slabsAcross),
        perRow(slabType.getScalesPerSlabRow()),
        scaleBytes(numerics::bytesOf(type.getScheme().row().scaleType)),
        filler(0x11111111 * type.getScheme().row().codeBias),
        suffix(nibbleSuffix(type.getScheme())) {}
  std::string key(StringRef name) const {
    return name.str() + "_" + std::to_string(n) + "x" + std::to_string(k) +
           "_g" + std::to_string(group) + suffix;
  }
};

using WordBody =
    llvm::function_ref<void(Emitter &, Value in, Value out, Value index)>;

// `touches` counts the bytes of both buffers.
void launchWords(Kernel &k, const std::string &key, Value in, Value out,
                 int64_t count, int64_t touches, WordBody body) {
  ElementwiseSpec spec;
  spec.partly = {in, out};
  spec.touches = k.index(touches);
  spec.key = key;
  spec.width = 1;
  spec.arguments = {in, out};
  spec.count = k.index(count);
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
        body(b, arguments[0], arguments[1], b.narrow(first));
      });
}

Value loadWord(Emitter &b, Value bytes, Value word) {
  return b.load(b.at(bytes, b.getI32Type(), word), b.getI32Type());
}

// Builds a word of a row from the four words of the slab that hold its pairs of
// columns.
void codesToRows(Kernel &k, const Shape &s, Value in, Value out,
                 int64_t touches) {
  launchWords(
      k, s.key("repack_codes_to_rows"), in, out, s.n * s.pieces, touches,
      [&](Emitter &b, Value in, Value out, Value index) {
        Value row = b.divI(index, s.pieces);
        Value piece = b.remI(index, s.pieces);
        Value inSlab = b.remI(row, kSlabRows);
        Value step = b.remI(b.divI(piece, 2), 8);
        Value slab = b.addI(b.mulI(b.divI(row, kSlabRows), s.slabsAcross),
                            b.divI(piece, kSlabColumns / kPiece));
        Value thread = b.addI(b.mulI(b.divI(inSlab, 16), 32),
                              b.mulI(b.remI(inSlab, 8), 4));
        Value shift = b.addI(b.mulI(b.divI(b.remI(inSlab, 16), 8), 4),
                             b.mulI(b.remI(piece, 2), 8));
        Value first = b.addI(
            b.addI(b.mulI(b.divI(step, 4), kSlabBytes / 8), b.mulI(thread, 4)),
            b.remI(step, 4));
        Value word;
        for (int64_t c = 0; c < 4; ++c) {
          Value pair = b.shrI(
              loadWord(b, in,
                       b.addI(b.addI(b.mulI(b.wide(slab), kSlabBytes / 4),
                                     b.wide(first)),
                              4 * c)),
              shift);
          Value byte = b.orI(b.andI(pair, 0xF), b.andI(b.shrI(pair, 12), 0xF0));
          word = word ? b.orI(word, b.shlI(byte, 8 * c)) : byte;
        }
        b.store(word, b.at(out, b.getI32Type(), index));
      });
}

// Builds a word of a slab from byte c of four words of rows, which belong to
// two rows 8 apart and two neighbouring pieces. Missing elements have code 0.
void codesToSlabs(Kernel &k, const Shape &s, Value in, Value out,
                  int64_t touches) {
  launchWords(
      k, s.key("repack_codes_to_slabs"), in, out, s.slabs * kSlabBytes / 4,
      touches, [&](Emitter &b, Value in, Value out, Value index) {
        Value slab = b.divI(index, kSlabBytes / 4);
        Value inSlab = b.remI(index, kSlabBytes / 4);
        Value inHalf = b.remI(inSlab, kSlabBytes / 8);
        Value thread = b.divI(inHalf, 4);
        Value step = b.addI(b.mulI(b.divI(inSlab, kSlabBytes / 8), 4),
                            b.remI(inHalf, 4));
        Value firstRow = b.addI(b.mulI(b.divI(slab, s.slabsAcross), kSlabRows),
                                b.addI(b.mulI(b.divI(thread, 32), 16),
                                       b.divI(b.remI(thread, 32), 4)));
        Value firstPiece =
            b.addI(b.mulI(b.remI(slab, s.slabsAcross), kSlabColumns / kPiece),
                   b.mulI(step, 2));
        Value shift = b.mulI(b.remI(thread, 4), 8);
        Value word;
        for (int64_t reg = 0; reg < 4; ++reg) {
          Value row = b.addI(firstRow, 8 * (reg % 2));
          Value piece = b.addI(firstPiece, reg / 2);
          Value source = b.ifValue(
              b.both(b.less(row, s.n), b.less(piece, s.pieces)),
              [&] { return loadWord(b, in, b.place(row, s.pieces, piece)); },
              [&] { return b.i32(s.filler); });
          Value byte = b.shrI(source, shift);
          Value pair = b.orI(b.shlI(b.andI(byte, 0xF), 4 * reg),
                             b.shlI(b.andI(byte, 0xF0), 12 + 4 * reg));
          word = word ? b.orI(word, pair) : pair;
        }
        b.store(word, b.at(out, b.getI32Type(), index));
      });
}

} // namespace

void launchRepack(Kernel &k, Value in, qat::PackedType from, Value out,
                  qat::PackedType to) {
  bool toSlabs = to.inSlabs();
  Shape s(from, toSlabs ? to : from);
  int64_t inBegin = from.getCodeBytes();
  int64_t outBegin = to.getCodeBytes();
  // An upper bound: if rows and columns do not fill the slabs, some bytes are
  // not touched.
  int64_t codes = inBegin + outBegin;
  int64_t scales = columnsOf(in) + columnsOf(out) - codes;
  if (toSlabs)
    codesToSlabs(k, s, in, out, codes);
  else
    codesToRows(k, s, in, out, codes);
  auto scaleAt = [&](Emitter &b, Value bytes, Value index, int64_t begin) {
    return b.atByte(bytes, b.addI(b.mulI(b.wide(index), s.scaleBytes), begin));
  };
  auto scaleType = [&](Emitter &b) {
    return b.getIntegerType(static_cast<unsigned>(8 * s.scaleBytes));
  };
  // The number of the slab's scale for the row's group.
  if (!toSlabs)
    return launchWords(
        k, s.key("repack_scales_to_rows"), in, out, s.n * s.groups, scales,
        [&](Emitter &b, Value in, Value out, Value index) {
          Value row = b.divI(index, s.groups);
          Value group = b.remI(index, s.groups);
          Value slab = b.addI(b.mulI(b.divI(row, kSlabRows), s.slabsAcross),
                              b.divI(group, s.perRow));
          Value source = b.addI(
              b.mulI(b.addI(b.mulI(slab, kSlabRows), b.remI(row, kSlabRows)),
                     s.perRow),
              b.remI(group, s.perRow));
          b.store(b.load(scaleAt(b, in, source, inBegin), scaleType(b)),
                  scaleAt(b, out, index, outBegin));
        });
  launchWords(
      k, s.key("repack_scales_to_slabs"), in, out,
      s.slabs * kSlabRows * s.perRow, scales,
      [&](Emitter &b, Value in, Value out, Value index) {
        Value inSlab = b.remI(index, kSlabRows * s.perRow);
        Value slab = b.divI(index, kSlabRows * s.perRow);
        Value row = b.addI(b.mulI(b.divI(slab, s.slabsAcross), kSlabRows),
                           b.divI(inSlab, s.perRow));
        Value group =
            s.group == 0 ? b.i32(0)
                         : b.addI(b.mulI(b.remI(slab, s.slabsAcross), s.perRow),
                                  b.remI(inSlab, s.perRow));
        Type integer = scaleType(b);
        Value scale = b.ifValue(
            b.both(b.less(row, s.n), b.less(group, s.groups)),
            [&] {
              return b.load(
                  scaleAt(b, in, b.addI(b.mulI(row, s.groups), group), inBegin),
                  integer);
            },
            [&] {
              return arith::ConstantIntOp::create(b, integer, 0).getResult();
            });
        b.store(scale, scaleAt(b, out, index, outBegin));
      });
}

} // namespace nibble::device
