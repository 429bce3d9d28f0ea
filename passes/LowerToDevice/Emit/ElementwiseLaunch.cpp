// Launches elementwise kernels, and loads and stores their elements.
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::device {

// Threads after those with `width` elements handle the rest, one element each.
void launchElementwise(KernelWriter &writer, OpBuilder &host, Location loc,
                       const ElementwiseSpec &spec, ElementwiseBody body) {
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(host, loc, value);
  };
  int64_t width = spec.width;
  bool rest = width > 1 && !spec.whole;
  Value wide = spec.count, threads = spec.count;
  if (width > 1) {
    wide = host.createOrFold<arith::DivUIOp>(loc, spec.count, index(width));
    threads = wide;
  }
  LaunchSpec launch;
  launch.key = spec.key + (rest ? "_rest" : "");
  launch.threads = kThreads;
  launch.arguments = spec.arguments;
  launch.partly = spec.partly;
  launch.touches = spec.touches;
  launch.arguments.push_back(wide);
  if (rest) {
    Value covered = host.createOrFold<arith::MulIOp>(loc, wide, index(width));
    Value left = host.createOrFold<arith::SubIOp>(loc, spec.count, covered);
    threads = host.createOrFold<arith::AddIOp>(loc, wide, left);
    launch.arguments.push_back(threads);
  }
  launch.grid = {
      host.createOrFold<arith::CeilDivUIOp>(loc, threads, index(kThreads))};
  writer.launch(host, loc, launch, [&](Emitter &b, ValueRange arguments) {
    size_t count = spec.arguments.size();
    Value thread = b.addI(b.mulI(b.block(), kThreads), b.thread());
    forElements(b, thread, arguments[count],
                rest ? arguments[count + 1] : Value(), width,
                [&](Value first, int64_t width) {
                  body(b, arguments.take_front(count), first, width);
                });
  });
}

void forElements(Emitter &b, Value thread, Value vectors, Value threads,
                 int64_t width, llvm::function_ref<void(Value, int64_t)> body) {
  b.ifThen(b.less(thread, vectors),
           [&] { body(b.mulI(b.wide(thread), width), width); });
  if (!threads)
    return;
  b.ifThen(b.both(b.lessEqual(vectors, thread), b.less(thread, threads)), [&] {
    body(
        b.addI(b.mulI(b.wide(vectors), width), b.wide(b.subI(thread, vectors))),
        1);
  });
}

Value elementsOf(OpBuilder &host, Location loc, Value buffer) {
  Value count = arith::ConstantIndexOp::create(host, loc, 1);
  for (int64_t dim = 0; dim < cast<MemRefType>(buffer.getType()).getRank();
       ++dim) {
    Value number = arith::ConstantIndexOp::create(host, loc, dim);
    Value extent = host.createOrFold<memref::DimOp>(loc, buffer, number);
    count = host.createOrFold<arith::MulIOp>(loc, count, extent);
  }
  return count;
}

bool isMultiple(Value buffer, int64_t width) {
  return llvm::any_of(
      cast<MemRefType>(buffer.getType()).getShape(), [&](int64_t extent) {
        return extent != ShapedType::kDynamic && extent % width == 0;
      });
}

int64_t accessWidth(int64_t columns, Type element) {
  int64_t width = 128 / element.getIntOrFloatBitWidth();
  while (columns % width != 0)
    width /= 2;
  return width;
}

// The largest number of bytes per access.
static int64_t pieceOf(Type element, int64_t width) {
  return std::min(width,
                  128 / static_cast<int64_t>(element.getIntOrFloatBitWidth()));
}

Value loadFloats(Emitter &b, Value pointer, Type element, Value first,
                 int64_t width) {
  int64_t piece = pieceOf(element, width);
  if (piece == width)
    return b.widen(
        b.load(b.at(pointer, element, first), b.vectorOf(element, width)));
  SmallVector<Value> values;
  for (int64_t at = 0; at < width; at += piece) {
    Value part = b.load(b.at(pointer, element, b.addI(first, at)),
                        b.vectorOf(element, piece));
    for (int64_t i = 0; i < piece; ++i)
      values.push_back(b.extract(part, i));
  }
  return b.widen(b.fromElements(values));
}

void storeFloats(Emitter &b, Value values, Value pointer, Type element,
                 Value first, int64_t width) {
  Value rounded = b.round(values, element);
  int64_t piece = pieceOf(element, width);
  if (piece == width)
    return b.store(rounded, b.at(pointer, element, first));
  for (int64_t at = 0; at < width; at += piece) {
    SmallVector<Value> part;
    for (int64_t i = 0; i < piece; ++i)
      part.push_back(b.extract(rounded, at + i));
    b.store(b.fromElements(part), b.at(pointer, element, b.addI(first, at)));
  }
}

LogicalResult checkActivations(Kernel &kernel, Value buffer) {
  if (elementOf(buffer).isBF16())
    return success();
  return kernel.op.emitError() << "has activations of " << elementOf(buffer)
                               << "; an H200's kernels take bf16";
}

std::string bitsText(double value) {
  return llvm::utohexstr(llvm::bit_cast<uint32_t>(static_cast<float>(value)));
}

} // namespace nibble::device
