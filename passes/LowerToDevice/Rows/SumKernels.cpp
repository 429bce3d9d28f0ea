// Sums of tensors to a scalar. The order depends on the numbers of elements
// only (N13).
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/BatchedLaunch.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

using namespace mlir;

namespace nibble::device {

namespace {

// One block: thread t adds elements t, t + 1024, ... in ascending order, then
// the block's tree follows. The order depends on the length only.
constexpr int64_t kSumThreads = 1024;

Value stridedSum(Emitter &b, Value x, Value count) {
  Value sum = b.loop(b.thread(), count, b.i32(kSumThreads), {b.f32(0)},
                     [&](Value i, ValueRange sums) -> SmallVector<Value> {
                       return {b.add(sums[0], b.load(b.at(x, b.getF32Type(), i),
                                                     b.getF32Type()))};
                     })[0];
  return b.blockSum(sum, b.sharedMemory(0), kSumThreads);
}

LogicalResult emitSum(Kernel &k, nn::SumOp::Adaptor op) {
  LaunchSpec spec;
  spec.key = "sum";
  spec.threads = kSumThreads;
  spec.sharedBytes = kSumThreads / 32 * 4;
  spec.grid = {k.index(1)};
  spec.arguments = {op.getX(), k.result(0), k.extent(op.getX(), 0)};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value sum = stridedSum(b, arguments[0], arguments[2]);
    b.ifThen(b.equal(b.thread(), 0), [&] { b.store(sum, arguments[1]); });
  });
  return success();
}

// The host's values for one tensor of a sum of squares.
struct SquaredTensor {
  Value x, vectors,
      rest; // vectors of four elements, and elements after the last vector
  Value chunks, firstChunk; // of its partial sums
};

constexpr int64_t kVectors = 16;
constexpr int64_t kChunk = kThreads * kVectors; // vectors of a chunk

SmallVector<SquaredTensor> squaredTensors(Kernel &k, ValueRange xs) {
  SmallVector<SquaredTensor> tensors;
  Value chunks = k.index(0);
  for (Value x : xs) {
    Value count = elementsOf(k.host, k.loc(), x);
    Value vectors =
        k.host.createOrFold<arith::DivUIOp>(k.loc(), count, k.index(4));
    Value rest = k.host.createOrFold<arith::SubIOp>(k.loc(), count,
                                                    k.mul(vectors, k.index(4)));
    Value own = k.ceilDiv(vectors, kChunk);
    tensors.push_back({x, vectors, rest, own, chunks});
    chunks = k.host.createOrFold<arith::AddIOp>(k.loc(), chunks, own);
  }
  return tensors;
}

// A block handles a chunk: each thread adds 16 vectors in one chain, then the
// block's tree follows.
void launchSquaredChunks(Kernel &k, ArrayRef<SquaredTensor> tensors,
                         Value partial) {
  LaunchSpec spec;
  spec.key = "square_sum_chunks";
  spec.threads = kThreads;
  spec.sharedBytes = kThreads / 32 * 4;
  spec.arguments = {partial};
  spec.partly = {partial};
  SmallVector<BatchRow> rows;
  for (const SquaredTensor &tensor : tensors) {
    spec.partly.push_back(tensor.x);
    Value touches = k.host.createOrFold<arith::AddIOp>(
        k.loc(), k.mul(tensor.vectors, k.index(16)),
        k.mul(tensor.chunks, k.index(4)));
    rows.push_back({{tensor.x, tensor.vectors, tensor.firstChunk},
                    tensor.chunks,
                    touches});
  }
  launchBatched(
      k, spec, rows,
      [&](Emitter &b, ValueRange arguments, ValueRange row, Value chunk) {
        Type f32 = b.getF32Type();
        SmallVector<Value> loaded;
        for (int64_t i = 0; i < kVectors; ++i) {
          Value vector =
              b.addI(b.addI(b.mulI(chunk, kChunk), b.thread()), i * kThreads);
          loaded.push_back(b.ifValue(
              b.less(vector, row[1]),
              [&] {
                return loadFloats(b, row[0], f32, b.mulI(b.wide(vector), 4), 4);
              },
              [&] { return b.zeros(4); }));
        }
        Value sum = b.f32(0);
        for (Value vector : loaded)
          for (int64_t i = 0; i < 4; ++i)
            sum = b.fma(b.extract(vector, i), b.extract(vector, i), sum);
        sum = b.blockSum(sum, b.sharedMemory(0), kThreads);
        b.ifThen(b.equal(b.thread(), 0), [&] {
          b.store(sum, b.at(arguments[0], f32, b.addI(row[2], chunk)));
        });
      });
}

