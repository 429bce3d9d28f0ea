// Reads plain and packed weights as vectors.
#include "passes/LowerToHost/Linear/LinearWeight.h"

#include "lib/Numerics/grid.h"
#include "passes/Kernels/Grid.h"

#include <bit>

using namespace mlir;

namespace nibble::host {

Value splatInteger(Emitter &b, int64_t value, int64_t width, unsigned bits) {
  auto type = VectorType::get({width}, b.getIntegerType(bits));
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(type, APInt(bits, value, /*isSigned=*/true)));
}

Value roundLanesToBf16(Emitter &b, Value lanes) {
  Value bits = b.bitsOf(lanes);
  Value odd = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, bits, splatInteger(b, 16)),
      splatInteger(b, 1));
  Value biased = arith::AddIOp::create(
      b, arith::AddIOp::create(b, bits, splatInteger(b, 0x7FFF)), odd);
  return b.floatsOf(
      arith::AndIOp::create(b, biased, splatInteger(b, -0x10000)));
}

Value localBuffer(Emitter &b, ArrayRef<int64_t> shape, Type elementType) {
  // Allocated at the beginning of the iteration: further inside, a buffer would
  // be allocated each time control passes.
  OpBuilder::InsertionGuard guard(b);
  if (Operation *parent = b.getInsertionBlock()->getParentOp();
      !isa<scf::ParallelOp>(parent))
    if (auto iteration = parent->getParentOfType<scf::ParallelOp>())
      b.setInsertionPointToStart(iteration.getBody());
  return memref::AllocaOp::create(b, MemRefType::get(shape, elementType),
                                  b.getI64IntegerAttr(64));
}

Value loadBytes(Emitter &b, Value bytes, Value offset, VectorType type) {
  int64_t width = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  Value raw =
      b.loadVector(bytes, offset, VectorType::get({width}, b.getI8Type()));
  return raw.getType() == type ? raw : vector::BitCastOp::create(b, type, raw);
}

int64_t PackedCodes::stepsPerGroup() const {
  int64_t group = type.getScheme().getGroupSize();
  return group == 0 ? kBlockSteps : group / kLanes;
}

Value PackedCodes::scaleIndex(Emitter &b, Value row, Value block,
                              int64_t step) const {
  if (schemeRow().inBlocks) // a scale for each 128x128 block
    return b.addI(
        b.mulI(b.divI(row, b.index(kBlock)), b.index(ceilDiv(k(), kBlock))),
        block);
  if (type.getScheme().getGroupSize() == 0)
    return row;
  Value inRow = b.addI(b.mulI(block, b.index(kBlockSteps / stepsPerGroup())),
                       b.index(step / stepsPerGroup()));
  return b.addI(b.mulI(row, b.index(groups())), inRow);
}

Value PackedCodes::scale(Emitter &b, Value index) const {
  int64_t width = numerics::bytesOf(schemeRow().scaleType);
  Value offset =
      b.addI(b.mulI(index, b.index(width)), b.index(type.getCodeBytes()));
  auto one = VectorType::get({1}, b.getIntegerType(8 * width));
  Value bits =
      vector::ExtractOp::create(b, loadBytes(b, bytes, offset, one), 0);
  if (width < 4)
    bits = arith::ExtUIOp::create(b, b.getI32Type(), bits);
  return kernels::numberOfScale(b, schemeRow().scaleType, bits);
}

// One load of a host block, shifted by four bits per step.
static SmallVector<Value> hostCodes(Emitter &b, Value bytes, Value offset,
                                    int64_t first, int64_t count) {
  SmallVector<Value> codes;
  Value words =
      loadBytes(b, bytes, offset, VectorType::get({kLanes}, b.getI32Type()));
  for (int64_t step = first; step < first + count; ++step)
    codes.push_back(step == 0 ? words
                              : arith::ShRUIOp::create(
                                    b, words, splatInteger(b, 4 * step)));
  return codes;
}

