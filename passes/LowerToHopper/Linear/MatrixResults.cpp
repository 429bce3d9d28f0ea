// The epilogue of a matrix kernel: exchange between splits, bias, residual and
// swiglu, and stores.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "passes/Kernels/Formulas.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::forPairs(llvm::function_ref<void(int64_t, Value, Value)> body) {
  Value row = b.addI(
      b.addI(b.mulI(rowBlock, kBlockRows), b.mulI(group, kWarpgroupRows)),
      rowInGroup(b));
  Value column = b.addI(b.mulI(columnBlock, spec.tile), pairColumn());
  for (int64_t below = 0; below < 2; ++below)
    for (int64_t j = 0; j < spec.tile / 8; ++j) {
      Value r = b.addI(row, 8 * below), c = b.addI(column, 8 * j);
      body(4 * j + 2 * below, b.both(b.less(r, args.m), b.less(c, args.n)),
           b.at(args.result, b.getF32Type(), b.place(r, args.n, c)));
    }
}

Value Matrix::loadSums() {
  SmallVector<Value> sums(spec.tile / 2);
  forPairs([&](int64_t i, Value inside, Value address) {
    Type pair = b.vectorOf(b.getF32Type(), 2);
    Value two = b.ifValue(
        inside, [&] { return b.load(address, pair); },
        [&] { return b.zeros(2); });
    sums[i] = b.extract(two, 0);
    sums[i + 1] = b.extract(two, 1);
  });
  return b.fromElements(sums);
}

void Matrix::storeSums(Value sums) {
  forPairs([&](int64_t i, Value inside, Value address) {
    b.ifThen(inside, [&] {
      b.store(b.fromElements({b.extract(sums, i), b.extract(sums, i + 1)}),
              address);
    });
  });
}

void Matrix::storeTokens(Value sums, Value consumer) {
  int64_t bytes = spec.element.getIntOrFloatBitWidth() / 8, width = 16 / bytes;
  // Elements of a token; the padding spreads tokens over the banks.
  int64_t stride = kBlockRows + width;
  Value staging = b.sharedMemory(0);
  // Both warpgroups have read the ring to its end.
  b.barrier(kConsumerBarrier, spec.consumers());
  Value row = b.addI(b.mulI(group, kWarpgroupRows), rowInGroup(b));
  for (int64_t j = 0; j < spec.tile / 8; ++j)
    for (int64_t i = 0; i < 4; ++i) {
      Value token = b.addI(pairColumn(), 8 * j + i % 2);
      Value at = b.addI(b.mulI(token, stride), b.addI(row, 8 * (i / 2)));
      b.store(b.round(b.extract(sums, 4 * j + i), spec.element),
              b.at(staging, spec.element, at));
    }
  b.barrier(kConsumerBarrier, spec.consumers());
  int64_t perToken = rowsOfY() / width; // chunks
  Value firstRow = b.mulI(rowBlock, rowsOfY()),
        firstToken = b.mulI(columnBlock, spec.tile);
  b.loop(consumer, b.i32(spec.tile * perToken), spec.consumers(),
         [&](Value chunk) {
           Value token = b.divI(chunk, perToken),
                 inTile = b.mulI(b.remI(chunk, perToken), width);
           Value y = b.addI(firstToken, token), m = b.addI(firstRow, inTile);
           b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
             Value staged = b.at(staging, spec.element,
                                 b.addI(b.mulI(token, stride), inTile));
             if (spec.wholeRows)
               return storeChunk(staged, y, m, width);
             for (int64_t i = 0; i < width; ++i) {
               Value at = b.addI(m, i);
               b.ifThen(b.less(at, args.m), [&] {
                 storeChunk(b.at(staged, spec.element, b.i32(i)), y, at, 1);
               });
             }
           });
         });
}

void Matrix::storeReduced(Value sums, Value split, Value consumer) {
  int64_t rows = kBlockRows / spec.cluster(),
          part = rowsOfY() / spec.cluster(); // of sums and of y, of a block
  ClusterExchange exchange = this->exchange();
  exchange.waitForAll();
  auto placeOf = [&](Value split, Value row, Value token) {
    return b.mulI(
        b.addI(b.mulI(b.addI(b.mulI(split, rows), row), spec.tile), token), 4);
  };
  Value owner[2], inPart[2];
  for (int64_t below = 0; below < 2; ++below)
    std::tie(owner[below], inPart[below]) =
        ownerOf(b.addI(rowInGroup(b), 8 * below), part);
  for (int64_t j = 0; j < spec.tile / 8; ++j)
    for (int64_t below = 0; below < 2; ++below) {
      int64_t i = 4 * j + 2 * below;
      exchange.send(owner[below],
                    placeOf(split, inPart[below], b.addI(pairColumn(), 8 * j)),
                    b.extract(sums, i), b.extract(sums, i + 1));
    }
  exchange.await();
  Value firstRow = b.addI(b.mulI(rowBlock, rowsOfY()), b.mulI(rank, part)),
        firstToken = b.mulI(columnBlock, spec.tile);
  b.loop(consumer, b.i32(spec.tile * part), spec.consumers(), [&](Value cell) {
    Value token = b.divI(cell, part), inPart = b.remI(cell, part);
    Value y = b.addI(firstToken, token), m = b.addI(firstRow, inPart);
    b.ifThen(b.both(b.less(y, args.n), b.less(m, args.m)), [&] {
      auto totalOf = [&](Value row) {
        Value total = b.f32(0);
        for (int64_t split = 0; split < spec.splits; ++split)
          total =
              b.add(total, exchange.load(placeOf(b.i32(split), row, token)));
        return b.round(total, spec.element);
      };
      Value value = totalOf(inPart);
      finishChunk(spec.swiglu ? paired(value, totalOf(b.addI(inPart, part)))
                              : value,
                  y, m, 1);
    });
  });
}

std::pair<Value, Value> Matrix::ownerOf(Value row, int64_t part) {
  if (!spec.swiglu)
    row = b.addI(b.mulI(group, kWarpgroupRows), row);
  Value owner = b.uniform(b.divI(row, part)), place = b.remI(row, part);
  return {owner, spec.swiglu ? b.addI(place, b.mulI(group, part)) : place};
}

void Matrix::storeChunk(Value staged, Value token, Value m, int64_t width) {
  Type type = width == 1 ? spec.element : Type(b.vectorOf(spec.element, width));
  Value value = b.load(staged, type);
  if (spec.swiglu) // the other warpgroup's rows of the same token
    value = paired(
        value, b.load(b.at(staged, spec.element, b.i32(kWarpgroupRows)), type));
  finishChunk(value, token, m, width);
}

Value Matrix::paired(Value gate, Value up) {
  return b.round(kernels::swiglu(b, b.widen(gate), b.widen(up), spec.element),
                 spec.element);
}

void Matrix::finishChunk(Value value, Value token, Value m, int64_t width) {
  Type type = value.getType();
  if (args.bias)
    value =
        b.round(b.add(b.widen(value),
                      b.widen(b.load(b.at(args.bias, spec.element, m), type))),
                spec.element);
  Value place = b.place(token, args.m, m);
  if (args.residual)
    value = b.round(
        b.add(b.widen(value),
              b.widen(b.load(b.at(args.residual, spec.element, place), type))),
        spec.element);
  b.store(value, b.at(args.result, spec.element, place));
}

} // namespace nibble::hopper