// A block handles a tensor: it adds the chunks as nn.sum does, then up to three
// elements after the last vector.
void launchSquaredTensors(Kernel &k, ArrayRef<SquaredTensor> tensors,
                          Value partial, Value sums) {
  LaunchSpec spec;
  spec.key = "square_sum_tensors";
  spec.threads = kSumThreads;
  spec.sharedBytes = kSumThreads / 32 * 4;
  spec.arguments = {partial, sums};
  spec.partly = {partial, sums};
  SmallVector<BatchRow> rows;
  for (auto [i, tensor] : llvm::enumerate(tensors)) {
    spec.partly.push_back(tensor.x);
    Value read =
        k.host.createOrFold<arith::AddIOp>(k.loc(), tensor.rest, tensor.chunks);
    Value numbers = k.host.createOrFold<arith::AddIOp>(
        k.loc(), read, k.index(1)); // and the sum
    rows.push_back({{tensor.x, tensor.firstChunk, tensor.chunks, tensor.vectors,
                     tensor.rest, k.index(static_cast<int64_t>(i))},
                    k.index(1),
                    k.mul(numbers, k.index(4))});
  }
  launchBatched(
      k, spec, rows,
      [&](Emitter &b, ValueRange arguments, ValueRange row, Value) {
        Type f32 = b.getF32Type();
        Value sum = stridedSum(b, b.at(arguments[0], f32, row[1]), row[2]);
        b.ifThen(b.equal(b.thread(), 0), [&] {
          Value behind = b.mulI(b.wide(row[3]), 4);
          Value all =
              b.loop(b.i32(0), row[4], b.i32(1), {sum},
                     [&](Value i, ValueRange sums) -> SmallVector<Value> {
                       Value v = b.load(
                           b.at(row[0], f32, b.addI(behind, b.wide(i))), f32);
                       return {b.fma(v, v, sums[0])};
                     })[0];
          b.store(all, b.at(arguments[1], f32, row[5]));
        });
      });
}

// One chain over the tensors, which starts at the value in the result. A warp
// loads 32 of them at a time.
void launchChain(Kernel &k, Value sums, Value total, int64_t count) {
  LaunchSpec spec;
  spec.key = "square_sum";
  spec.threads = 32;
  spec.grid = {k.index(1)};
  spec.arguments = {sums, total, k.index(count)};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Type f32 = b.getF32Type();
    Value all = b.loop(
        b.i32(0), arguments[2], b.i32(32), {b.load(arguments[1], f32)},
        [&](Value first, ValueRange carried) -> SmallVector<Value> {
          Value own = b.addI(first, b.lane());
          Value sum = carried[0];
          Value mine = b.ifValue(
              b.less(own, arguments[2]),
              [&] { return b.load(b.at(arguments[0], f32, own), f32); },
              [&] { return b.f32(0); });
          for (int64_t i = 0; i < 32; ++i) {
            Value next = b.add(sum, b.shuffle(mine, b.i32(i)));
            sum = b.select(b.less(b.addI(first, i), arguments[2]), next, sum);
          }
          return {sum};
        })[0];
    b.ifThen(b.equal(b.lane(), 0), [&] { b.store(all, arguments[1]); });
  });
}

// Each tensor counts as one row, in chunks of 16384 elements. The order depends
// on the numbers of elements only.
LogicalResult emitSquareSum(Kernel &k, nn::SquareSumOp::Adaptor op) {
  SmallVector<SquaredTensor> tensors = squaredTensors(k, op.getXs());
  if (tensors.empty())
    return success();
  int64_t count = static_cast<int64_t>(tensors.size());
  Value chunks = k.host.createOrFold<arith::AddIOp>(
      k.loc(), tensors.back().firstChunk, tensors.back().chunks);
  Value partial =
      k.scratch({ShapedType::kDynamic}, {chunks}, k.host.getF32Type());
  Value sums = k.scratch({count}, {}, k.host.getF32Type());
  launchSquaredChunks(k, tensors, partial);
  launchSquaredTensors(k, tensors, partial, sums);
  launchChain(k, sums, op.getInit(), count);
  return success();
}

} // namespace

void addSumKernels(KernelTable &table) {
  table.add<nn::SumOp>(emitSum);
  table.add<nn::SquareSumOp>(emitSquareSum);
}

} // namespace nibble::device
