// Root-mean-square norm and its gradient. A "row" is one block of D elements: a
// token, or one head of a token.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToHost/Emit/Columns.h"
#include "passes/LowerToHost/Emit/Kernels.h"

using namespace mlir;

namespace nibble::host {

namespace {

// The beginning of block number `row` of a [T, blocks * D] buffer.
struct BlockAddress {
  Value token, column;
};

// The blocks of a kernel's rows.
struct Blocks {
  Emitter &b;
  int64_t size;  // D
  int64_t count; // blocks in a token's row

  Blocks(Emitter &b, Value x, Value weight)
      : b(b), size(columnsOf(weight)), count(columnsOf(x) / columnsOf(weight)) {
  }

  Value rows(Value x) const { return b.mulI(b.dim(x, 0), b.index(count)); }
  BlockAddress at(Value row) const {
    return {b.divI(row, b.index(count)),
            b.mulI(b.remI(row, b.index(count)), b.index(size))};
  }
};

// 1 / sqrt(sum(x^2) / D + epsilon) for one block, with the sum in the order
// N13.
Value reciprocalRoot(Emitter &b, Value x, BlockAddress at, int64_t size,
                     float epsilon) {
  Value squares = b.forLanes(
      b.index(size), {b.lanes(0)},
      [&](Value column, Value count, ValueRange sums) -> SmallVector<Value> {
        Value v = loadPart(b, x, {at.token, b.addI(at.column, column)}, count);
        return {b.fma(v, v, sums[0])};
      })[0];
  return kernels::reciprocalRoot(b, b.reduceAdd(squares), size, epsilon);
}

// y = E(weight * E(x * r))
LogicalResult emitNorm(Kernel &k, nn::RMSNormOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = op.getX();
  Value weight = op.getWeight();
  Value y = k.result(0);
  Type element = elementOf(y);
  float epsilon = op.getEpsilon().convertToFloat();
  Blocks blocks(b, x, weight);
  b.parallel(blocks.rows(x), [&](Value row) {
    BlockAddress at = blocks.at(row);
    Value r = b.splat(reciprocalRoot(b, x, at, blocks.size, epsilon));
    b.forLanes(b.index(blocks.size), [&](Value column, Value count) {
      SmallVector<Value> place = {at.token, b.addI(at.column, column)};
      Value n = b.roundTo(b.mul(loadPart(b, x, place, count), r), element);
      storePart(b, b.mul(loadPart(b, weight, {column}, count), n), y, place,
                count);
    });
  });
  return success();
}

// dx = r * (g - n * (sum(g * n) / D)) row by row, which stores r. Then dweight
// column by column, with rows ascending from the value in the buffer. Columns
// are divided among the threads, so that one thread computes each chain.
LogicalResult emitNormGrad(Kernel &k, nn::RMSNormGradOp::Adaptor op) {
  Emitter &b = k.b;
  Value dy = op.getDy();
  Value x = op.getX();
  Value weight = op.getWeight();
  Value dx = k.result(0);
  Value dweight = op.getInit();
  float epsilon = op.getEpsilon().convertToFloat();
  Blocks blocks(b, x, weight);
  Value rows = blocks.rows(x);
  Value roots = b.scratch({ShapedType::kDynamic}, {rows}, b.getF32Type());

  b.parallel(rows, [&](Value row) {
    BlockAddress at = blocks.at(row);
    Value root = reciprocalRoot(b, x, at, blocks.size, epsilon);
    b.store(root, roots, {row});
    Value r = b.splat(root);
    // n, and g = dy * weight, for one step of lanes.
    auto terms = [&](Value column, Value count) -> std::pair<Value, Value> {
      SmallVector<Value> place = {at.token, b.addI(at.column, column)};
      Value n = b.mul(loadPart(b, x, place, count), r);
      return {n, b.mul(loadPart(b, dy, place, count),
                       loadPart(b, weight, {column}, count))};
    };
    Value products = b.forLanes(
        b.index(blocks.size), {b.lanes(0)},
        [&](Value column, Value count, ValueRange sums) -> SmallVector<Value> {
          auto [n, g] = terms(column, count);
          return {b.fma(g, n, sums[0])};
        })[0];
    Value mean = b.splat(
        b.div(b.reduceAdd(products), b.f32(static_cast<float>(blocks.size))));
    b.forLanes(b.index(blocks.size), [&](Value column, Value count) {
      auto [n, g] = terms(column, count);
      storePart(b, b.mul(r, b.sub(g, b.mul(n, mean))), dx,
                {at.token, b.addI(at.column, column)}, count);
    });
  });

  parallelColumns(b, blocks.size, [&](ColumnBlock columns) {
    SmallVector<Value> sums;
    for (int64_t i = 0; i < columns.vectors; ++i)
      sums.push_back(columns.load(dweight, {}, i));
    sums =
        b.loop(b.index(0), rows, 1, sums, [&](Value row, ValueRange carried) {
          BlockAddress at = blocks.at(row);
          Value r = b.splat(b.load(roots, {row}));
          SmallVector<Value> next;
          for (int64_t i = 0; i < columns.vectors; ++i) {
            Value n = b.mul(columns.load(x, {at.token}, i, at.column), r);
            next.push_back(b.fma(columns.load(dy, {at.token}, i, at.column), n,
                                 carried[i]));
          }
          return next;
        });
    for (int64_t i = 0; i < columns.vectors; ++i)
      columns.store(sums[i], dweight, {}, i);
  });
  return success();
}

} // namespace

void addNormKernels(KernelTable &table) {
  table.add<nn::RMSNormOp>(emitNorm);
  table.add<nn::RMSNormGradOp>(emitNormGrad);
}

} // namespace nibble::host
