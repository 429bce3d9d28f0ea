// The epilogue of a matrix kernel: exchange between splits, bias, residual and
// swiglu, and stores.
#include "passes/LowerToHopper/Linear/MatrixBody.h"

#include "passes/Kernels/Formulas.h"

using namespace mlir;

namespace nibble::hopper {

void Matrix::forPairs(llvm::function_ref<void(int64_t, Value, Value)> body) {
  Value row = b_.addI(
      b_.addI(b_.mulI(rowBlock_, kBlockRows), b_.mulI(group_, kWarpgroupRows)),
      rowInGroup(b_));
  Value column = b_.addI(b_.mulI(columnBlock_, spec_.tile), pairColumn());
  for (int64_t below = 0; below < 2; ++below)
    for (int64_t j = 0; j < spec_.tile / 8; ++j) {
      Value r = b_.addI(row, 8 * below);
      Value c = b_.addI(column, 8 * j);
      body(4 * j + 2 * below, b_.both(b_.less(r, args_.m), b_.less(c, args_.n)),
           b_.at(args_.result, b_.getF32Type(), b_.place(r, args_.n, c)));
    }
}

Value Matrix::loadSums() {
  SmallVector<Value> sums(spec_.tile / 2);
  forPairs([&](int64_t i, Value inside, Value address) {
    Type pair = b_.vectorOf(b_.getF32Type(), 2);
    Value two = b_.ifValue(
        inside, [&] { return b_.load(address, pair); },
        [&] { return b_.zeros(2); });
    sums[i] = b_.extract(two, 0);
    sums[i + 1] = b_.extract(two, 1);
  });
  return b_.fromElements(sums);
}

void Matrix::storeSums(Value sums) {
  forPairs([&](int64_t i, Value inside, Value address) {
    b_.ifThen(inside, [&] {
      b_.store(b_.fromElements({b_.extract(sums, i), b_.extract(sums, i + 1)}),
               address);
    });
  });
}

void Matrix::storeTokens(Value sums, Value consumer) {
  int64_t bytes = spec_.element.getIntOrFloatBitWidth() / 8;
  int64_t width = 16 / bytes;
  // Elements of a token; the padding spreads tokens over the banks.
  int64_t stride = kBlockRows + width;
  Value staging = b_.sharedMemory(0);
  // Both warpgroups have read the ring to its end.
  b_.barrier(kConsumerBarrier, spec_.consumers());
  Value row = b_.addI(b_.mulI(group_, kWarpgroupRows), rowInGroup(b_));
  for (int64_t j = 0; j < spec_.tile / 8; ++j)
    for (int64_t i = 0; i < 4; ++i) {
      Value token = b_.addI(pairColumn(), 8 * j + i % 2);
      Value at = b_.addI(b_.mulI(token, stride), b_.addI(row, 8 * (i / 2)));
      b_.store(b_.round(b_.extract(sums, 4 * j + i), spec_.element),
               b_.at(staging, spec_.element, at));
    }
  b_.barrier(kConsumerBarrier, spec_.consumers());
  int64_t perToken = rowsOfY() / width; // chunks
  Value firstRow = b_.mulI(rowBlock_, rowsOfY());
  Value firstToken = b_.mulI(columnBlock_, spec_.tile);
  b_.loop(consumer, b_.i32(spec_.tile * perToken), spec_.consumers(),
          [&](Value chunk) {
            Value token = b_.divI(chunk, perToken);
            Value inTile = b_.mulI(b_.remI(chunk, perToken), width);
            Value y = b_.addI(firstToken, token);
            Value m = b_.addI(firstRow, inTile);
            b_.ifThen(b_.both(b_.less(y, args_.n), b_.less(m, args_.m)), [&] {
              Value staged = b_.at(staging, spec_.element,
                                   b_.addI(b_.mulI(token, stride), inTile));
              if (spec_.wholeRows)
                return storeChunk(staged, y, m, width);
              for (int64_t i = 0; i < width; ++i) {
                Value at = b_.addI(m, i);
                b_.ifThen(b_.less(at, args_.m), [&] {
                  storeChunk(b_.at(staged, spec_.element, b_.i32(i)), y, at, 1);
                });
              }
            });
          });
}

void Matrix::storeReduced(Value sums, Value split, Value consumer) {
  int64_t rows = kBlockRows / spec_.cluster(); // of a block's sums
  int64_t part = rowsOfY() / spec_.cluster();  // of its rows of y
  ClusterExchange exchange = this->exchange();
  exchange.waitForAll();
  auto placeOf = [&](Value split, Value row, Value token) {
    return b_.mulI(
        b_.addI(b_.mulI(b_.addI(b_.mulI(split, rows), row), spec_.tile), token),
        4);
  };
  Value owner[2], inPart[2];
  for (int64_t below = 0; below < 2; ++below)
    std::tie(owner[below], inPart[below]) =
        ownerOf(b_.addI(rowInGroup(b_), 8 * below), part);
  for (int64_t j = 0; j < spec_.tile / 8; ++j)
    for (int64_t below = 0; below < 2; ++below) {
      int64_t i = 4 * j + 2 * below;
      exchange.send(owner[below],
                    placeOf(split, inPart[below], b_.addI(pairColumn(), 8 * j)),
                    b_.extract(sums, i), b_.extract(sums, i + 1));
    }
  exchange.await();
  Value firstRow = b_.addI(b_.mulI(rowBlock_, rowsOfY()), b_.mulI(rank_, part));
  Value firstToken = b_.mulI(columnBlock_, spec_.tile);
  b_.loop(consumer, b_.i32(spec_.tile * part), spec_.consumers(),
          [&](Value cell) {
            Value token = b_.divI(cell, part);
            Value inPart = b_.remI(cell, part);
            Value y = b_.addI(firstToken, token);
            Value m = b_.addI(firstRow, inPart);
            b_.ifThen(b_.both(b_.less(y, args_.n), b_.less(m, args_.m)), [&] {
              auto totalOf = [&](Value row) {
                Value total = b_.f32(0);
                for (int64_t split = 0; split < spec_.splits; ++split)
                  total = b_.add(
                      total, exchange.load(placeOf(b_.i32(split), row, token)));
                return b_.round(total, spec_.element);
              };
              Value value = totalOf(inPart);
              finishChunk(spec_.swiglu
                              ? paired(value, totalOf(b_.addI(inPart, part)))
                              : value,
                          y, m, 1);
            });
          });
}

std::pair<Value, Value> Matrix::ownerOf(Value row, int64_t part) {
  if (!spec_.swiglu)
    row = b_.addI(b_.mulI(group_, kWarpgroupRows), row);
  Value owner = b_.uniform(b_.divI(row, part));
  Value place = b_.remI(row, part);
  return {owner, spec_.swiglu ? b_.addI(place, b_.mulI(group_, part)) : place};
}

void Matrix::storeChunk(Value staged, Value token, Value m, int64_t width) {
  Type type =
      width == 1 ? spec_.element : Type(b_.vectorOf(spec_.element, width));
  Value value = b_.load(staged, type);
  if (spec_.swiglu) // the other warpgroup's rows of the same token
    value = paired(
        value,
        b_.load(b_.at(staged, spec_.element, b_.i32(kWarpgroupRows)), type));
  finishChunk(value, token, m, width);
}

Value Matrix::paired(Value gate, Value up) {
  return b_.round(
      kernels::swiglu(b_, b_.widen(gate), b_.widen(up), spec_.element),
      spec_.element);
}

void Matrix::finishChunk(Value value, Value token, Value m, int64_t width) {
  Type type = value.getType();
  if (args_.bias)
    value = b_.round(
        b_.add(b_.widen(value),
               b_.widen(b_.load(b_.at(args_.bias, spec_.element, m), type))),
        spec_.element);
  Value place = b_.place(token, args_.m, m);
  if (args_.residual)
    value = b_.round(
        b_.add(b_.widen(value),
               b_.widen(
                   b_.load(b_.at(args_.residual, spec_.element, place), type))),
        spec_.element);
  b_.store(value, b_.at(args_.result, spec_.element, place));
}

} // namespace nibble::hopper
