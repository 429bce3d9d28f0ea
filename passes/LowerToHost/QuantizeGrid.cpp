#include "passes/LowerToHost/QuantizeGrid.h"

#include <bit>

using namespace mlir;

namespace nibble::host {

GridScale Grid::scaleOf(Value largest) const {
  if (isFp8()) {
    Value scale = b.div(largest, b.f32(448.0f));
    return {scale, scale};
  }
  Type bf16 = b.getBF16Type();
  if (scheme.getKind() == qat::Kind::Int4 && scheme.getConvention() == qat::Convention::Slime) {
    Value scale = b.max(b.mul(largest, b.f32(std::bit_cast<float>(0x3E124925u))), b.f32(1e-5f));
    return {scale, b.roundTo(scale, bf16)};
  }
  float steps = scheme.getKind() == qat::Kind::Int8                            ? 127.0f
                : scheme.getConvention() == qat::Convention::CompressedTensors ? 7.5f
                                                                               : 7.0f;
  Value scale = b.roundTo(b.div(largest, b.f32(steps)), bf16);
  return {scale, scale};
}

// E4M3 of float32 lanes without NaN: round to nearest even, magnitudes above 448 become 448.
static Value encodeE4M3(Emitter &b, Value lanes) {
  Value bits = bitsOf(b, lanes);
  Value sign = arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, splatInteger(b, 24)), splatInteger(b, 0x80));
  Value magnitude = arith::AndIOp::create(b, bits, splatInteger(b, 0x7FFFFFFF));
  Value odd = arith::AndIOp::create(b, arith::ShRUIOp::create(b, magnitude, splatInteger(b, 20)), splatInteger(b, 1));
  Value rounded = arith::AddIOp::create(b, arith::AddIOp::create(b, magnitude, splatInteger(b, 0x7FFFF)), odd);
  Value normal =
      arith::SubIOp::create(b, arith::ShRUIOp::create(b, rounded, splatInteger(b, 20)), splatInteger(b, 120 << 3));
  // Below 2^-6 a code counts in steps of 2^-9: adding 1.5 * 2^14 puts that step at the last place.
  Value shifted = bitsOf(b, b.add(floatsOf(b, magnitude), b.lanes(0x1.8p14f)));
  Value tiny = arith::AndIOp::create(b, shifted, splatInteger(b, 0xF));
  auto below = [&](float bound) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, magnitude,
                                 splatInteger(b, std::bit_cast<int32_t>(bound)));
  };
  Value code = arith::SelectOp::create(b, below(448.0f), normal, splatInteger(b, 0x7E));
  code = arith::SelectOp::create(b, below(0x1p-6f), tiny, code);
  return arith::OrIOp::create(b, code, sign);
}

Value Grid::quantize(Value lanes, Value scale) const {
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, scale, b.lanes(0.0f));
  Value quotient = b.div(lanes, scale);
  if (isFp8())
    return arith::SelectOp::create(b, isZero, splatInteger(b, 0), encodeE4M3(b, quotient));
  bool isInt8 = scheme.getKind() == qat::Kind::Int8;
  float lowest = isInt8 ? -127.0f : scheme.getConvention() == qat::Convention::CompressedTensors ? -8.0f : -7.0f;
  Value clamped = b.min(b.max(quotient, b.lanes(lowest)), b.lanes(isInt8 ? 127.0f : 7.0f));
  // Round half to even: adding 1.5 * 2^23 puts the unit at the last place.
  Value magic = b.lanes(0x1.8p23f);
  return arith::SelectOp::create(b, isZero, b.lanes(0.0f), b.sub(b.add(clamped, magic), magic));
}

Value Grid::stored(Value codes) const {
  if (isFp8())
    return codes;
  Value integers = arith::FPToSIOp::create(b, VectorType::get({kLanes}, b.getI32Type()), codes);
  return scheme.getKind() == qat::Kind::Int4 ? arith::AddIOp::create(b, integers, splatInteger(b, 8)) : integers;
}

