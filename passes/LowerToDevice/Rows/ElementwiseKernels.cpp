// Kernels without a sum across threads: lookups, rotary embedding, activations,
// and sums over the tokens.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nibble::device {

namespace {

// y[r, :] = x[rows[r], :]; a thread moves 16 bytes if the row's length allows
// it.
void emitGather(Kernel &k, Value x, Value rows, Value y) {
  Type element = elementOf(y);
  int64_t columns = columnsOf(y);
  int64_t width = accessWidth(columns, element);
  int64_t perRow = columns / width;
  Type vector = VectorType::get({width}, element);
  ElementwiseSpec spec;
  spec.key = "gather_" + textOf(element) + "_" + std::to_string(columns);
  spec.width = 1;
  spec.arguments = {x, rows, y};
  spec.count = k.mul(k.extent(rows, 0), k.index(perRow));
  spec.partly = {x};
  spec.touches =
      bytesOf(k, k.mul(k.extent(rows, 0), k.index(columns)), element);
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
        Value piece = b.narrow(first);
        Value row = b.divI(piece, perRow);
        Value column = b.mulI(b.remI(piece, perRow), width);
        Value from =
            b.load(b.at(arguments[1], b.getI32Type(), row), b.getI32Type());
        Value values =
            b.load(b.at(arguments[0], element, b.place(from, columns, column)),
                   vector);
        b.store(values,
                b.at(arguments[2], element, b.place(row, columns, column)));
      });
}

LogicalResult emitEmbedding(Kernel &k, nn::EmbeddingOp::Adaptor op) {
  emitGather(k, op.getTable(), op.getTokens(), k.result(0));
  return success();
}

LogicalResult emitTakeRows(Kernel &k, nn::TakeRowsOp::Adaptor op) {
  emitGather(k, op.getX(), op.getRows(), k.result(0));
  return success();
}

// The lanes whose condition holds, as bits, in every lane.
Value ballot(Emitter &b, Value condition) {
  return NVVM::VoteSyncOp::create(b, b.getI32Type(), b.i32(-1), condition,
                                  NVVM::VoteSyncKind::ballot);
}

