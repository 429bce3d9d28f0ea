// Builds the matrix products and softmax steps that all attention kernels
// share.
#include "passes/LowerToHopper/Attention/Attention.h"

#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"

#include <cmath>

using namespace mlir;

namespace nibble::hopper {

FailureOr<AttentionShape>
AttentionShape::of(Kernel &k, Value q, const kernels::AttentionHeads &heads) {
  AttentionShape shape{heads};
  if (failed(checkActivations(k, q)))
    return failure();
  if (shape.size % 16 != 0 || shape.size > 256)
    return k.op.emitError()
           << "has heads of " << shape.size
           << " elements; an H200's attention takes multiples of 16 up to 256";
  if (shape.group > kTileRows)
    return k.op.emitError()
           << "has " << shape.group
           << " query heads for one key head; an H200's attention takes up to "
           << kTileRows;
  if (shape.block != kTileRows)
    return k.op.emitError()
           << "has kv_block = " << shape.block
           << "; an H200's attention takes keys in blocks of " << kTileRows
           << ", in training and in rollout alike";
  if (!(shape.scale > 0))
    return k.op.emitError() << "has scale = " << shape.scale
                            << "; an H200's attention takes a positive one";
  return shape;
}

std::string AttentionShape::key() const {
  std::string key = std::to_string(heads) + "_" + std::to_string(kvHeads) +
                    "_" + std::to_string(size);
  if (window != 0)
    key += "_window" + std::to_string(window);
  return key + "_" +
         llvm::utohexstr(llvm::bit_cast<uint32_t>(static_cast<float>(scale)));
}

Value mapOfRows(Kernel &k, Value buffer, Value rows, int64_t columns,
                int64_t boxRows) {
  return TensorMapOp::create(
      k.host, k.loc(), TensorMapType::get(k.host.getContext()), buffer,
      ValueRange{k.index(columns), rows}, ValueRange{k.index(2 * columns)},
      k.host.getDenseI64ArrayAttr({kBoxColumns, boxRows}),
      k.host.getI64IntegerAttr(128));
}

// Every sequence has at most one partial tile. Without tokens there is none.
Value tilesOfBatch(Kernel &k, Value tokens, Value sequences,
                   int64_t tokensPerTile) {
  Value full = k.host.createOrFold<arith::DivUIOp>(k.loc(), tokens,
                                                   k.index(tokensPerTile));
  return k.blocksIfAny(tokens, k.host.createOrFold<arith::AddIOp>(
                                   k.loc(), full, k.extent(sequences, 0)));
}

DictionaryAttr reportOf(Kernel &k, int64_t rows, int64_t size, int64_t stages) {
  Builder b(k.op.getContext());
  std::string tile = std::to_string(rows) + "x" + std::to_string(kTileRows) +
                     "x" + std::to_string(size);
  return b.getDictionaryAttr(
      {b.getNamedAttr("stages", b.getI64IntegerAttr(stages)),
       b.getNamedAttr("tile", b.getStringAttr(tile))});
}

static Value warpSumI(Emitter &b, Value x) {
  for (int64_t mask = 16; mask > 0; mask /= 2)
    x = b.addI(x, b.shuffleXor(x, mask));
  return x;
}

// Scans the numbers of tiles of 32 sequences at a time over the lanes.
BatchTile findTile(Emitter &b, Value sequences, Value count, Value number,
                   int64_t tokensPerTile) {
  Type i32 = b.getI32Type();
  Value lane = b.lane();
  auto startOf = [&](Value sequence) {
    return b.load(b.at(sequences, i32, sequence), i32);
  };
  auto carried = b.loop(
      b.i32(0), count, b.i32(32), {b.i32(0), b.i32(0), b.i32(0)},
      [&](Value first, ValueRange carried) -> SmallVector<Value> {
        Value before = carried[0];
        Value sequence = b.addI(first, lane);
        Value begin = startOf(b.minI(sequence, count));
        Value end = startOf(b.minI(b.addI(sequence, 1), count));
        Value tiles = b.ceilDivI(b.subI(end, begin), tokensPerTile);
        Value scan = tiles;
        for (int64_t distance = 1; distance < 32; distance *= 2) {
          Value left = b.shuffle(scan, b.andI(b.subI(lane, distance), 31));
          scan = b.addI(scan, b.select(b.less(lane, distance), b.i32(0), left));
        }
        Value upTo = b.addI(before, scan);
        Value from = b.subI(upTo, tiles);
        Value here = b.both(b.lessEqual(from, number), b.less(number, upTo));
        auto pick = [&](Value x) {
          return warpSumI(b, b.select(here, x, b.i32(0)));
        };
        return {b.shuffle(upTo, b.i32(31)),
                b.addI(carried[1], pick(b.addI(sequence, 1))),
                b.addI(carried[2], pick(b.subI(number, from)))};
      });
  BatchTile result;
  result.found = b.less(b.i32(0), carried[1]);
  // If there is no such sequence, the result is the first, which is not used.
  result.sequence = b.subI(b.maxI(carried[1], b.i32(1)), 1);
  result.begin = startOf(result.sequence);
  result.end = startOf(b.addI(result.sequence, 1));
  result.tile = carried[2];
  return result;
}

Value exp2(Emitter &b, Value x) {
  return emitValue(b, "ex2.approx.ftz.f32 $0, $1;", b.getF32Type(), {x});
}

Value lessSigned(Emitter &b, Value x, Value y) {
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, y);
}

