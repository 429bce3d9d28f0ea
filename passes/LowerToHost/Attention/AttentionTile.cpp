// The register tiles: products with keys, weighted sums of values, and sums
// into keys.
#include "passes/LowerToHost/Attention/AttentionTile.h"

using namespace mlir;

namespace nibble::host {

static SmallVector<Value> at(ArrayRef<Value> leading, Value last) {
  SmallVector<Value> indices(leading);
  indices.push_back(last);
  return indices;
}

void AttentionEmitter::multiplyKeys(const Tile &tile, Value rows,
                                    function_ref<Value(Value, int64_t)> keys,
                                    Value products) {
  int64_t count = tile.rows.size();
  int64_t step = std::max<int64_t>(1, shape.accumulators / count);
  for (int64_t first = 0; first < shape.keyVectors(); first += step) {
    int64_t vectors = std::min(step, shape.keyVectors() - first);
    // On the diagonal, and in short sequences, no row sees half of a block.
    Value seen = arith::AndIOp::create(
        b, b.lessI(b.index(first * kLanes), tile.visible.back().end),
        b.lessI(tile.visible.front().begin,
                b.index((first + vectors) * kLanes)));
    b.ifThen(seen, [&] {
      SmallVector<Value> sums(count * vectors, b.lanes(0));
      sums = b.loop(
          b.index(0), b.index(shape.size), 1, sums,
          [&](Value element, ValueRange carried) {
            SmallVector<Value> lanes, next;
            for (int64_t v = 0; v < vectors; ++v)
              lanes.push_back(keys(element, first + v));
            for (int64_t r = 0; r < count; ++r) {
              Value x = b.splat(b.load(rows, {tile.rows[r], element}));
              for (int64_t v = 0; v < vectors; ++v)
                next.push_back(b.fma(x, lanes[v], carried[r * vectors + v]));
            }
            return next;
          });
      for (int64_t r = 0; r < count; ++r)
        for (int64_t v = 0; v < vectors; ++v)
          b.storeLanes(sums[r * vectors + v], products,
                       {tile.rows[r], b.index((first + v) * kLanes)});
    });
  }
}

void AttentionEmitter::addValues(const Tile &tile, Value weights,
                                 function_ref<Value(Value, int64_t)> values,
                                 Value factors, Value sums) {
  int64_t count = tile.rows.size();
  int64_t step = std::max<int64_t>(1, shape.accumulators / count);
  for (int64_t first = 0; first < shape.vectors(); first += step) {
    int64_t vectors = std::min(step, shape.vectors() - first);
    SmallVector<Value> carried;
    for (Value row : tile.rows)
      for (int64_t v = 0; v < vectors; ++v) {
        Value sum = b.loadLanes(sums, {row, b.index((first + v) * kLanes)});
        carried.push_back(factors ? b.mul(sum, b.splat(b.load(factors, {row})))
                                  : sum);
      }
    // The chains of some rows over some keys.
    auto walk = [&](int64_t firstRow, int64_t lastRow, KeyRange keys) {
      SmallVector<Value> init(carried.begin() + firstRow * vectors,
                              carried.begin() + lastRow * vectors);
      init = b.loop(
          keys.begin, keys.end, 1, init, [&](Value key, ValueRange chains) {
            SmallVector<Value> lanes, next;
            for (int64_t v = 0; v < vectors; ++v)
              lanes.push_back(values(key, first + v));
            for (int64_t r = firstRow; r < lastRow; ++r) {
              Value weight = b.splat(b.load(weights, {tile.rows[r], key}));
              for (int64_t v = 0; v < vectors; ++v)
                next.push_back(b.fma(weight, lanes[v],
                                     chains[(r - firstRow) * vectors + v]));
            }
            return next;
          });
      std::copy(init.begin(), init.end(), carried.begin() + firstRow * vectors);
    };
    if (tile.tokens > 1)
      for (int64_t r = 0; r < count; ++r)
        walk(r, r + 1,
             {tile.visible[r].begin,
              minSigned(tile.common.begin, tile.visible[r].end)});
    walk(0, count, tile.common);
    if (tile.tokens > 1)
      for (int64_t r = 0; r < count; ++r)
        walk(r, r + 1, {tile.common.end, tile.visible[r].end});
    for (int64_t r = 0; r < count; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        b.storeLanes(carried[r * vectors + v], sums,
                     {tile.rows[r], b.index((first + v) * kLanes)});
  }
}

void AttentionEmitter::addToKeys(
    const Tile &tile, Value weights, Value rows, Value target,
    function_ref<SmallVector<Value>(Value)> place) {
  int64_t count = tile.rows.size();
  int64_t step = std::max<int64_t>(1, shape.accumulators / count);
  for (int64_t first = 0; first < shape.vectors(); first += step) {
    int64_t vectors = std::min(step, shape.vectors() - first);
    SmallVector<Value> lanes; // of the rows, kept in registers for all keys
    for (Value row : tile.rows)
      for (int64_t v = 0; v < vectors; ++v)
        lanes.push_back(
            b.loadLanes(rows, {row, b.index((first + v) * kLanes)}));
    auto walk = [&](int64_t firstRow, int64_t lastRow, KeyRange keys) {
      b.loop(keys.begin, keys.end, 1, [&](Value key) {
        SmallVector<Value> start = place(key);
        SmallVector<Value> sums;
        Value column = start.pop_back_val();
        for (int64_t v = 0; v < vectors; ++v)
          sums.push_back(b.loadLanes(
              target,
              at(start, b.addI(column, b.index((first + v) * kLanes)))));
        for (int64_t r = firstRow; r < lastRow; ++r) {
          Value weight = b.splat(b.load(weights, {tile.rows[r], key}));
          for (int64_t v = 0; v < vectors; ++v)
            sums[v] = b.fma(weight, lanes[r * vectors + v], sums[v]);
        }
        for (int64_t v = 0; v < vectors; ++v)
          b.storeLanes(
              sums[v], target,
              at(start, b.addI(column, b.index((first + v) * kLanes))));
      });
    };
    // A key outside of the common range meets its rows one after the other, in
    // the same order.
    if (tile.tokens > 1)
      for (int64_t r = 0; r < count; ++r)
        walk(r, r + 1,
             {tile.visible[r].begin,
              minSigned(tile.common.begin, tile.visible[r].end)});
    walk(0, count, tile.common);
    if (tile.tokens > 1)
      for (int64_t r = 0; r < count; ++r)
        walk(r, r + 1, {tile.common.end, tile.visible[r].end});
  }
}

} // namespace nibble::host