// Each token has a block. The block at the first occurrence of its table row
// adds the rows of dy of all occurrences in ascending order. So there is one
// chain per element, no two blocks write one row, and atomics are not needed.
// Thirty-two tokens are compared at a time.
LogicalResult emitEmbeddingGrad(Kernel &k, nn::EmbeddingGradOp::Adaptor op) {
  Value dy = op.getDy();
  Value tokens = op.getTokens();
  Value table = op.getInit();
  Type element = elementOf(dy);
  int64_t columns = columnsOf(dy);
  int64_t width = std::min<int64_t>(accessWidth(columns, element), 4);
  LaunchSpec spec;
  spec.key =
      "embedding_grad_" + textOf(element) + "_" + std::to_string(columns);
  spec.threads = kThreads;
  spec.sharedBytes = kThreads / 32 * 4;
  spec.grid = {k.extent(tokens, 0)};
  spec.arguments = {dy, tokens, table, k.extent(tokens, 0)};
  spec.partly = {table}; // one row per different token
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value dy = arguments[0];
    Value tokens = arguments[1];
    Value table = arguments[2];
    Value count = arguments[3];
    auto token = [&](Value t) {
      return b.load(b.at(tokens, b.getI32Type(), t), b.getI32Type());
    };
    Value own = b.block();
    Value row = token(own);
    Value seen =
        b.loop(b.thread(), own, b.i32(kThreads), {b.f32(0)},
               [&](Value t, ValueRange seen) -> SmallVector<Value> {
                 return {b.select(b.equal(token(t), row), b.f32(1), seen[0])};
               })[0];
    seen = b.blockMax(seen, b.sharedMemory(0), kThreads);
    b.ifThen(b.greater(b.f32(0.5), seen), [&] {
      // Every warp walks all tokens for its columns.
      Value lane = b.lane();
      b.loop(
          b.mulI(b.warp(), 32 * width), b.i32(columns), b.i32(kThreads * width),
          [&](Value base) {
            Value column = b.addI(base, b.mulI(lane, width));
            Value inside = b.less(column, columns);
            Value safe = b.select(inside, column, b.i32(0));
            Value start = b.ifValue(
                inside,
                [&] {
                  return loadFloats(b, table, b.getF32Type(),
                                    b.place(row, columns, column), width);
                },
                [&] { return b.zeros(width); });
            Value sum = b.loop(
                own, count, b.i32(32), {start},
                [&](Value first, ValueRange sums) -> SmallVector<Value> {
                  Value t = b.addI(first, lane);
                  Value here = b.less(t, count);
                  Value same =
                      b.both(here, b.equal(token(b.select(here, t, own)), row));
                  Value mask = ballot(b, same);
                  Value matches =
                      LLVM::CtPopOp::create(b, b.getI32Type(), mask);
                  SmallVector<Value> next = b.loop(
                      b.i32(0), matches, b.i32(1), {sums[0], mask},
                      [&](Value, ValueRange carried) -> SmallVector<Value> {
                        Value bit = LLVM::CountTrailingZerosOp::create(
                            b, b.getI32Type(), carried[1],
                            /*is_zero_poison=*/true);
                        Value values = loadFloats(
                            b, dy, element,
                            b.place(b.addI(first, bit), columns, safe), width);
                        return {b.add(carried[0], values),
                                b.andI(carried[1], b.subI(carried[1], 1))};
                      });
                  return {next[0]};
                })[0];
            b.ifThen(inside, [&] {
              storeFloats(b, sum, table, b.getF32Type(),
                          b.place(row, columns, column), width);
            });
          });
    });
  });
  return success();
}

// A thread has `width` columns and adds the tokens in ascending order, one
// chain per column. The loads of eight tokens are in flight together.
LogicalResult emitSumTokens(Kernel &k, nn::SumTokensOp::Adaptor op) {
  constexpr int64_t kAhead = 8;
  Value x = op.getX();
  Value sum = op.getInit();
  Type element = elementOf(x);
  int64_t columns = columnsOf(x);
  int64_t width = std::min<int64_t>(accessWidth(columns, element), 2);
  int64_t threads = 64;
  LaunchSpec spec;
  spec.key = "sum_tokens_" + textOf(element) + "_" + std::to_string(columns);
  spec.threads = threads;
  spec.grid = {k.index((columns / width + threads - 1) / threads)};
  spec.arguments = {x, sum, k.extent(x, 0)};
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value x = arguments[0];
    Value sum = arguments[1];
    Value tokens = arguments[2];
    Value column =
        b.mulI(b.addI(b.mulI(b.block(), threads), b.thread()), width);
    b.ifThen(b.less(column, columns), [&] {
      auto rowOf = [&](Value t) {
        return loadFloats(b, x, element, b.place(t, columns, column), width);
      };
      Value start = loadFloats(b, sum, b.getF32Type(), column, width);
      Value whole = b.mulI(b.divI(tokens, kAhead), kAhead);
      Value total = b.loop(b.i32(0), whole, b.i32(kAhead), {start},
                           [&](Value t, ValueRange sums) -> SmallVector<Value> {
                             SmallVector<Value> rows;
                             for (int64_t i = 0; i < kAhead; ++i)
                               rows.push_back(rowOf(b.addI(t, i)));
                             Value total = sums[0];
                             for (Value row : rows)
                               total = b.add(total, row);
                             return {total};
                           })[0];
      total = b.loop(whole, tokens, b.i32(1), {total},
                     [&](Value t, ValueRange sums) -> SmallVector<Value> {
                       return {b.add(sums[0], rowOf(t))};
                     })[0];
      storeFloats(b, total, sum, b.getF32Type(), column, width);
    });
  });
  return success();
}

