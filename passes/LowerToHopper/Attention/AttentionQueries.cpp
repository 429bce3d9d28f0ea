// Finds the keys that a block of queries sees, and masks scores.
#include "passes/LowerToHopper/Attention/AttentionQueries.h"

#include <cmath>

using namespace mlir;

namespace nibble::hopper {

Value QueryBlock::lowestSeen(Value position) {
  if (shape_.window == 0)
    return base;
  Value next = b_.addI(position, 1);
  return b_.select(b_.less(b_.addI(base, shape_.window), next),
                   b_.subI(next, shape_.window), base);
}

void QueryBlock::locate(const BatchTile &place, Value head) {
  tile = place;
  kvHead = head;
  firstToken = b_.addI(tile.begin, b_.mulI(tile.tile, tokens()));
  lastToken = b_.subI(b_.minI(b_.addI(firstToken, tokens()), tile.end), 1);
  firstPosition = positionOf(firstToken);
  lastPosition = positionOf(lastToken);
  base = fromBatch_ ? positionOf(tile.begin) : b_.i32(0);
  derive();
}

SmallVector<Value> QueryBlock::recordOf() {
  return {b_.i32(1),  kvHead,        tile.begin,   tile.end,
          firstToken, firstPosition, lastPosition, base};
}

void QueryBlock::locate(ValueRange record) {
  tile.found = b_.less(b_.i32(0), record[0]);
  kvHead = record[1], tile.begin = record[2], tile.end = record[3],
  firstToken = record[4];
  firstPosition = record[5], lastPosition = record[6], base = record[7];
  lastToken = b_.subI(b_.minI(b_.addI(firstToken, tokens()), tile.end), 1);
  derive();
}

void QueryBlock::derive() {
  firstBlock = b_.divI(lowestSeen(firstPosition), kTileRows);
  blocks = b_.addI(b_.subI(b_.divI(lastPosition, kTileRows), firstBlock), 1);
}

void QueryBlock::beginThread() {
  Value consumer = b_.subI(b_.thread(), kWarpgroup);
  inGroup = b_.remI(consumer, kWarpgroup);
  group = b_.uniform(b_.divI(consumer, kWarpgroup));
  pair = b_.mulI(b_.remI(inGroup, 4), 2);
}

void QueryBlock::findRows() {
  Value first = b_.addI(b_.mulI(b_.divI(inGroup, 32), 16),
                        b_.divI(b_.remI(inGroup, 32), 4));
  rows[0] = rowOf(first);
  rows[1] = rowOf(b_.addI(first, 8));
}

QueryBlock::Row QueryBlock::rowOf(Value inTile) {
  Value token =
      b_.addI(b_.addI(firstToken, b_.mulI(group, shape_.tokensPerTile())),
              b_.divI(inTile, shape_.group));
  Row row;
  row.there = b_.both(b_.less(inTile, shape_.tokensPerTile() * shape_.group),
                      b_.lessEqual(token, lastToken));
  row.token = b_.minI(token, lastToken);
  row.head =
      b_.addI(b_.mulI(kvHead, shape_.group), b_.remI(inTile, shape_.group));
  row.position = positionOf(row.token);
  return row;
}

Value QueryBlock::rowPointer(Value pointer, const Row &row, Value column) {
  Value at = b_.mulI(b_.place(row.token, shape_.heads, row.head), shape_.size);
  return b_.at(pointer, b_.getBF16Type(), b_.addI(at, b_.wide(column)));
}

Value QueryBlock::cellPointer(Value pointer, const Row &row) {
  return b_.at(pointer, b_.getF32Type(),
               b_.place(row.token, shape_.heads, row.head));
}

Value QueryBlock::storeRows(Value source, int64_t offset) {
  Value tile =
      b_.atByte(b_.sharedMemory(offset), b_.mulI(group, shape_.tileBytes()));
  fillTile(b_, tile, shape_.size, inGroup, [&](Value inTile) {
    Row row = rowOf(inTile);
    return std::pair(rowPointer(source, row, b_.i32(0)), row.there);
  });
  return tile;
}

Value QueryBlock::masked(Value scores, Value i) {
  Value from = startOf(i);
  Value last = b_.addI(from, kTileRows - 1);
  // Whether some row of the block does not see all of this block of keys.
  Value cut = b_.either(b_.less(firstPosition, last), b_.less(from, base));
  if (shape_.window != 0)
    cut = b_.either(cut,
                    b_.lessEqual(b_.addI(from, shape_.window), lastPosition));
  return b_.ifValue(
      cut,
      [&] {
        Value lowest[2], next[2];
        Value offset = b_.addI(from, pair);
        for (int64_t half = 0; half < 2; ++half) {
          lowest[half] = b_.subI(lowestSeen(rows[half].position), offset);
          next[half] = b_.subI(b_.addI(rows[half].position, 1), offset);
        }
        return maskColumns(b_, scores, lowest, next);
      },
      [&] { return scores; });
}

void QueryBlock::blank(ArrayRef<Value> tiles, Value i) {
  Value from = startOf(i);
  Value to = b_.addI(from, kTileRows);
  Value low = b_.subI(b_.maxI(base, from), from);
  Value high = b_.subI(b_.minI(b_.addI(lastPosition, 1), to), from);
  Value whole = b_.both(b_.equal(low, 0), b_.equal(high, kTileRows));
  b_.ifThen(b_.equal(whole, b_.boolean(false)), [&] {
    Value consumer = b_.subI(b_.thread(), kWarpgroup);
    int64_t threads = kWarpgroup * warpgroups_;
    for (Value tile : tiles) {
      zeroRows(b_, tile, shape_.boxes(), b_.i32(0), low, consumer, threads);
      zeroRows(b_, tile, shape_.boxes(), high, b_.i32(kTileRows), consumer,
               threads);
    }
    b_.fenceAsync();
    b_.barrier(kConsumerBarrier, threads);
  });
}

} // namespace nibble::hopper