// Sixteen codes are two words, or one if the row ends after eight. Each lane
// shifts its own nibble down.
static Value interchangeCodes(Emitter &b, Value bytes, Value offset,
                              int64_t lanes) {
  int64_t words = lanes > 8 ? 2 : 1;
  Value loaded =
      loadBytes(b, bytes, offset, VectorType::get({words}, b.getI32Type()));
  SmallVector<int64_t> pick(kLanes, 0);
  SmallVector<int32_t> shifts(kLanes);
  for (int64_t i = 0; i < kLanes; ++i) {
    pick[i] = std::min(i / 8, words - 1);
    shifts[i] = static_cast<int32_t>(4 * (i % 8));
  }
  Value spread = vector::ShuffleOp::create(b, loaded, loaded, pick);
  auto type = VectorType::get({kLanes}, b.getI32Type());
  return arith::ShRUIOp::create(
      b, spread,
      arith::ConstantOp::create(
          b, DenseElementsAttr::get(type, ArrayRef(shifts))));
}

// Sixteen bytes, widened. In the last step of a row only existing bytes are
// read.
static Value byteCodes(Emitter &b, Value bytes, Value offset, int64_t lanes,
                       bool isSigned) {
  auto type = VectorType::get({kLanes}, b.getI8Type());
  Value loaded;
  if (lanes == kLanes) {
    loaded = b.loadVector(bytes, offset, type);
  } else {
    Value mask = vector::ConstantMaskOp::create(
        b, VectorType::get({kLanes}, b.getI1Type()), lanes);
    loaded = vector::MaskedLoadOp::create(b, type, bytes, ValueRange(offset),
                                          mask, splatInteger(b, 0, kLanes, 8));
  }
  auto wide = VectorType::get({kLanes}, b.getI32Type());
  return isSigned ? arith::ExtSIOp::create(b, wide, loaded).getResult()
                  : arith::ExtUIOp::create(b, wide, loaded).getResult();
}

SmallVector<Value> PackedCodes::codes(Emitter &b, Value row, Value block,
                                      int64_t first, int64_t count,
                                      int64_t lanes) const {
  bool isNibble = schemeRow().codeBits == 4;
  bool isSigned = schemeRow().codeType == numerics::CodeType::kInteger;
  Value rowOffset = b.mulI(row, b.index(type.getCodeRowBytes()));
  if (isNibble && type.getLayout() == qat::Layout::Host)
    return hostCodes(b, bytes,
                     b.addI(rowOffset, b.mulI(block, b.index(4 * kLanes))),
                     first, count);

  SmallVector<Value> codes;
  int64_t stepBytes = isNibble ? kLanes / 2 : kLanes;
  Value blockOffset =
      b.addI(rowOffset, b.mulI(block, b.index(kBlockSteps * stepBytes)));
  for (int64_t step = first; step < first + count; ++step) {
    Value offset = b.addI(blockOffset, b.index(step * stepBytes));
    int64_t valid = step == first + count - 1 ? lanes : kLanes;
    codes.push_back(isNibble ? interchangeCodes(b, bytes, offset, valid)
                             : byteCodes(b, bytes, offset, valid, isSigned));
  }
  return codes;
}

// What the sixteen codes of a scheme stand for, in the order in which memory
// has them (int4: q = -8 .. 7), times a factor.
static Value codesTimes(Emitter &b, qat::SchemeAttr scheme, float factor) {
  numerics::Grid grid(scheme.numericsScheme());
  SmallVector<float> values;
  for (int64_t u = 0; u < kLanes; ++u)
    values.push_back(
        grid.numberOf(static_cast<int8_t>(u - scheme.row().codeBias)) * factor);
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(VectorType::get({kLanes}, b.getF32Type()),
                                ArrayRef(values)));
}

// The sixteen values of a group whose codes share one scale (a splat): bf16(q
// s) for each integer q (N5).
//
// p = q s has eleven significant bits. c = p (2^16 + 1), rounded to float32,
// equals 2^16 p + bf16(p). The last place of c is that of a bf16 p. 2^16 p is
// an even multiple of it, so ties go to even in both. Subtracting 2^16 p is
// exact. A subnormal p is a bf16 number already, so nothing is rounded. Scales
// from 2^108 on would overflow, and zero and negative scales would lose the
// sign of a zero. These, infinities and NaN are not ordinary.
static Value ordinaryTable(Emitter &b, qat::SchemeAttr scheme, Value scale) {
  return b.fma(codesTimes(b, scheme, -65536.0f), scale,
               b.mul(codesTimes(b, scheme, 65537.0f), scale));
}

// Bits of the smallest scale that is too large to be ordinary; 0 is not
// ordinary either.
static constexpr int32_t kOrdinaryLimit = std::bit_cast<int32_t>(0x1p108f);

