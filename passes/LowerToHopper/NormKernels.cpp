// Root-mean-square norm and its gradient. A "row" here is one block of D elements: a token, or one head of a token.
#include "passes/LowerToHopper/Kernels.h"

using namespace mlir;

namespace nibble::hopper {

namespace {

constexpr int64_t kRowsPerBlock = 8; // a warp each

// y = E(weight * E(x * r)), r = 1 / sqrt(sum(x^2) / D + epsilon). Lane l sums elements l*V .. l*V+V-1 of every 32*V, one
// chain, then the warp's tree: an order of D only (N13).
LogicalResult emitNorm(Kernel &k) {
  Value x = k.input(0), weight = k.input(1), y = k.output(0);
  Type element = elementOf(y);
  int64_t size = columnsOf(weight), perToken = columnsOf(x) / size;
  double epsilon = k.real("epsilon");
  int64_t width = size % 256 == 0 ? 8 : size % 128 == 0 ? 4 : size % 64 == 0 ? 2 : 1;
  Value rows = k.mul(k.extent(x, 0), k.index(perToken));
  LaunchSpec spec;
  spec.key = "rms_norm_" + textOf(element) + "_" + std::to_string(size) + "_" + llvm::utohexstr(llvm::bit_cast<uint32_t>(float(epsilon)));
  spec.threads = 32 * kRowsPerBlock;
  spec.grid = {k.ceilDiv(rows, kRowsPerBlock)};
  spec.arguments = {x, weight, y, rows};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value x = arguments[0], weight = arguments[1], y = arguments[2], rows = arguments[3];
    Value row = b.addI(b.mulI(b.block(), kRowsPerBlock), b.warp());
    b.ifThen(b.less(row, rows), [&] {
      Type vector = b.vectorOf(element, width);
      Value first = b.mulI(b.lane(), width), step = b.i32(32 * width), end = b.i32(size);
      auto rowAt = [&](Value pointer, Value column) { return b.at(pointer, element, b.place(row, size, column)); };
      Value sum = b.loop(first, end, step, {b.f32(0)}, [&](Value column, ValueRange sums) -> SmallVector<Value> {
        Value v = b.widen(b.load(rowAt(x, column), vector)), sum = sums[0];
        for (int64_t i = 0; i < width; ++i)
          sum = b.fma(b.extract(v, i), b.extract(v, i), sum);
        return {sum};
      })[0];
      Value mean = b.div(b.warpSum(sum), b.f32(static_cast<double>(size)));
      Value r = b.splat(b.div(b.f32(1), b.sqrt(b.add(mean, b.f32(epsilon)))), width);
      b.loop(first, end, step, [&](Value column) {
        Value v = b.widen(b.load(rowAt(x, column), vector));
        Value w = b.widen(b.load(b.at(weight, element, column), vector));
        Value n = b.roundTo(b.mul(v, r), element);
        b.store(b.round(b.mul(w, n), element), rowAt(y, column));
      });
    });
  });
  return success();
}

} // namespace

void addNormKernels(KernelTable &table) { table["nn.rms_norm"] = emitNorm; }

} // namespace nibble::hopper