// Constant numbers as a buffer on the device.
Value constantFloats(Kernel &k, ArrayRef<float> values) {
  auto module = k.op->getParentOfType<ModuleOp>();
  auto type = MemRefType::get({static_cast<int64_t>(values.size())},
                              k.host.getF32Type());
  auto data = DenseElementsAttr::get(
      RankedTensorType::get(type.getShape(), type.getElementType()), values);
  for (auto global : module.getOps<memref::GlobalOp>())
    if (global.getInitialValue() == Attribute(data))
      return memref::GetGlobalOp::create(k.host, k.loc(), type,
                                         global.getSymName());
  int64_t number = llvm::range_size(module.getOps<memref::GlobalOp>());
  OpBuilder top(module.getContext());
  top.setInsertionPointToStart(module.getBody());
  auto global = memref::GlobalOp::create(
      top, k.loc(), "inverse_frequencies_" + std::to_string(number),
      top.getStringAttr("private"), type, data, /*constant=*/true,
      k.host.getI64IntegerAttr(64));
  return memref::GetGlobalOp::create(k.host, k.loc(), type,
                                     global.getSymName());
}

LogicalResult emitRopeTable(Kernel &k, nn::RopeTableOp::Adaptor op) {
  Value positions = op.getPositions();
  Value cos = k.result(0);
  int64_t half = columnsOf(cos);
  double factor = op.getAttentionFactor().convertToDouble();
  ElementwiseSpec spec;
  spec.key = "rope_table_" + std::to_string(half) + "_" + bitsText(factor);
  spec.width = 1;
  spec.arguments = {positions, constantFloats(k, op.getInverseFrequencies()),
                    cos, k.result(1)};
  spec.count = k.mul(k.extent(positions, 0), k.index(half));
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
        Type f32 = b.getF32Type();
        Value place = b.narrow(first);
        Value t = b.divI(place, half);
        Value i = b.remI(place, half);
        Value position = b.toFloat(
            b.load(b.at(arguments[0], b.getI32Type(), t), b.getI32Type()));
        auto [sine, cosine] =
            b.sinCos(b.mul(position, b.load(b.at(arguments[1], f32, i), f32)));
        b.store(b.mul(cosine, b.f32(factor)), b.at(arguments[2], f32, first));
        b.store(b.mul(sine, b.f32(factor)), b.at(arguments[3], f32, first));
      });
  return success();
}

// Rotates elements i and i + D/2 of every head; `inverse` negates the angle.
LogicalResult emitRope(Kernel &k, nn::RopeOp::Adaptor op) {
  Value x = op.getX();
  Value cos = op.getCos();
  Value sin = op.getSin();
  Value y = k.result(0);
  if (failed(checkActivations(k, x)))
    return failure();
  Type element = elementOf(x);
  bool inverse = op.getInverse();
  int64_t columns = columnsOf(x);
  int64_t half = columnsOf(cos);
  int64_t width = accessWidth(half, element);
  int64_t perHead = half / width;
  int64_t perToken = columns / (2 * width);
  ElementwiseSpec spec;
  spec.key = "rope_" + textOf(element) + "_" + std::to_string(columns) + "_" +
             std::to_string(half) + (inverse ? "_inverse" : "");
  spec.width = 1;
  spec.arguments = {x, cos, sin, y};
  spec.count = k.mul(k.extent(x, 0), k.index(perToken));
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t) {
        Value piece = b.narrow(first);
        Value t = b.divI(piece, perToken);
        Value inToken = b.remI(piece, perToken);
        Value head = b.divI(inToken, perHead);
        Value i = b.mulI(b.remI(inToken, perHead), width);
        Value low = b.place(t, columns, b.addI(b.mulI(head, 2 * half), i));
        Value high = b.addI(low, half);
        Value angle = b.place(t, half, i);
        Value c = loadFloats(b, arguments[1], b.getF32Type(), angle, width);
        Value s = loadFloats(b, arguments[2], b.getF32Type(), angle, width);
        if (inverse)
          s = b.neg(s);
        Value p = loadFloats(b, arguments[0], element, low, width);
        Value q = loadFloats(b, arguments[0], element, high, width);
        storeFloats(b, kernels::rotatedLow(b, p, q, c, s), arguments[3],
                    element, low, width);
        storeFloats(b, kernels::rotatedHigh(b, p, q, c, s), arguments[3],
                    element, high, width);
      });
  return success();
}

