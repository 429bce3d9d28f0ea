// Root-mean-square norm and its gradient. A "row" is one block of D elements: a
// token, or one head of a token.
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/InlineAssembly.h"
#include "passes/LowerToDevice/Rows/NormRows.h"

using namespace mlir;

namespace nibble::device {

namespace {

constexpr int64_t kRowsPerBlock = 8; // one per warp

// Returns the same vector but hides that from the compiler, so that it is
// widened again instead of kept in registers as float32.
Value anew(Emitter &b, Value vector) {
  int64_t words = cast<VectorType>(vector.getType()).getNumElements() / 2;
  if (words == 0)
    return vector;
  Type i32 = b.getI32Type();
  Value held =
      b.bitcast(vector, words == 1 ? i32 : Type(b.vectorOf(i32, words)));
  SmallVector<Value> moved;
  for (int64_t i = 0; i < words; ++i)
    moved.push_back(emitValue(b, "mov.b32 $0, $1;", i32,
                              {words == 1 ? held : b.extract(held, i)}));
  return b.bitcast(words == 1 ? moved[0] : b.fromElements(moved),
                   vector.getType());
}

// A row that fits in registers is read once. Its weights are loaded while the
// row's own loads are still in flight.
void scaleHeldRow(Emitter &b, const NormRows &norm, ValueRange arguments,
                  Value row) {
  constexpr int64_t kWeightsAhead = 8; // vectors
  SmallVector<Value> x = norm.hold(b, arguments[0], row);
  auto weightsFrom = [&](int64_t first) {
    SmallVector<Value> weights;
    for (int64_t i = first; i < std::min(first + kWeightsAhead, norm.vectors());
         ++i) {
      // A lane beyond the row loads the last weight and does not use it.
      Value column = b.minI(norm.column(b, i), b.i32(norm.size - norm.width));
      weights.push_back(b.load(b.at(arguments[1], norm.element, column),
                               b.vectorOf(norm.element, norm.width)));
    }
    return weights;
  };
  SmallVector<Value> weights = weightsFrom(0);
  Value r = b.splat(norm.reciprocalRoot(b, x), norm.width);
  for (int64_t i = 0; i < norm.vectors(); ++i) {
    if (i > 0 && i % kWeightsAhead == 0)
      weights = weightsFrom(i);
    norm.inside(b, i, [&] {
      Value y = norm.scaled(b, b.widen(anew(b, x[i])), r,
                            b.widen(weights[i % kWeightsAhead]));
      norm.store(b, y, arguments[2], row, norm.column(b, i));
    });
  }
}

// A row that is too long for registers is read twice.
void scaleRow(Emitter &b, const NormRows &norm, ValueRange arguments,
              Value row) {
  Value r = b.splat(norm.reciprocalRoot(b, arguments[0], row), norm.width);
  norm.forColumns(b, [&](Value column) {
    Value y = norm.scaled(b, norm.load(b, arguments[0], row, column), r,
                          norm.weight(b, arguments[1], column));
    norm.store(b, y, arguments[2], row, column);
  });
}

// y = E(weight * E(x * r))
LogicalResult emitNorm(Kernel &k, nn::RMSNormOp::Adaptor op) {
  Value x = op.getX();
  Value weight = op.getWeight();
  Value y = k.result(0);
  if (failed(checkActivations(k, x)) || failed(checkActivations(k, weight)))
    return failure();
  NormRows norm(columnsOf(weight), elementOf(x),
                op.getEpsilon().convertToDouble());
  LaunchSpec spec;
  spec.key = norm.key("rms_norm");
  spec.threads = 32 * kRowsPerBlock;
  spec.grid = {k.ceilDiv(norm.count(k, x), kRowsPerBlock)};
  spec.arguments = {x, weight, y, norm.count(k, x)};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, arguments[3]), [&] {
      norm.fitsRegisters() ? scaleHeldRow(b, norm, arguments, row)
                           : scaleRow(b, norm, arguments, row);
    });
  });
  return success();
}

// dx = r * (g - n * (sum(g * n) / D)) with n = x * r and g = dy * weight, row
// by row. r is stored for the gradient of the weight.
void launchInputGrad(Kernel &k, nn::RMSNormGradOp::Adaptor op,
                     const NormRows &norm, Value roots) {
  Value rows = norm.count(k, op.getX());
  LaunchSpec spec;
  spec.key = norm.key("rms_norm_grad");
  spec.threads = 32 * kRowsPerBlock;
  spec.grid = {k.ceilDiv(rows, kRowsPerBlock)};
  spec.arguments = {op.getDy(),  op.getX(), op.getWeight(),
                    k.result(0), roots,     rows};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, arguments[5]), [&] {
      Value root = norm.reciprocalRoot(b, arguments[1], row);
      Value r = b.splat(root, norm.width);
      b.ifThen(b.equal(b.lane(), 0),
               [&] { b.store(root, b.at(arguments[4], b.getF32Type(), row)); });
      auto terms = [&](Value column) {
        Value n = b.mul(norm.load(b, arguments[1], row, column), r);
        return std::pair(b.mul(norm.load(b, arguments[0], row, column),
                               norm.weight(b, arguments[2], column)),
                         n);
      };
      Value mean = b.splat(
          b.div(norm.dot(b, terms), b.f32(static_cast<double>(norm.size))),
          norm.width);
      norm.forColumns(b, [&](Value column) {
        auto [g, n] = terms(column);
        norm.store(b, b.mul(r, b.sub(g, b.mul(n, mean))), arguments[3], row,
                   column);
      });
    });
  });
}

