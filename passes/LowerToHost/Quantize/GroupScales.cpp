// Computes the scales of the groups of a row.
#include "passes/LowerToHost/Quantize/GroupScales.h"

using namespace mlir;

namespace nibble::host {

// The larger of both as unsigned sixteen-bit numbers. Magnitudes of bf16 have
// the same order.
static Value maxHalves(Emitter &b, Value x, Value y) {
  return arith::MaxUIOp::create(b, x, y);
}

// The larger of two halves of x and y, which are vectors of eight words. One
// half has the words with a clear `distance` bit, the other those with a set
// bit. The result takes `distance` words of x and of y in turn.
static Value mergeMax(Emitter &b, Value x, Value y, int64_t distance) {
  SmallVector<int64_t> low, high;
  for (int64_t lane = 0; lane < kScaleLanes; ++lane) {
    int64_t inTurn = lane % (2 * distance);
    int64_t base = lane - inTurn;
    int64_t source =
        inTurn < distance ? lane : kScaleLanes + base + inTurn - distance;
    low.push_back(source);
    high.push_back(source + distance);
  }
  auto words = VectorType::get({kScaleLanes}, b.getI32Type());
  auto halves = VectorType::get({2 * kScaleLanes}, b.getI16Type());
  auto asWords = [&](Value value) -> Value {
    return vector::BitCastOp::create(b, words, value);
  };
  auto shuffled = [&](ArrayRef<int64_t> lanes) -> Value {
    return vector::BitCastOp::create(
        b, halves, vector::ShuffleOp::create(b, asWords(x), asWords(y), lanes));
  };
  return maxHalves(b, shuffled(low), shuffled(high));
}

GroupScales GroupScales::allocate(Emitter &b, int64_t k, int64_t size) {
  GroupScales scales;
  scales.groups = k / size;
  scales.size = size;
  int64_t padded = ceilDiv(scales.groups, kScaleLanes) * kScaleLanes;
  scales.scales = localBuffer(b, {padded}, b.getF32Type());
  scales.reciprocals = localBuffer(b, {padded}, b.getF32Type());
  return scales;
}

// The largest magnitudes of eight groups as float32. From `count` on the last
// group is repeated.
Value GroupScales::largest(Emitter &b, Value matrix, Value row, Value first,
                           int64_t count) const {
  auto halves = VectorType::get({kLanes}, b.getI16Type());
  SmallVector<Value> groups;
  for (int64_t g = 0; g < count; ++g) {
    Value column = b.mulI(b.addI(first, b.index(g)), b.index(size));
    Value most;
    for (int64_t at = 0; at < size; at += kLanes) {
      Value loaded = b.loadVector(matrix, {row, b.addI(column, b.index(at))},
                                  VectorType::get({kLanes}, b.getBF16Type()));
      Value magnitude =
          arith::AndIOp::create(b, arith::BitcastOp::create(b, halves, loaded),
                                splatInteger(b, 0x7FFF, kLanes, 16));
      most = most ? maxHalves(b, most, magnitude) : magnitude;
    }
    groups.push_back(most);
  }
  while (groups.size() < kScaleLanes)
    groups.push_back(groups.back());
  // A tree after which word g has the result of group g.
  for (int64_t distance = kScaleLanes / 2; distance > 0; distance /= 2) {
    for (int64_t i = 0; i < distance; ++i)
      groups[i] = mergeMax(b, groups[i], groups[i + distance], distance);
    groups.resize(distance);
  }
  auto words = VectorType::get({kScaleLanes}, b.getI32Type());
  Value pairs = vector::BitCastOp::create(b, words, groups.front());
  Value low = arith::ShLIOp::create(b, pairs, splatInteger(b, 16, kScaleLanes));
  Value high =
      arith::AndIOp::create(b, pairs, splatInteger(b, -0x10000, kScaleLanes));
  return b.floatsOf(arith::MaxUIOp::create(b, low, high));
}

void GroupScales::find(Emitter &b, const Grid &grid, Value matrix, Value row,
                       function_ref<void(Value first, Value stored)> store) {
  auto step = [&](Value first, int64_t count, Value worst) -> Value {
    GridScale scale = grid.scaleOf(largest(b, matrix, row, first, count));
    vector::StoreOp::create(b, scale.used, scales, first);
    vector::StoreOp::create(b, b.div(b.like(scale.used, 1.0), scale.used),
                            reciprocals, first);
    Value stored = scale.stored;
    if (count < kScaleLanes)
      stored = vector::ExtractStridedSliceOp::create(
          b, stored, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{count},
          ArrayRef<int64_t>{1});
    store(first, stored);
    return arith::MaxUIOp::create(b, worst, grid.aboveOrdinary(scale.used));
  };
  Value worst = splatInteger(b, 0, kScaleLanes);
  int64_t whole = groups / kScaleLanes * kScaleLanes;
  if (whole > 0)
    worst = b.loop(b.index(0), b.index(whole), kScaleLanes, worst,
                   [&](Value first, ValueRange carried) {
                     return SmallVector<Value>{
                         step(first, kScaleLanes, carried[0])};
                   })[0];
  if (whole < groups)
    worst = step(b.index(whole), groups - whole, worst);
  Value most =
      vector::ReductionOp::create(b, vector::CombiningKind::MAXUI, worst);
  areOrdinary = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, most,
                                      b.i32(Grid::kOrdinaryRange));
}

} // namespace nibble::host
