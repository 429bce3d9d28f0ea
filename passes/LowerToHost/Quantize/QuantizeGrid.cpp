#include "passes/LowerToHost/Quantize/QuantizeGrid.h"

#include "lib/Numerics/compressed_tensors.h"

#include <bit>

using namespace mlir;

namespace nibble::host {

GridScale Grid::scaleOf(Value largest) const {
  if (isFp8()) {
    Value scale = b.div(largest, b.like(largest, 448.0f));
    return {scale, scale};
  }
  Type bf16 = b.getBF16Type();
  if (scheme.getKind() == qat::Kind::Int4 &&
      scheme.getConvention() == qat::Convention::Slime) {
    Value scale = b.max(
        b.mul(largest, b.like(largest, std::bit_cast<float>(0x3E124925u))),
        b.like(largest, 1e-5f));
    return {scale, b.roundTo(scale, bf16)};
  }
  float steps =
      isCompressedTensors() ? numerics::kCompressedTensorsSteps : highest();
  Value scale = b.roundTo(b.div(largest, b.like(largest, steps)), bf16);
  if (isCompressedTensors()) {
    Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, scale,
                                         b.like(scale, 0.0));
    Value epsilon =
        b.like(scale, numerics::epsilonOf(numerics::WeightType::kBF16));
    scale = arith::SelectOp::create(b, isZero, epsilon, scale);
  }
  return {scale, scale};
}

// E4M3 of float32 lanes without NaN: round to nearest even, magnitudes above
// 448 become 448.
static Value encodeE4M3(Emitter &b, Value lanes) {
  Value bits = bitsOf(b, lanes);
  Value sign = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, bits, splatInteger(b, 24)),
      splatInteger(b, 0x80));
  Value magnitude = arith::AndIOp::create(b, bits, splatInteger(b, 0x7FFFFFFF));
  Value odd = arith::AndIOp::create(
      b, arith::ShRUIOp::create(b, magnitude, splatInteger(b, 20)),
      splatInteger(b, 1));
  Value rounded = arith::AddIOp::create(
      b, arith::AddIOp::create(b, magnitude, splatInteger(b, 0x7FFFF)), odd);
  Value normal = arith::SubIOp::create(
      b, arith::ShRUIOp::create(b, rounded, splatInteger(b, 20)),
      splatInteger(b, 120 << 3));
  // Below 2^-6 a code counts in steps of 2^-9: adding 1.5 * 2^14 puts that step
  // at the last place.
  Value shifted = bitsOf(b, b.add(floatsOf(b, magnitude), b.lanes(0x1.8p14f)));
  Value tiny = arith::AndIOp::create(b, shifted, splatInteger(b, 0xF));
  auto below = [&](float bound) {
    return arith::CmpIOp::create(
        b, arith::CmpIPredicate::ult, magnitude,
        splatInteger(b, std::bit_cast<int32_t>(bound)));
  };
  Value code =
      arith::SelectOp::create(b, below(448.0f), normal, splatInteger(b, 0x7E));
  code = arith::SelectOp::create(b, below(0x1p-6f), tiny, code);
  return arith::OrIOp::create(b, code, sign);
}

// The reciprocal of a scale near the ends of the range is not a normal number.
static constexpr int32_t kLeastOrdinary = std::bit_cast<int32_t>(0x1p-120f);
const int32_t Grid::ordinaryRange =
    std::bit_cast<int32_t>(0x1p120f) - kLeastOrdinary;

Value Grid::aboveOrdinary(Value scale) const {
  Type type = b.getI32Type();
  if (auto vector = dyn_cast<VectorType>(scale.getType()))
    type = vector.clone(type);
  Value bits = arith::BitcastOp::create(b, type, scale);
  return arith::SubIOp::create(b, bits, b.like(bits, kLeastOrdinary));
}

float Grid::highest() const {
  return scheme.getKind() == qat::Kind::Int8 ? 127.0f : 7.0f;
}

// Adding 1.5 * 2^23 puts the unit at the last place of a float32, half to even;
// the eight of u = q + 8 is even as well.
const int32_t Grid::int4Base = std::bit_cast<int32_t>(0x1.8p23f);
float Grid::magic() const {
  return 0x1.8p23f + (scheme.getKind() == qat::Kind::Int4 ? 8.0f : 0.0f);
}

Value Grid::roundQuotient(Value lanes) const {
  Value rounded = roundLanesToBf16(b, lanes);
  return b.min(b.max(rounded, b.lanes(numerics::kCompressedTensorsLowest)),
               b.lanes(numerics::kCompressedTensorsHighest));
}