// The same for any scalar scale: values of a scale that is not ordinary are
// rounded by integers.
static Value valueTable(Emitter &b, qat::SchemeAttr scheme, Value scale) {
  Value all = b.splat(scale);
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), scale);
  Value isOrdinary = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ult, arith::SubIOp::create(b, bits, b.i32(1)),
      b.i32(kOrdinaryLimit - 1));
  auto choice =
      scf::IfOp::create(b, all.getType(), isOrdinary, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(b, ordinaryTable(b, scheme, all));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(
      b, roundLanesToBf16(b, b.mul(codesTimes(b, scheme, 1.0f), all)));
  return choice.getResult(0);
}

FailureOr<WeightReader> WeightReader::create(Kernel &kernel, Value weight) {
  WeightReader reader;
  reader.memory_ = weight;
  if (qat::PackedType packed = kernel.packedType(weight)) {
    reader.packed_ = packed;
    reader.rows_ = packed.getN();
    reader.columns_ = packed.getK();
    return reader;
  }
  auto type = cast<RankedTensorType>(kernel.tensorType(weight));
  if (!type.hasStaticShape()) {
    kernel.op.emitOpError()
        << "weight " << type << " of " << kernel.op.getSource()
        << ": both extents must be known to lower it to the host; give the "
           "tensor a static shape";
    return failure();
  }
  reader.rows_ = type.getDimSize(0);
  reader.columns_ = type.getDimSize(1);
  return reader;
}

void WeightReader::read(
    Emitter &b, Value row, Value block, int64_t first, int64_t count,
    bool isEnd, function_ref<void(int64_t step, Value lanes)> consume) const {
  int64_t last = isEnd ? lastLanes() : kLanes;
  if (!packed_) {
    Value column = b.mulI(block, b.index(kBlock));
    for (int64_t step = first; step < first + count; ++step) {
      Value at = b.addI(column, b.index(step * kLanes));
      bool isTail = step == first + count - 1 && last != kLanes;
      consume(step, isTail ? b.loadLanes(memory_, {row, at}, b.index(last))
                           : b.loadLanes(memory_, {row, at}));
    }
    return;
  }

  PackedCodes source{packed_, memory_};
  SmallVector<Value> codes = source.codes(b, row, block, first, count, last);
  Value group;
  for (int64_t i = 0; i < count; ++i) {
    int64_t step = first + i;
    if (i == 0 || source.beginsGroup(step)) {
      Value scale = source.scale(b, source.scaleIndex(b, row, block, step));
      group = groupOf(b, scale, /*ordinary=*/false);
    }
    Value lanes = decode(b, codes[i], group);
    consume(step, i == count - 1 ? maskTail(b, lanes, last) : lanes);
  }
}

Value WeightReader::groupOf(Emitter &b, Value scale, bool ordinary) const {
  qat::SchemeAttr scheme = packed_.getScheme();
  if (scheme.row().codeBits != 4)
    return b.splat(scale);
  // The product with a power of two is a bf16 number already.
  if (scheme.row().scaleType == numerics::ScaleType::kE8M0)
    return b.mul(codesTimes(b, scheme, 1.0f), b.splat(scale));
  return ordinary ? ordinaryTable(b, scheme, b.splat(scale))
                  : valueTable(b, scheme, scale);
}

Value WeightReader::decode(Emitter &b, Value codes, Value group) const {
  const numerics::SchemeRow &row = packed_.getScheme().row();
  if (row.codeBits == 4)
    return LaneLookupOp::create(b, group.getType(), group, codes);
  Value product = b.mul(kernels::numbersOfCodes(b, row, codes), group);
  // With a float32 scale the product is not exact, and the scale may be any.
  return row.scaleType == numerics::ScaleType::kF32
             ? b.roundTo(product, b.getBF16Type())
             : roundLanesToBf16(b, product);
}

Value WeightReader::maskTail(Emitter &b, Value lanes, int64_t last) const {
  if (last == kLanes)
    return lanes;
  Value mask = vector::ConstantMaskOp::create(
      b, VectorType::get({kLanes}, b.getI1Type()), last);
  return arith::SelectOp::create(b, mask, lanes, b.lanes(0.0f));
}

