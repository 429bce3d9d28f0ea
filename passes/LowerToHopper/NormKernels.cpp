// Root-mean-square norm and its gradient. A "row" here is one block of D elements: a token, or one head of a token.
#include "passes/LowerToHopper/Flat.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kRowsPerBlock = 8; // a warp each

// The rows of a norm, a warp for each. Lane l has elements l*V .. l*V+V-1 of every 32*V: one chain in each lane, then
// the warp's tree, an order of D only (N13).
struct NormRows {
  int64_t size, width; // D and V
  int64_t perToken;    // rows of a token
  Type element;
  double epsilon;

  explicit NormRows(Kernel &k, Value x, Value weight)
      : size(columnsOf(weight)), perToken(columnsOf(x) / size), element(elementOf(x)), epsilon(k.real("epsilon")) {
    width = size % 256 == 0 ? 8 : size % 128 == 0 ? 4 : size % 64 == 0 ? 2 : 1;
  }

  std::string key(StringRef name) const {
    return name.str() + "_" + textOf(element) + "_" + std::to_string(size) + "_" + bitsText(epsilon);
  }
  Value count(Kernel &k, Value x) const { return k.mul(k.extent(x, 0), k.index(perToken)); }
  Value load(Emitter &b, Value pointer, Value row, Value column) const {
    return b.widen(b.load(b.at(pointer, element, b.place(row, size, column)), b.vectorOf(element, width)));
  }
  Value weight(Emitter &b, Value pointer, Value column) const {
    return b.widen(b.load(b.at(pointer, element, column), b.vectorOf(element, width)));
  }
  void store(Emitter &b, Value values, Value pointer, Value row, Value column) const {
    b.store(b.round(values, element), b.at(pointer, element, b.place(row, size, column)));
  }

  // body(column) for the lane's columns.
  void forColumns(Emitter &b, llvm::function_ref<void(Value)> body) const {
    b.loop(b.mulI(b.lane(), width), b.i32(size), b.i32(32 * width), body);
  }
  // Sum over the row of x[i] * y[i], one fused multiply-add each.
  Value dot(Emitter &b, llvm::function_ref<std::pair<Value, Value>(Value column)> terms) const {
    Value sum = b.loop(b.mulI(b.lane(), width), b.i32(size), b.i32(32 * width), {b.f32(0)},
                       [&](Value column, ValueRange sums) -> SmallVector<Value> {
                         auto [x, y] = terms(column);
                         Value sum = sums[0];
                         for (int64_t i = 0; i < width; ++i)
                           sum = b.fma(b.extract(x, i), b.extract(y, i), sum);
                         return {sum};
                       })[0];
    return b.warpSum(sum);
  }
  // 1 / sqrt(sum(x^2) / D + epsilon)
  Value reciprocalRoot(Emitter &b, Value x, Value row) const {
    Value sum = dot(b, [&](Value column) {
      Value v = load(b, x, row, column);
      return std::pair(v, v);
    });
    Value mean = b.div(sum, b.f32(static_cast<double>(size)));
    return b.div(b.f32(1), b.sqrt(b.add(mean, b.f32(epsilon))));
  }
};

// y = E(weight * E(x * r))
LogicalResult emitNorm(Kernel &k) {
  Value x = k.input(0), weight = k.input(1), y = k.output(0);
  if (failed(checkActivations(k, x)) || failed(checkActivations(k, weight)))
    return failure();
  NormRows norm(k, x, weight);
  LaunchSpec spec;
  spec.key = norm.key("rms_norm");
  spec.threads = 32 * kRowsPerBlock;
  spec.grid = {k.ceilDiv(norm.count(k, x), kRowsPerBlock)};
  spec.arguments = {x, weight, y, norm.count(k, x)};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, arguments[3]), [&] {
      Value r = b.splat(norm.reciprocalRoot(b, arguments[0], row), norm.width);
      norm.forColumns(b, [&](Value column) {
        Value n = b.roundTo(b.mul(norm.load(b, arguments[0], row, column), r), norm.element);
        norm.store(b, b.mul(norm.weight(b, arguments[1], column), n), arguments[2], row, column);
      });
    });
  });
  return success();
}

// dx = r * (g - n * (sum(g * n) / D)) with n = x * r and g = dy * weight, row by row; r is kept for the weight's
// gradient.
void launchInputGrad(Kernel &k, const NormRows &norm, Value roots) {
  Value rows = norm.count(k, k.input(1));
  LaunchSpec spec;
  spec.key = norm.key("rms_norm_grad");
  spec.threads = 32 * kRowsPerBlock;
  spec.grid = {k.ceilDiv(rows, kRowsPerBlock)};
  spec.arguments = {k.input(0), k.input(1), k.input(2), k.output(0), roots, rows};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, arguments[5]), [&] {
      Value root = norm.reciprocalRoot(b, arguments[1], row), r = b.splat(root, norm.width);
      b.ifThen(b.equal(b.lane(), 0), [&] { b.store(root, b.at(arguments[4], b.getF32Type(), row)); });
      auto terms = [&](Value column) {
        Value n = b.mul(norm.load(b, arguments[1], row, column), r);
        return std::pair(b.mul(norm.load(b, arguments[0], row, column), norm.weight(b, arguments[2], column)), n);
      };
      Value mean = b.splat(b.div(norm.dot(b, terms), b.f32(static_cast<double>(norm.size))), norm.width);
      norm.forColumns(b, [&](Value column) {
        auto [g, n] = terms(column);
        norm.store(b, b.mul(r, b.sub(g, b.mul(n, mean))), arguments[3], row, column);
      });
    });
  });
}

