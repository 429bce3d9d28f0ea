// Builds the grid with vector instructions of a CPU.
#include "passes/LowerToHost/Quantize/QuantizeGrid.h"

using namespace mlir;

namespace nibble::host {

SmallVector<Value> Grid::quantize(ArrayRef<Value> lanes, Value scale) const {
  auto each = [&](function_ref<Value(Value)> code) {
    return llvm::map_to_vector(lanes, [&](Value value) { return code(value); });
  };
  if (!hasReciprocals())
    return each([&](Value value) { return divide(value, scale); });

  Value isOrdinary =
      arith::CmpIOp::create(b_, arith::CmpIPredicate::ult, aboveOrdinary(scale),
                            b_.i32(kOrdinaryRange));
  SmallVector<Type> types(lanes.size(),
                          VectorType::get({kLanes}, b_.getI32Type()));
  auto choice =
      scf::IfOp::create(b_, types, isOrdinary, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b_);
  b_.setInsertionPointToStart(choice.thenBlock());
  Value reciprocal = b_.div(b_.f32(1.0f), scale);
  scf::YieldOp::create(
      b_, each([&](Value value) { return multiply(value, reciprocal); }));
  b_.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(b_,
                       each([&](Value value) { return divide(value, scale); }));
  return SmallVector<Value>(choice.getResults());
}

Value Grid::stored(Value code) const {
  return row().codeBits == 4
             ? arith::AndIOp::create(b_, code, splatInteger(b_, 0xF))
                   .getResult()
             : code;
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

// Lanes from `lanes` on become `filler`.
static Value padLanes(Emitter &b, Value codes, int64_t lanes, uint32_t filler) {
  if (lanes == kLanes)
    return codes;
  Value mask = vector::ConstantMaskOp::create(
      b, VectorType::get({kLanes}, b.getI1Type()), lanes);
  return arith::SelectOp::create(b, mask, codes,
                                 splatInteger(b, static_cast<int32_t>(filler)));
}

// Each step shifts the word by four bits and adds its codes. At the end the
// accumulated `base` is removed, and missing steps get code 0 with its bias.
static void writeHostBlock(Emitter &b, Value bytes, Value offset,
                           ArrayRef<Value> codes, uint32_t bias,
                           uint32_t base) {
  uint32_t rest = 0;
  for (int64_t step = 0; step < kBlockSteps; ++step)
    rest += (step < static_cast<int64_t>(codes.size()) ? 0u - base : bias)
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

// Two codes per byte; the even one is in the low half.
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
  auto bias = static_cast<uint32_t>(schemeRow().codeBias);
  Value rowOffset = b.mulI(row, b.index(type.getCodeRowBytes()));
  SmallVector<Value> padded(codes);
  if (isNibble())
    padded.back() = padLanes(b, padded.back(), lanes, base + bias);
  if (isHostNibble())
    return writeHostBlock(b, bytes,
                          b.addI(rowOffset, b.mulI(block, b.index(4 * kLanes))),
                          padded, bias, base);

  int64_t stepBytes = isNibble() ? kLanes / 2 : kLanes;
  Value blockOffset =
      b.addI(rowOffset, b.mulI(block, b.index(kBlockSteps * stepBytes)));
  for (auto [step, code] : llvm::enumerate(padded)) {
    int64_t valid = step == padded.size() - 1 ? lanes : kLanes;
    Value offset = b.addI(blockOffset, b.index(step * stepBytes));
    if (isNibble()) {
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
      // LLVM 22 turns a masked store of one truncated lane into a store of all
      // its 32 bits, which is three bytes too many.
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
  int64_t width = numerics::bytesOf(schemeRow().scaleType);
  Value offset =
      b.addI(b.mulI(index, b.index(width)), b.index(type.getCodeBytes()));
  Value lanes = isa<VectorType>(scale.getType()) ? scale : b.splat(scale, 1);
  Value bits = kernels::scaleBits(b, schemeRow().scaleType, lanes);
  if (width < 4)
    bits = arith::TruncIOp::create(
        b, cast<VectorType>(bits.getType()).clone(b.getIntegerType(8 * width)),
        bits);
  storeBytes(b, bits, bytes, offset);
}

} // namespace nibble::host
