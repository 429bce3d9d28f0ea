// Builds y = x wT for few tokens, without a panel of decoded weights.
#include "passes/LowerToHost/Linear/LinearDirect.h"

#include "passes/LowerToHost/Linear/LinearTile.h"

using namespace mlir;

namespace nibble::host {

// Rows whose sums for `count` tokens fit in the registers, beside a table and a
// step of weights for each row.
static int64_t rowsFor(int64_t count, int64_t vectorRegisters) {
  if (vectorRegisters < 32) // two registers for sixteen lanes
    return 4 / count;
  return count == 8 ? 2 : 4;
}

// Writes the sums of `count` tokens from `token` and eight rows to the buffer
// [token][row][lane]. Tokens after `lastToken` repeat it.
void DirectLinear::tile(Value token, Value lastToken, int64_t count,
                        Value rowBlock, Value sums) const {
  int64_t height = rowsFor(count, vectorRegisters);
  int64_t wholeBlocks = weight.k() / kBlock;
  int64_t tailSteps = weight.steps() - wholeBlocks * kBlockSteps;
  SmallVector<Value> tokens;
  for (int64_t t = 0; t < count; ++t)
    tokens.push_back(b.minI(b.addI(token, b.index(t)), lastToken));
  b.loop(b.index(0), b.index(kTileRows), height, [&](Value first) {
    SmallVector<Value> rows, next;
    for (int64_t r = 0; r < height; ++r) {
      Value row = b.addI(b.mulI(rowBlock, b.index(kTileRows)),
                         b.addI(first, b.index(r)));
      rows.push_back(b.minI(row, b.index(weight.n() - 1)));
      next.push_back(b.addI(row, b.index(kTileRows)));
    }
    auto block = [&](Value index, int64_t steps, bool isEnd,
                     SmallVector<Value> carried) {
      Value column = b.mulI(index, b.index(kBlock));
      weight.readTogether(
          b, rows, index, steps, isEnd,
          [&](int64_t step, ArrayRef<Value> lanes) {
            for (int64_t t = 0; t < count; ++t) {
              Value activations = b.loadLanes(
                  x, {tokens[t], b.addI(column, b.index(step * kLanes))});
              for (int64_t r = 0; r < height; ++r)
                carried[t * height + r] =
                    b.fma(activations, lanes[r], carried[t * height + r]);
            }
          });
      return carried;
    };
    SmallVector<Value> carried(count * height, b.lanes(0.0f));
    carried = b.loop(b.index(0), b.index(wholeBlocks), 1, carried,
                     [&](Value index, ValueRange values) {
                       for (Value row : next)
                         weight.prefetch(b, row, index);
                       return block(index, kBlockSteps, false,
                                    SmallVector<Value>(values));
                     });
    if (tailSteps > 0)
      carried = block(b.index(wholeBlocks), tailSteps, true, carried);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t r = 0; r < height; ++r)
        b.storeLanes(carried[t * height + r], sums,
                     {b.index(t), b.addI(first, b.index(r)), b.index(0)});
  });
}

void DirectLinear::emit(
    Value begin, Value end, Value rowBlock,
    function_ref<void(Value token, ArrayRef<Value> sums)> consume) const {
  int64_t largest = vectorRegisters < 32 ? 4 : 8;
  Value sums = localBuffer(b, {largest, kTileRows, kLanes}, b.getF32Type());
  Value last = b.subI(end, b.index(1));
  // Tiles of 8, 4, 2 and 1 tokens. A tile may lack one token, because it costs
  // less than the next two sizes.
  Value from = begin;
  for (int64_t count = largest; count > 0; count /= 2) {
    Value slack = b.index(count > 2 ? 1 : 0);
    Value tiles = b.divI(b.addI(b.subI(end, from), slack), b.index(count));
    Value to = b.minI(b.addI(from, b.mulI(tiles, b.index(count))), end);
    b.loop(from, to, count, [&](Value token) {
      tile(token, last, count, rowBlock, sums);
      b.loop(token, b.minI(b.addI(token, b.index(count)), end), 1,
             [&](Value done) {
               SmallVector<Value> rows;
               for (int64_t r = 0; r < kTileRows; ++r)
                 rows.push_back(b.loadLanes(
                     sums, {b.subI(done, token), b.index(r), b.index(0)}));
               consume(done, rows);
             });
    });
    from = to;
  }
}

} // namespace nibble::host
