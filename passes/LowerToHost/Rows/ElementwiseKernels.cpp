// Kernels without a sum across lanes: lookups, rotary embedding, activations,
// and sums over the tokens.
//
// Each reads all inputs of an element before it writes that element, so a
// result may share an operand's buffer.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToHost/Emit/Columns.h"
#include "passes/LowerToHost/Emit/Kernels.h"

using namespace mlir;

namespace nibble::host {

namespace {

// y[r, :] = x[rows[r], :]; the embedding is the same with the table for x.
void emitGather(Emitter &b, Value x, Value rows, Value y) {
  b.parallel(b.dim(rows, 0), [&](Value row) {
    Value from = b.toIndex(b.load(rows, {row}));
    b.forLanes(b.index(columnsOf(y)), [&](Value column, Value count) {
      storePart(b, loadPart(b, x, {from, column}, count), y, {row, column},
                count);
    });
  });
}

LogicalResult emitEmbedding(Kernel &k, nn::EmbeddingOp::Adaptor op) {
  emitGather(k.b, op.getTable(), op.getTokens(), k.result(0));
  return success();
}

LogicalResult emitTakeRows(Kernel &k, nn::TakeRowsOp::Adaptor op) {
  emitGather(k.b, op.getX(), op.getRows(), k.result(0));
  return success();
}

// Tokens are not divided among threads, because a row may occur twice. Each
// block of columns walks all tokens in order.
LogicalResult emitEmbeddingGrad(Kernel &k, nn::EmbeddingGradOp::Adaptor op) {
  Emitter &b = k.b;
  Value dy = op.getDy();
  Value tokens = op.getTokens();
  Value table = op.getInit();
  parallelColumns(b, columnsOf(dy), [&](ColumnBlock columns) {
    b.loop(b.index(0), b.dim(tokens, 0), 1, [&](Value t) {
      Value row = b.toIndex(b.load(tokens, {t}));
      for (int64_t i = 0; i < columns.vectors; ++i)
        columns.store(
            b.add(columns.load(table, {row}, i), columns.load(dy, {t}, i)),
            table, {row}, i);
    });
  });
  return success();
}

LogicalResult emitSumTokens(Kernel &k, nn::SumTokensOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = op.getX();
  Value sum = op.getInit();
  parallelColumns(b, columnsOf(x), [&](ColumnBlock columns) {
    SmallVector<Value> sums;
    for (int64_t i = 0; i < columns.vectors; ++i)
      sums.push_back(columns.load(sum, {}, i));
    sums = b.loop(
        b.index(0), b.dim(x, 0), 1, sums, [&](Value t, ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t i = 0; i < columns.vectors; ++i)
            next.push_back(b.add(carried[i], columns.load(x, {t}, i)));
          return next;
        });
    for (int64_t i = 0; i < columns.vectors; ++i)
      columns.store(sums[i], sum, {}, i);
  });
  return success();
}

// The frequencies are constants of the program, sixteen per register.
LogicalResult emitRopeTable(Kernel &k, nn::RopeTableOp::Adaptor op) {
  Emitter &b = k.b;
  Value positions = op.getPositions();
  Value cos = k.result(0);
  Value sin = k.result(1);
  ArrayRef<float> frequencies = op.getInverseFrequencies();
  Value factor = b.lanes(op.getAttentionFactor().convertToFloat());
  b.parallel(b.dim(positions, 0), [&](Value t) {
    Value position = b.splat(
        arith::SIToFPOp::create(b, b.getF32Type(), b.load(positions, {t})));
    for (size_t first = 0; first < frequencies.size(); first += kLanes) {
      SmallVector<float> part(kLanes, 0.0f);
      size_t count = std::min<size_t>(kLanes, frequencies.size() - first);
      std::copy_n(frequencies.begin() + first, count, part.begin());
      auto type = VectorType::get({kLanes}, b.getF32Type());
      Value constant = arith::ConstantOp::create(
          b, DenseElementsAttr::get(type, ArrayRef<float>(part)));
      auto [sine, cosine] = b.sinCos(b.mul(position, constant));
      SmallVector<Value> place = {t, b.index(first)};
      Value tail = count == kLanes ? Value() : b.index(count);
      storePart(b, b.mul(cosine, factor), cos, place, tail);
      storePart(b, b.mul(sine, factor), sin, place, tail);
    }
  });
  return success();
}

// Rotates elements i and i + D/2 of every head; `inverse` negates the angle.
LogicalResult emitRope(Kernel &k, nn::RopeOp::Adaptor op) {
  Emitter &b = k.b;
  Value x = op.getX();
  Value cos = op.getCos();
  Value sin = op.getSin();
  Value y = k.result(0);
  bool inverse = op.getInverse();
  int64_t half = columnsOf(cos);
  int64_t heads = columnsOf(x) / (2 * half);
  b.parallel(b.dim(x, 0), [&](Value t) {
    b.loop(b.index(0), b.index(heads), 1, [&](Value head) {
      Value low = b.mulI(head, b.index(2 * half));
      Value high = b.addI(low, b.index(half));
      b.forLanes(b.index(half), [&](Value column, Value count) {
        SmallVector<Value> placeLow = {t, b.addI(low, column)};
        SmallVector<Value> placeHigh = {t, b.addI(high, column)};
        Value c = loadPart(b, cos, {t, column}, count);
        Value s = loadPart(b, sin, {t, column}, count);
        if (inverse)
          s = b.neg(s);
        Value p = loadPart(b, x, placeLow, count);
        Value q = loadPart(b, x, placeHigh, count);
        storePart(b, kernels::rotatedLow(b, p, q, c, s), y, placeLow, count);
        storePart(b, kernels::rotatedHigh(b, p, q, c, s), y, placeHigh, count);
      });
    });
  });
  return success();
}

// Walks each row of the buffers in steps of sixteen lanes.
void forRows(Emitter &b, Value like,
             function_ref<void(SmallVector<Value>, Value)> body) {
  b.parallel(b.dim(like, 0), [&](Value row) {
    b.forLanes(b.index(columnsOf(like)),
               [&](Value column, Value count) { body({row, column}, count); });
  });
}

// y = E(E(gate / (1 + exp(-gate))) * up)
LogicalResult emitSwiglu(Kernel &k, nn::SwigluOp::Adaptor op) {
  Emitter &b = k.b;
  Value y = k.result(0);
  forRows(b, y, [&](SmallVector<Value> place, Value count) {
    Value gate = loadPart(b, op.getGate(), place, count);
    Value up = loadPart(b, op.getUp(), place, count);
    storePart(b, kernels::swiglu(b, gate, up, elementOf(y)), y, place, count);
  });
  return success();
}

LogicalResult emitSwigluGrad(Kernel &k, nn::SwigluGradOp::Adaptor op) {
  Emitter &b = k.b;
  forRows(b, k.result(0), [&](SmallVector<Value> place, Value count) {
    Value dy = loadPart(b, op.getDy(), place, count);
    Value gate = loadPart(b, op.getGate(), place, count);
    Value up = loadPart(b, op.getUp(), place, count);
    kernels::SwigluGradients gradients(b, dy, gate, up);
    storePart(b, gradients.ofGate(), k.result(0), place, count);
    storePart(b, gradients.ofUp(), k.result(1), place, count);
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
}

} // namespace nibble::host