// By the rule: one division for each element. A scale of zero gives NaN and
// infinities, whose code is that of zero.
Value Grid::divide(Value lanes, Value scale) const {
  Value all = b.splat(scale), zero = b.lanes(0.0f);
  Value quotient = b.div(lanes, all);
  if (isCompressedTensors()) // whose scale is never zero
    return bitsOf(b, b.add(roundQuotient(quotient), b.lanes(magic())));
  if (!isFp8())
    quotient = b.min(b.max(quotient, b.lanes(-highest())), b.lanes(highest()));
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, all, zero);
  quotient = arith::SelectOp::create(b, isZero, zero, quotient);
  return isFp8() ? encodeE4M3(b, quotient)
                 : bitsOf(b, b.add(quotient, b.lanes(magic())));
}

// The same code by the reciprocal of a bf16 scale. Numbers and scale have eight
// significant bits, so that a quotient is a half-way point of the codes or at
// least 2^-10 away from one. 3072 + x / s, rounded once to a multiple of 2^-12,
// is off by less than 2^-12 and exact at half-way points, which the second
// rounding then treats as the division would. An ordinary scale, amax / 7 or
// amax / 127 rounded to eight bits, is at most a part in 2^8 too small:
// quotients stay below 7.03 and 127.497, which round to codes without a clamp.
//
// The convention compressed_tensors rounds the quotient to bf16. Between two
// bf16 numbers lies one of nine significant bits, which no quotient of two
// numbers of eight bits is: it is at least a part in 2^17 away. The product
// with the reciprocal is off by less than a part in 2^22 and is rounded to the
// same bf16.
Value Grid::multiply(Value lanes, Value reciprocal) const {
  if (isCompressedTensors())
    return bitsOf(b, b.add(roundQuotient(b.mul(lanes, b.splat(reciprocal))),
                           b.lanes(magic())));
  const float shift = 3072.0f;
  Value quotient = b.fma(lanes, b.splat(reciprocal), b.lanes(shift));
  return bitsOf(b, b.add(quotient, b.lanes(magic() - shift)));
}

SmallVector<Value> Grid::quantize(ArrayRef<Value> lanes, Value scale) const {
  auto each = [&](function_ref<Value(Value)> code) {
    return llvm::map_to_vector(lanes, [&](Value value) { return code(value); });
  };
  if (!hasReciprocals())
    return each([&](Value value) { return divide(value, scale); });

  Value isOrdinary = arith::CmpIOp::create(
      b, arith::CmpIPredicate::ult, aboveOrdinary(scale), b.i32(ordinaryRange));
  SmallVector<Type> types(lanes.size(),
                          VectorType::get({kLanes}, b.getI32Type()));
  auto choice =
      scf::IfOp::create(b, types, isOrdinary, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  Value reciprocal = b.div(b.f32(1.0f), scale);
  scf::YieldOp::create(
      b, each([&](Value value) { return multiply(value, reciprocal); }));
  b.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b,
                       each([&](Value value) { return divide(value, scale); }));
  return SmallVector<Value>(choice.getResults());
}

Value Grid::stored(Value code) const {
  return scheme.getKind() == qat::Kind::Int4
             ? arith::AndIOp::create(b, code, splatInteger(b, 0xF)).getResult()
             : code;
}

Value Grid::value(Value code, Value scale) const {
  Value all = b.splat(scale);
  if (isFp8())
    return b.roundTo(b.mul(decodeE4M3(b, code), all), b.getBF16Type());
  return roundLanesToBf16(
      b, b.mul(b.sub(floatsOf(b, code), b.lanes(magic())), all));
}

static void storeBytes(Emitter &b, Value value, Value bytes, Value offset) {
  auto type = cast<VectorType>(value.getType());
  auto raw = VectorType::get(
      {type.getNumElements() * type.getElementTypeBitWidth() / 8},
      b.getI8Type());
  vector::StoreOp::create(
      b, type == raw ? value : vector::BitCastOp::create(b, raw, value), bytes,
      offset);
}

// Lanes from `lanes` on become 8, and `base`.
static Value padLanes(Emitter &b, Value codes, int64_t lanes, uint32_t base) {
  if (lanes == kLanes)
    return codes;
  Value mask = vector::ConstantMaskOp::create(
      b, VectorType::get({kLanes}, b.getI1Type()), lanes);
  return arith::SelectOp::create(
      b, mask, codes, splatInteger(b, static_cast<int32_t>(base + 8)));
}