Value Grid::value(Value codes, Value scale) const {
  if (isFp8())
    return b.roundTo(b.mul(decodeE4M3(b, codes), scale), b.getBF16Type());
  return roundLanesToBf16(b, b.mul(codes, scale));
}

static void storeBytes(Emitter &b, Value value, Value bytes, Value offset) {
  auto type = cast<VectorType>(value.getType());
  auto raw = VectorType::get({type.getNumElements() * type.getElementTypeBitWidth() / 8}, b.getI8Type());
  vector::StoreOp::create(b, type == raw ? value : vector::BitCastOp::create(b, raw, value), bytes, offset);
}

// Lanes from `lanes` on become 8.
static Value padLanes(Emitter &b, Value codes, int64_t lanes) {
  if (lanes == kLanes)
    return codes;
  Value mask = vector::ConstantMaskOp::create(b, VectorType::get({kLanes}, b.getI1Type()), lanes);
  return arith::SelectOp::create(b, mask, codes, splatInteger(b, 8));
}

static void writeHostBlock(Emitter &b, Value bytes, Value offset, ArrayRef<Value> codes) {
  uint32_t padding = 0;
  for (int64_t step = codes.size(); step < kBlockSteps; ++step)
    padding |= 8u << (4 * step);
  Value words = splatInteger(b, static_cast<int32_t>(padding));
  for (auto [step, code] : llvm::enumerate(codes)) {
    Value shifted = step == 0 ? code : arith::ShLIOp::create(b, code, splatInteger(b, 4 * step));
    words = arith::OrIOp::create(b, words, shifted);
  }
  storeBytes(b, words, bytes, offset);
}

// Two codes a byte, the even one low.
static void writeInterchangeStep(Emitter &b, Value bytes, Value offset, Value codes, int64_t lanes) {
  Value narrow = arith::TruncIOp::create(b, VectorType::get({kLanes}, b.getI8Type()), codes);
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

void CodeWriter::writeBlock(Emitter &b, Value row, Value block, ArrayRef<Value> codes, int64_t lanes) const {
  bool isInt4 = type.getScheme().getKind() == qat::Kind::Int4;
  Value rowOffset = b.mulI(row, b.index(type.getCodeRowBytes()));
  SmallVector<Value> padded(codes);
  if (isInt4)
    padded.back() = padLanes(b, padded.back(), lanes);
  if (isInt4 && type.getLayout() == qat::Layout::Host)
    return writeHostBlock(b, bytes, b.addI(rowOffset, b.mulI(block, b.index(4 * kLanes))), padded);

  int64_t stepBytes = isInt4 ? kLanes / 2 : kLanes;
  Value blockOffset = b.addI(rowOffset, b.mulI(block, b.index(kBlockSteps * stepBytes)));
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
      // LLVM 22 makes a masked store of one truncated lane a store of all its 32 bits: three bytes too many.
      memref::StoreOp::create(b, vector::ExtractOp::create(b, narrow, ArrayRef<int64_t>{0}), bytes, ValueRange(offset));
      continue;
    }
    Value mask = vector::ConstantMaskOp::create(b, VectorType::get({kLanes}, b.getI1Type()), valid);
    vector::MaskedStoreOp::create(b, bytes, ValueRange(offset), mask, narrow);
  }
}

void CodeWriter::writeScale(Emitter &b, Value index, Value scale) const {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), scale);
  bool isFp8 = type.getScheme().getKind() == qat::Kind::Fp8;
  Value offset = b.addI(b.mulI(index, b.index(isFp8 ? 4 : 2)), b.index(type.getCodeBytes()));
  if (!isFp8)
    bits = arith::TruncIOp::create(b, b.getI16Type(), arith::ShRUIOp::create(b, bits, b.i32(16)));
  storeBytes(b, b.splat(bits, 1), bytes, offset);
}

} // namespace nibble::host