// dweight in two steps. The rows are cut into chunks, at least 64 rows in each and at most 512 chunks; a chunk's sum is
// one chain, rows ascending. Then each of 8 strands adds chunks s, s + 8, ... ascending from zero, and the strands are
// added to init in turn. An order of the number of rows only.
constexpr int64_t kLeastRows = 64, kMostChunks = 512, kStrands = 8, kAhead = 4;

void launchWeightGrad(Kernel &k, const NormRows &norm, Value roots) {
  Value rows = norm.count(k, k.input(1));
  Value chunkRows = k.host.createOrFold<arith::MaxUIOp>(k.loc(), k.ceilDiv(rows, kMostChunks), k.index(kLeastRows));
  Value chunks = k.host.createOrFold<arith::CeilDivUIOp>(k.loc(), rows, chunkRows);
  Value partial = k.scratch({ShapedType::kDynamic, norm.size}, {chunks}, k.host.getF32Type());
  int64_t width = accessWidth(norm.size, norm.element), pieces = norm.size / width;

  LaunchSpec spec;
  spec.key = norm.key("rms_norm_weight_grad");
  spec.threads = 128;
  spec.grid = {k.ceilDiv(k.mul(chunks, k.index(pieces)), spec.threads)};
  spec.arguments = {k.input(0), k.input(1), roots, partial, rows, chunkRows, chunks};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value thread = b.addI(b.mulI(b.block(), spec.threads), b.thread());
    Value chunk = b.divI(thread, pieces), column = b.mulI(b.remI(thread, pieces), width);
    b.ifThen(b.less(chunk, arguments[6]), [&] {
      Value first = b.mulI(chunk, arguments[5]), last = b.minI(b.addI(first, arguments[5]), arguments[4]);
      struct Row {
        Value dy, x, root;
      };
      auto load = [&](Value row) {
        Value place = b.place(row, norm.size, column);
        return Row{loadFloats(b, arguments[0], norm.element, place, width),
                   loadFloats(b, arguments[1], norm.element, place, width),
                   b.load(b.at(arguments[2], b.getF32Type(), row), b.getF32Type())};
      };
      auto add = [&](const Row &row, Value sum) { return b.fma(row.dy, b.mul(row.x, b.splat(row.root, width)), sum); };
      Value whole = b.addI(first, b.mulI(b.divI(b.subI(last, first), kAhead), kAhead));
      Value sum =
          b.loop(first, whole, b.i32(kAhead), {b.zeros(width)}, [&](Value row, ValueRange sums) -> SmallVector<Value> {
            SmallVector<Row> loaded;
            for (int64_t i = 0; i < kAhead; ++i)
              loaded.push_back(load(b.addI(row, i)));
            Value sum = sums[0];
            for (const Row &one : loaded)
              sum = add(one, sum);
            return {sum};
          })[0];
      sum = b.loop(whole, last, b.i32(1), {sum},
                   [&](Value row, ValueRange sums) -> SmallVector<Value> { return {add(load(row), sums[0])}; })[0];
      storeFloats(b, sum, arguments[3], b.getF32Type(), b.place(chunk, norm.size, column), width);
    });
  });

  LaunchSpec total;
  total.key = "sum_chunks_" + std::to_string(norm.size);
  total.threads = 32 * kStrands;
  total.sharedBytes = 32 * kStrands * 4;
  total.grid = {k.index((norm.size + 31) / 32)};
  total.arguments = {partial, k.output(1), chunks};
  k.launch(total, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    Value shared = b.sharedMemory(0), column = b.addI(b.mulI(b.block(), 32), b.lane()),
          inside = b.less(column, norm.size);
    Value sum = b.loop(
        b.warp(), arguments[2], b.i32(kStrands), {b.f32(0)}, [&](Value chunk, ValueRange sums) -> SmallVector<Value> {
          Value value = b.ifValue(
              inside, [&] { return b.load(b.at(arguments[0], f32, b.place(chunk, norm.size, column)), f32); },
              [&] { return b.f32(0); });
          return {b.add(sums[0], value)};
        })[0];
    b.store(sum, b.at(shared, f32, b.thread()));
    b.barrier();
    b.ifThen(b.both(b.equal(b.warp(), 0), inside), [&] {
      Value address = b.at(arguments[1], f32, column), total = b.load(address, f32);
      for (int64_t strand = 0; strand < kStrands; ++strand)
        total = b.add(total, b.load(b.at(shared, f32, b.addI(b.lane(), 32 * strand)), f32));
      b.store(total, address);
    });
  });
}

LogicalResult emitNormGrad(Kernel &k) {
  for (unsigned i = 0; i < 3; ++i)
    if (failed(checkActivations(k, k.input(i))))
      return failure();
  NormRows norm(k, k.input(1), k.input(2));
  Value roots = k.scratch({ShapedType::kDynamic}, {norm.count(k, k.input(1))}, k.host.getF32Type());
  launchInputGrad(k, norm, roots);
  launchWeightGrad(k, norm, roots);
  return success();
}

} // namespace

void addNormKernels(KernelTable &table) {
  table["nn.rms_norm"] = emitNorm;
  table["nn.rms_norm_grad"] = emitNormGrad;
}

} // namespace nibble::hopper