// Each step moves what is there up by four bits and adds its codes. What `base`
// adds up to goes in the end, together with the eights of steps that are not
// there.
static void writeHostBlock(Emitter &b, Value bytes, Value offset,
                           ArrayRef<Value> codes, uint32_t base) {
  uint32_t rest = 0;
  for (int64_t step = 0; step < kBlockSteps; ++step)
    rest += (step < static_cast<int64_t>(codes.size()) ? 0u - base : 8u)
            << (4 * step);
  Value words = codes.back();
  for (Value code : llvm::reverse(codes.drop_back()))
    words = arith::AddIOp::create(
        b, arith::ShLIOp::create(b, words, splatInteger(b, 4)), code);
  if (rest)
    words = arith::AddIOp::create(b, words,
                                  splatInteger(b, static_cast<int32_t>(rest)));
  storeBytes(b, words, bytes, offset);
}

// Two codes a byte, the even one low.
static void writeInterchangeStep(Emitter &b, Value bytes, Value offset,
                                 Value codes, int64_t lanes) {
  Value narrow = arith::TruncIOp::create(
      b, VectorType::get({kLanes}, b.getI8Type()), codes);
  int64_t width = lanes > 8 ? 8 : 4;
  SmallVector<int64_t> even, odd;
  for (int64_t i = 0; i < width; ++i) {
    even.push_back(2 * i);
    odd.push_back(2 * i + 1);
  }
  Value low = vector::ShuffleOp::create(b, narrow, narrow, even);
  Value high = vector::ShuffleOp::create(b, narrow, narrow, odd);
  Value shifted = arith::ShLIOp::create(b, high, splatInteger(b, 4, width, 8));
  storeBytes(b, arith::OrIOp::create(b, low, shifted), bytes, offset);
}

void CodeWriter::writeBlock(Emitter &b, Value row, Value block,
                            ArrayRef<Value> codes, int64_t lanes,
                            uint32_t base) const {
  bool isInt4 = type.getScheme().getKind() == qat::Kind::Int4;
  Value rowOffset = b.mulI(row, b.index(type.getCodeRowBytes()));
  SmallVector<Value> padded(codes);
  if (isInt4)
    padded.back() = padLanes(b, padded.back(), lanes, base);
  if (isHostInt4())
    return writeHostBlock(b, bytes,
                          b.addI(rowOffset, b.mulI(block, b.index(4 * kLanes))),
                          padded, base);

  int64_t stepBytes = isInt4 ? kLanes / 2 : kLanes;
  Value blockOffset =
      b.addI(rowOffset, b.mulI(block, b.index(kBlockSteps * stepBytes)));
  for (auto [step, code] : llvm::enumerate(padded)) {
    int64_t valid = step == padded.size() - 1 ? lanes : kLanes;
    Value offset = b.addI(blockOffset, b.index(step * stepBytes));
    if (isInt4) {
      writeInterchangeStep(b, bytes, offset, code, valid);
      continue;
    }
    auto narrowType = VectorType::get({kLanes}, b.getI8Type());
    Value narrow = arith::TruncIOp::create(b, narrowType, code);
    if (valid == kLanes) {
      vector::StoreOp::create(b, narrow, bytes, offset);
      continue;
    }
    if (valid == 1) {
      // LLVM 22 makes a masked store of one truncated lane a store of all its
      // 32 bits: three bytes too many.
      memref::StoreOp::create(
          b, vector::ExtractOp::create(b, narrow, ArrayRef<int64_t>{0}), bytes,
          ValueRange(offset));
      continue;
    }
    Value mask = vector::ConstantMaskOp::create(
        b, VectorType::get({kLanes}, b.getI1Type()), valid);
    vector::MaskedStoreOp::create(b, bytes, ValueRange(offset), mask, narrow);
  }
}

void CodeWriter::writeScale(Emitter &b, Value index, Value scale) const {
  bool isFp8 = type.getScheme().getKind() == qat::Kind::Fp8;
  Value offset = b.addI(b.mulI(index, b.index(isFp8 ? 4 : 2)),
                        b.index(type.getCodeBytes()));
  Value lanes = isa<VectorType>(scale.getType()) ? scale : b.splat(scale, 1);
  Value bits = bitsOf(b, lanes);
  if (!isFp8) {
    auto wide = cast<VectorType>(bits.getType());
    bits = arith::TruncIOp::create(
        b, wide.clone(b.getI16Type()),
        arith::ShRUIOp::create(b, bits,
                               splatInteger(b, 16, wide.getNumElements())));
  }
  storeBytes(b, bits, bytes, offset);
}

} // namespace nibble::host