// An elementwise launch over all buffers of the op, which have the shape of
// `like`.
ElementwiseSpec elementwiseLike(Kernel &k, StringRef name, Value like) {
  ElementwiseSpec spec;
  spec.width = 128 / elementOf(like).getIntOrFloatBitWidth();
  spec.whole = isMultiple(like, spec.width);
  spec.key = name.str() + "_" + textOf(elementOf(like));
  spec.count = elementsOf(k.host, k.loc(), like);
  llvm::append_range(spec.arguments, k.inputs);
  llvm::append_range(spec.arguments, k.outputs);
  return spec;
}

LogicalResult emitSwiglu(Kernel &k, nn::SwigluOp::Adaptor) {
  if (failed(checkActivations(k, k.result(0))))
    return failure();
  Type element = elementOf(k.result(0));
  ElementwiseSpec spec = elementwiseLike(k, "swiglu", k.result(0));
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t width) {
        Value gate = loadFloats(b, arguments[0], element, first, width);
        Value up = loadFloats(b, arguments[1], element, first, width);
        storeFloats(b, kernels::swiglu(b, gate, up, element), arguments[2],
                    element, first, width);
      });
  return success();
}

LogicalResult emitSwigluGrad(Kernel &k, nn::SwigluGradOp::Adaptor) {
  if (failed(checkActivations(k, k.result(0))))
    return failure();
  Type element = elementOf(k.result(0));
  ElementwiseSpec spec = elementwiseLike(k, "swiglu_grad", k.result(0));
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t width) {
        Value dy = loadFloats(b, arguments[0], element, first, width);
        Value gate = loadFloats(b, arguments[1], element, first, width);
        Value up = loadFloats(b, arguments[2], element, first, width);
        kernels::SwigluGradients gradients(b, dy, gate, up);
        storeFloats(b, gradients.ofGate(), arguments[3], element, first, width);
        storeFloats(b, gradients.ofUp(), arguments[4], element, first, width);
      });
  return success();
}

LogicalResult emitBroadcast(Kernel &k, nn::BroadcastOp::Adaptor op) {
  Value y = k.result(0);
  ElementwiseSpec spec;
  spec.key = "broadcast";
  spec.width = 4;
  spec.arguments = {op.getX(), y};
  spec.count = k.extent(y, 0);
  launchElementwise(
      k.writer, k.host, k.loc(), spec,
      [&](Emitter &b, ValueRange arguments, Value first, int64_t width) {
        Value x = b.load(arguments[0], b.getF32Type());
        storeFloats(b, b.splat(x, width), arguments[1], b.getF32Type(), first,
                    width);
      });
  return success();
}

} // namespace

void addElementwiseKernels(KernelTable &table) {
  table.add<nn::EmbeddingOp>(emitEmbedding);
  table.add<nn::EmbeddingGradOp>(emitEmbeddingGrad);
  table.add<nn::TakeRowsOp>(emitTakeRows);
  table.add<nn::SumTokensOp>(emitSumTokens);
  table.add<nn::RopeTableOp>(emitRopeTable);
  table.add<nn::RopeOp>(emitRope);
  table.add<nn::SwigluOp>(emitSwiglu);
  table.add<nn::SwigluGradOp>(emitSwigluGrad);
  table.add<nn::BroadcastOp>(emitBroadcast);
}

} // namespace nibble::device