// dweight takes two steps. The rows are divided into chunks of at least 64
// rows, at most 512 chunks. A chunk's sum is one chain with rows ascending.
// Then each of 8 strands adds chunks s, s + 8, ... in ascending order from
// zero, and the strands are added to init in turn. The order depends on the
// number of rows only.
constexpr int64_t kLeastRows = 64;
constexpr int64_t kMostChunks = 512;
constexpr int64_t kStrands = 8;
constexpr int64_t kAhead = 4;

void launchWeightGrad(Kernel &k, nn::RMSNormGradOp::Adaptor op,
                      const NormRows &norm, Value roots) {
  Value rows = norm.count(k, op.getX());
  Value chunkRows = k.host.createOrFold<arith::MaxUIOp>(
      k.loc(), k.ceilDiv(rows, kMostChunks), k.index(kLeastRows));
  Value chunks =
      k.host.createOrFold<arith::CeilDivUIOp>(k.loc(), rows, chunkRows);
  Value partial = k.scratch({ShapedType::kDynamic, norm.size}, {chunks},
                            k.host.getF32Type());
  int64_t width = accessWidth(norm.size, norm.element);
  int64_t pieces = norm.size / width;

  LaunchSpec spec;
  spec.key = norm.key("rms_norm_weight_grad");
  spec.threads = 128;
  spec.grid = {k.ceilDiv(k.mul(chunks, k.index(pieces)), spec.threads)};
  spec.arguments = {op.getDy(), op.getX(), roots, partial,
                    rows,       chunkRows, chunks};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value thread = b.addI(b.mulI(b.block(), spec.threads), b.thread());
    Value chunk = b.divI(thread, pieces);
    Value column = b.mulI(b.remI(thread, pieces), width);
    b.ifThen(b.less(chunk, arguments[6]), [&] {
      Value first = b.mulI(chunk, arguments[5]);
      Value last = b.minI(b.addI(first, arguments[5]), arguments[4]);
      struct Row {
        Value dy, x, root;
      };
      auto load = [&](Value row) {
        Value place = b.place(row, norm.size, column);
        return Row{
            loadFloats(b, arguments[0], norm.element, place, width),
            loadFloats(b, arguments[1], norm.element, place, width),
            b.load(b.at(arguments[2], b.getF32Type(), row), b.getF32Type())};
      };
      auto add = [&](const Row &row, Value sum) {
        return b.fma(row.dy, b.mul(row.x, b.splat(row.root, width)), sum);
      };
      Value whole =
          b.addI(first, b.mulI(b.divI(b.subI(last, first), kAhead), kAhead));
      Value sum = b.loop(first, whole, b.i32(kAhead), {b.zeros(width)},
                         [&](Value row, ValueRange sums) -> SmallVector<Value> {
                           SmallVector<Row> loaded;
                           for (int64_t i = 0; i < kAhead; ++i)
                             loaded.push_back(load(b.addI(row, i)));
                           Value sum = sums[0];
                           for (const Row &one : loaded)
                             sum = add(one, sum);
                           return {sum};
                         })[0];
      sum = b.loop(whole, last, b.i32(1), {sum},
                   [&](Value row, ValueRange sums) -> SmallVector<Value> {
                     return {add(load(row), sums[0])};
                   })[0];
      storeFloats(b, sum, arguments[3], b.getF32Type(),
                  b.place(chunk, norm.size, column), width);
    });
  });

  LaunchSpec total;
  total.key = "sum_chunks_" + std::to_string(norm.size);
  total.threads = 32 * kStrands;
  total.sharedBytes = 32 * kStrands * 4;
  total.grid = {k.index((norm.size + 31) / 32)};
  total.arguments = {partial, op.getInit(), chunks};
  k.launch(total, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    Value shared = b.sharedMemory(0);
    Value column = b.addI(b.mulI(b.block(), 32), b.lane());
    Value inside = b.less(column, norm.size);
    Value sum =
        b.loop(b.warp(), arguments[2], b.i32(kStrands), {b.f32(0)},
               [&](Value chunk, ValueRange sums) -> SmallVector<Value> {
                 Value value = b.ifValue(
                     inside,
                     [&] {
                       return b.load(b.at(arguments[0], f32,
                                          b.place(chunk, norm.size, column)),
                                     f32);
                     },
                     [&] { return b.f32(0); });
                 return {b.add(sums[0], value)};
               })[0];
    b.store(sum, b.at(shared, f32, b.thread()));
    b.barrier();
    b.ifThen(b.both(b.equal(b.warp(), 0), inside), [&] {
      Value address = b.at(arguments[1], f32, column);
      Value total = b.load(address, f32);
      for (int64_t strand = 0; strand < kStrands; ++strand)
        total = b.add(
            total,
            b.load(b.at(shared, f32, b.addI(b.lane(), 32 * strand)), f32));
      b.store(total, address);
    });
  });
}

LogicalResult emitNormGrad(Kernel &k, nn::RMSNormGradOp::Adaptor op) {
  for (Value operand : {op.getDy(), op.getX(), op.getWeight()})
    if (failed(checkActivations(k, operand)))
      return failure();
  NormRows norm(columnsOf(op.getWeight()), elementOf(op.getX()),
                op.getEpsilon().convertToDouble());
  Value roots = k.scratch({ShapedType::kDynamic}, {norm.count(k, op.getX())},
                          k.host.getF32Type());
  launchInputGrad(k, op, norm, roots);
  launchWeightGrad(k, op, norm, roots);
  return success();
}

} // namespace

void addNormKernels(KernelTable &table) {
  table.add<nn::RMSNormOp>(emitNorm);
  table.add<nn::RMSNormGradOp>(emitNormGrad);
}

} // namespace nibble::device
