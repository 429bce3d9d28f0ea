// Finds the keys that a block of queries sees, and masks scores.
#include "passes/LowerToHopper/Attention/AttentionQueries.h"

#include <cmath>

using namespace mlir;

namespace nibble::hopper {

Value QueryBlock::lowestSeen(Value position) {
  if (shape.window == 0)
    return base;
  Value next = b.addI(position, 1);
  return b.select(b.less(b.addI(base, shape.window), next),
                  b.subI(next, shape.window), base);
}

void QueryBlock::locate(const BatchTile &place, Value head) {
  tile = place;
  kvHead = head;
  firstToken = b.addI(tile.begin, b.mulI(tile.tile, tokens()));
  lastToken = b.subI(b.minI(b.addI(firstToken, tokens()), tile.end), 1);
  firstPosition = positionOf(firstToken);
  lastPosition = positionOf(lastToken);
  base = fromBatch ? positionOf(tile.begin) : b.i32(0);
  derive();
}

SmallVector<Value> QueryBlock::recordOf() {
  return {b.i32(1),   kvHead,        tile.begin,   tile.end,
          firstToken, firstPosition, lastPosition, base};
}

void QueryBlock::locate(ValueRange record) {
  tile.found = b.less(b.i32(0), record[0]);
  kvHead = record[1], tile.begin = record[2], tile.end = record[3],
  firstToken = record[4];
  firstPosition = record[5], lastPosition = record[6], base = record[7];
  lastToken = b.subI(b.minI(b.addI(firstToken, tokens()), tile.end), 1);
  derive();
}

void QueryBlock::derive() {
  firstBlock = b.divI(lowestSeen(firstPosition), kTileRows);
  blocks = b.addI(b.subI(b.divI(lastPosition, kTileRows), firstBlock), 1);
}

void QueryBlock::beginThread() {
  Value consumer = b.subI(b.thread(), kWarpgroup);
  inGroup = b.remI(consumer, kWarpgroup);
  group = b.uniform(b.divI(consumer, kWarpgroup));
  pair = b.mulI(b.remI(inGroup, 4), 2);
}

void QueryBlock::findRows() {
  Value first =
      b.addI(b.mulI(b.divI(inGroup, 32), 16), b.divI(b.remI(inGroup, 32), 4));
  rows[0] = rowOf(first);
  rows[1] = rowOf(b.addI(first, 8));
}

QueryBlock::Row QueryBlock::rowOf(Value inTile) {
  Value token = b.addI(b.addI(firstToken, b.mulI(group, shape.tokensPerTile())),
                       b.divI(inTile, shape.group));
  Row row;
  row.there = b.both(b.less(inTile, shape.tokensPerTile() * shape.group),
                     b.lessEqual(token, lastToken));
  row.token = b.minI(token, lastToken);
  row.head = b.addI(b.mulI(kvHead, shape.group), b.remI(inTile, shape.group));
  row.position = positionOf(row.token);
  return row;
}

Value QueryBlock::rowPointer(Value pointer, const Row &row, Value column) {
  Value at = b.mulI(b.place(row.token, shape.heads, row.head), shape.size);
  return b.at(pointer, b.getBF16Type(), b.addI(at, b.wide(column)));
}

Value QueryBlock::cellPointer(Value pointer, const Row &row) {
  return b.at(pointer, b.getF32Type(),
              b.place(row.token, shape.heads, row.head));
}

Value QueryBlock::storeRows(Value source, int64_t offset) {
  Value tile =
      b.atByte(b.sharedMemory(offset), b.mulI(group, shape.tileBytes()));
  fillTile(b, tile, shape.size, inGroup, [&](Value inTile) {
    Row row = rowOf(inTile);
    return std::pair(rowPointer(source, row, b.i32(0)), row.there);
  });
  return tile;
}

Value QueryBlock::masked(Value scores, Value i) {
  Value from = startOf(i), last = b.addI(from, kTileRows - 1);
  // Whether some row of the block does not see all of this block of keys.
  Value cut = b.either(b.less(firstPosition, last), b.less(from, base));
  if (shape.window != 0)
    cut = b.either(cut, b.lessEqual(b.addI(from, shape.window), lastPosition));
  return b.ifValue(
      cut,
      [&] {
        Value lowest[2], next[2];
        Value offset = b.addI(from, pair);
        for (int64_t half = 0; half < 2; ++half) {
          lowest[half] = b.subI(lowestSeen(rows[half].position), offset);
          next[half] = b.subI(b.addI(rows[half].position, 1), offset);
        }
        return maskColumns(b, scores, lowest, next);
      },
      [&] { return scores; });
}

void QueryBlock::blank(ArrayRef<Value> tiles, Value i) {
  Value from = startOf(i), to = b.addI(from, kTileRows);
  Value low = b.subI(b.maxI(base, from), from),
        high = b.subI(b.minI(b.addI(lastPosition, 1), to), from);
  Value whole = b.both(b.equal(low, 0), b.equal(high, kTileRows));
  b.ifThen(b.equal(whole, b.boolean(false)), [&] {
    Value consumer = b.subI(b.thread(), kWarpgroup);
    int64_t threads = kWarpgroup * warpgroups;
    for (Value tile : tiles) {
      zeroRows(b, tile, shape.boxes(), b.i32(0), low, consumer, threads);
      zeroRows(b, tile, shape.boxes(), high, b.i32(kTileRows), consumer,
               threads);
    }
    b.fenceAsync();
    b.barrier(kConsumerBarrier, threads);
  });
}

} // namespace nibble::hopper
