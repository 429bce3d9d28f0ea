// Builds the reduction tree of N11 and the epilogue of a linear.
#include "passes/LowerToHost/Linear/LinearTile.h"

#include <array>

using namespace mlir;

namespace nibble::host {

namespace {

// A lane in the middle of the tree: lane p holds partial sum `index` of
// accumulator `row`.
struct Lane {
  int64_t row, index;
};
struct Partial {
  Value value;
  std::array<Lane, kLanes> lanes;

  int64_t find(int64_t row, int64_t index) const {
    for (int64_t p = 0; p < kLanes; ++p)
      if (lanes[p].row == row && lanes[p].index == index)
        return p;
    return -1;
  }
};

// One level of the tree for both: v[i] + v[i + half] for i < half. A blend
// keeps lanes with i < half from `x` and lanes with i >= half from `y` in
// place. One shuffle brings each its partner. Addition of two numbers is
// commutative, so their order does not matter.
Partial merge(Emitter &b, const Partial &x, const Partial &y, int64_t half) {
  Partial result;
  SmallVector<int64_t> stay(kLanes), partner(kLanes);
  for (int64_t p = 0; p < kLanes; ++p) {
    bool isLow = x.lanes[p].index < half;
    const Lane &lane = isLow ? x.lanes[p] : y.lanes[p];
    stay[p] = isLow ? p : kLanes + p;
    partner[p] = isLow ? x.find(lane.row, lane.index + half)
                       : kLanes + y.find(lane.row, lane.index - half);
    result.lanes[p] = {lane.row, isLow ? lane.index : lane.index - half};
  }
  Value kept = vector::ShuffleOp::create(b, x.value, y.value, stay);
  Value moved = vector::ShuffleOp::create(b, x.value, y.value, partner);
  result.value = b.add(kept, moved);
  return result;
}

// Loads `width` elements and widens them to float32.
Value loadWide(Emitter &b, Value memref, ValueRange indices, int64_t width) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  Value loaded =
      b.loadVector(memref, indices, VectorType::get({width}, element));
  if (element.isF32())
    return loaded;
  return arith::ExtFOp::create(b, VectorType::get({width}, b.getF32Type()),
                               loaded);
}

void storeRounded(Emitter &b, Value value, Value memref, ValueRange indices) {
  auto type = cast<VectorType>(value.getType());
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (!element.isF32())
    value = arith::TruncFOp::create(b, type.clone(element), value);
  vector::StoreOp::create(b, value, memref, indices);
}

} // namespace

Value reduceRows(Emitter &b, ArrayRef<Value> accumulators) {
  SmallVector<Partial, 0> partials;
  for (auto [row, value] : llvm::enumerate(accumulators)) {
    Partial partial{value, {}};
    for (int64_t p = 0; p < kLanes; ++p)
      partial.lanes[p] = {static_cast<int64_t>(row), p};
    partials.push_back(partial);
  }
  int64_t half = kLanes / 2;
  for (; partials.size() > 1; half /= 2) {
    SmallVector<Partial, 0> merged;
    for (size_t i = 0; i < partials.size(); i += 2)
      merged.push_back(merge(b, partials[i], partials[i + 1], half));
    partials = std::move(merged);
  }
  // Eight accumulators leave two lanes each.
  Partial &last = partials.front();
  SmallVector<int64_t> first(kTileRows), second(kTileRows);
  for (int64_t row = 0; row < kTileRows; ++row) {
    first[row] = last.find(row, 0);
    second[row] = last.find(row, 1);
  }
  Value low = vector::ShuffleOp::create(b, last.value, last.value, first);
  Value high = vector::ShuffleOp::create(b, last.value, last.value, second);
  return b.add(low, high);
}

void LinearEpilogue::store(Emitter &b, Value sums, Value token, Value row,
                           int64_t count) const {
  Type element = cast<MemRefType>(y.getType()).getElementType();
  if (count == cast<VectorType>(sums.getType()).getNumElements()) {
    Value value = sums;
    if (bias || residual)
      value = b.roundTo(value, element);
    if (bias)
      value = b.add(value, loadWide(b, bias, row, count));
    if (bias && residual)
      value = b.roundTo(value, element);
    if (residual)
      value = b.add(value, loadWide(b, residual, {token, row}, count));
    return storeRounded(b, value, y, {token, row});
  }
  for (int64_t i = 0; i < count; ++i) {
    Value at = b.addI(row, b.index(i));
    Value value = vector::ExtractOp::create(b, sums, i);
    if (bias)
      value = b.add(b.roundTo(value, element), b.load(bias, at));
    if (residual)
      value = b.add(b.roundTo(value, element), b.load(residual, {token, at}));
    b.store(value, y, {token, at});
  }
}

} // namespace nibble::host