Value maskColumns(Emitter &b, Value sums, Value (&lowest)[2],
                  Value (&next)[2]) {
  SmallVector<Value> results(kTileRows / 2);
  for (int64_t i = 0; i < kTileRows / 2; ++i) {
    int64_t half = i / 2 % 2;
    Value column = b.i32(i / 4 * 8 + i % 2);
    Value below = lessSigned(b, column, lowest[half]);
    Value inside = lessSigned(b, column, next[half]);
    Value seen = b.both(inside, b.equal(below, b.boolean(false)));
    results[i] = b.select(seen, b.extract(sums, i), b.f32(-INFINITY));
  }
  return b.fromElements(results);
}

void zeroRows(Emitter &b, Value tile, int64_t boxes, Value from, Value to,
              Value thread, int64_t threads) {
  Value zeros = b.like(b.splat(b.i32(0), 4), 0);
  for (int64_t chunk = 0; chunk < boxes * kTileRows * 8; chunk += threads) {
    Value index = b.addI(thread, chunk);
    Value row = b.andI(b.shrI(index, 3), kTileRows - 1);
    b.ifThen(b.both(b.lessEqual(from, row), b.less(row, to)),
             [&] { b.store(zeros, b.atByte(tile, b.mulI(index, 16))); });
  }
}

void fillTile(Emitter &b, Value tile, int64_t size, Value thread,
              llvm::function_ref<std::pair<Value, Value>(Value)> rowAt) {
  // Two threads share each row: each takes every second chunk.
  Value row = b.shrI(thread, 1);
  Value odd = b.andI(thread, 1);
  auto [address, there] = rowAt(row);
  Type four = b.vectorOf(b.getI32Type(), 4);
  for (int64_t pair = 0; pair < size / 16; ++pair) {
    Value chunk = b.addI(odd, 2 * pair); // of 16 bytes, in the row
    Value words = b.ifValue(
        there,
        [&] { return b.load(b.atByte(address, b.mulI(chunk, 16)), four); },
        [&] { return b.like(b.splat(b.i32(0), 4), 0); });
    Value place = b.xorI(b.andI(chunk, 7), b.andI(row, 7));
    Value at = b.addI(b.addI(b.mulI(row, 128), b.mulI(place, 16)),
                      pair / 4 * kTileBoxBytes);
    b.store(words, b.atByte(tile, at));
  }
}

// Along: a step of 16 columns is 32 bytes of each row. Across: a step is 16
// rows.
TileMath::Operand TileMath::operand(Value tile, Direction direction) {
  return {DescriptorOp::create(b_, b_.getI64Type(), tile,
                               direction == kAlong ? 16 : kTileBoxBytes, 1024,
                               128),
          direction};
}

Value TileMath::advance(Operand operand, int64_t step) {
  int64_t bytes = operand.direction == kAlong
                      ? step / 4 * kTileBoxBytes + step % 4 * 32
                      : step * 16 * 128;
  return bytes == 0 ? operand.descriptor
                    : b_.addI(operand.descriptor, b_.i64(bytes / 16));
}

Value TileMath::multiply(ArrayRef<Value> a, Operand tile, Value sums,
                         int64_t steps) {
  UnitAttr across = tile.direction == kAcross ? b_.getUnitAttr() : UnitAttr();
  for (int64_t step = 0; step < steps; ++step)
    sums = WgmmaOp::create(b_, sums.getType(), a[step], advance(tile, step),
                           sums, UnitAttr(), across);
  return sums;
}

Value TileMath::multiply(Operand a, Operand tile, Value sums, int64_t steps) {
  auto flag = [&](Operand operand) {
    return operand.direction == kAcross ? b_.getUnitAttr() : UnitAttr();
  };
  for (int64_t step = 0; step < steps; ++step)
    sums = WgmmaOp::create(b_, sums.getType(), advance(a, step),
                           advance(tile, step), sums, flag(a), flag(tile));
  return sums;
}

void TileMath::commit() { NVVM::WgmmaGroupSyncAlignedOp::create(b_); }

SmallVector<Value> TileMath::fence(ValueRange sums) {
  return SmallVector<Value>(
      WgmmaFenceOp::create(b_, sums.getTypes(), sums).getResults());
}

SmallVector<Value> TileMath::wait(int64_t pending, ValueRange sums) {
  auto wait = WgmmaWaitOp::create(b_, sums.getTypes(),
                                  b_.getI64IntegerAttr(pending), sums);
  return SmallVector<Value>(wait.getResults());
}

// The fragment layouts of wgmma (PTX ISA): the pair of D in columns 8j + 2(lane
// % 4) is the pair of k in register 2(j % 2) of A's step j / 2. The pair 8 rows
// below is in the next register.
SmallVector<Value> TileMath::fragments(ArrayRef<Value> sums) {
  SmallVector<Value> result;
  for (int64_t step = 0; step < kTileRows / 16; ++step) {
    SmallVector<Value> registers;
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(
          b_.packBf16(sums[8 * step + 2 * i], sums[8 * step + 2 * i + 1]));
    result.push_back(b_.fromElements(registers));
  }
  return result;
}

} // namespace nibble::hopper