void WeightReader::readTogether(
    Emitter &b, ArrayRef<Value> rows, Value block, int64_t count, bool isEnd,
    function_ref<void(int64_t step, ArrayRef<Value> lanes)> consume) const {
  if (!packed_) {
    SmallVector<SmallVector<Value>> lanes(count);
    for (Value row : rows)
      read(b, row, block, 0, count, isEnd,
           [&](int64_t step, Value value) { lanes[step].push_back(value); });
    for (int64_t step = 0; step < count; ++step)
      consume(step, lanes[step]);
    return;
  }
  PackedCodes source{packed_, memory_};
  int64_t last = isEnd ? lastLanes() : kLanes;
  SmallVector<SmallVector<Value>> codes;
  for (Value row : rows)
    codes.push_back(source.codes(b, row, block, 0, count, last));
  SmallVector<Value> groups(rows.size()), lanes(rows.size());
  for (int64_t step = 0; step < count; ++step) {
    for (size_t r = 0; r < rows.size(); ++r) {
      if (step == 0 || source.beginsGroup(step)) {
        Value scale =
            source.scale(b, source.scaleIndex(b, rows[r], block, step));
        groups[r] = groupOf(b, scale, /*ordinary=*/true);
      }
      lanes[r] = decode(b, codes[r][step], groups[r]);
      if (step == count - 1)
        lanes[r] = maskTail(b, lanes[r], last);
    }
    consume(step, lanes);
  }
}

void WeightReader::prefetch(Emitter &b, Value row, Value block) const {
  row = b.minI(row, b.index(rows_ - 1));
  auto ask = [&](ValueRange indices) {
    memref::PrefetchOp::create(b, memory_, indices, /*isWrite=*/false,
                               /*localityHint=*/3, /*isDataCache=*/true);
  };
  if (!packed_) { // a block covers several cache lines
    int64_t bits = cast<MemRefType>(memory_.getType()).getElementTypeBitWidth();
    int64_t line = 512 / bits;
    for (int64_t i = 0; i < kBlock; i += line)
      ask({row, b.minI(b.addI(b.mulI(block, b.index(kBlock)), b.index(i)),
                       b.index(columns_ - 1))});
    return;
  }
  int64_t rowBytes = packed_.getCodeRowBytes();
  int64_t blockBytes = rowBytes / ceilDiv(columns_, kBlock);
  for (int64_t i = 0; i < blockBytes; i += 64)
    ask(b.addI(b.mulI(row, b.index(rowBytes)),
               b.addI(b.mulI(block, b.index(blockBytes)), b.index(i))));
}

// Scales of consecutive rows are neighbours; they are read sixteen at a time,
// then one by one.
Value WeightReader::hasOrdinaryScales(Emitter &b, Value first,
                                      Value end) const {
  if (!packed_ || packed_.getScheme().row().codeBits != 4 ||
      packed_.getScheme().row().scaleType == numerics::ScaleType::kE8M0)
    return Value();
  PackedCodes source{packed_, memory_};
  Value count = b.mulI(b.subI(end, first), b.index(source.groups()));
  Value offset = b.addI(b.mulI(first, b.index(2 * source.groups())),
                        b.index(packed_.getCodeBytes()));
  Type i16 = b.getI16Type();
  // The largest of bits - 1 as unsigned numbers: 0 becomes the largest, and
  // negative scales are large already.
  auto largest = [&](Value from, Value to, int64_t width, Value sofar) {
    auto type = VectorType::get({width}, i16);
    return b.loop(from, to, width, {sofar},
                  [&](Value i, ValueRange carried) -> SmallVector<Value> {
                    Value bits =
                        loadBytes(b, memory_,
                                  b.addI(offset, b.mulI(i, b.index(2))), type);
                    Value lowered = arith::SubIOp::create(
                        b, bits, splatInteger(b, 1, width, 16));
                    return {arith::MaxUIOp::create(b, carried[0], lowered)};
                  })[0];
  };
  Value whole = b.mulI(b.divI(count, b.index(kLanes)), b.index(kLanes));
  Value wide =
      largest(b.index(0), whole, kLanes, splatInteger(b, 0, kLanes, 16));
  Value rest = largest(whole, count, 1, splatInteger(b, 0, 1, 16));
  Value all = arith::MaxUIOp::create(
      b, vector::ReductionOp::create(b, vector::CombiningKind::MAXUI, wide),
      vector::ExtractOp::create(b, rest, 0));
  Value limit =
      arith::ConstantIntOp::create(b, i16, (kOrdinaryLimit >> 16) - 1);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, all, limit);
}

} // namespace nibble::host
