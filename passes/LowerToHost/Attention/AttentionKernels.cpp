// Attention over a batch and over pages, by one function, so that the bits
// agree (N14); and the kernel of nn.cache_write.
#include "passes/LowerToHost/Attention/AttentionPanel.h"
#include "passes/LowerToHost/Emit/Columns.h"

using namespace mlir;

namespace nibble::host {

namespace {

// Finds the keys and values of a block.
using OpenBlock =
    std::function<KeyBlock(Value sequence, const Segment &, Value block)>;

// A chunk's state between blocks: [row] and [row][element].
struct State {
  // `weights` is l of the op's description, `decays` its a.
  Value queries, sums, scores, maxima, weights, decays;

  explicit State(AttentionEmitter &a) {
    queries = a.rowsOfThreads(a.shape.paddedSize());
    sums = a.rowsOfThreads(a.shape.paddedSize());
    scores = a.rowsOfThreads(a.shape.block);
    maxima = a.rowsOfThreads();
    weights = a.rowsOfThreads();
    decays = a.rowsOfThreads();
  }
};

// One row's step of the online softmax: turns products into p and updates m and
// l. A row that does not see the block stays unchanged.
void emitSoftmaxStep(AttentionEmitter &a, const State &state, Value row,
                     KeyRange range) {
  Emitter &b = a.b;
  b.store(b.f32(1), state.decays, {row});
  b.ifThen(b.lessI(range.begin, range.end), [&] {
    auto type = VectorType::get({kLanes}, b.getI32Type());
    auto wide = [&](Value index) {
      return b.splat(arith::IndexCastOp::create(b, b.getI32Type(), index));
    };
    Value begin = wide(range.begin);
    Value end = wide(range.end);
    Value scale = b.lanes(a.shape.scale);
    SmallVector<Value> scores;
    Value largest;
    for (int64_t v = 0; v < a.shape.keyVectors(); ++v) {
      SmallVector<int32_t> numbers;
      for (int64_t lane = 0; lane < kLanes; ++lane)
        numbers.push_back(static_cast<int32_t>(v * kLanes + lane));
      Value key = arith::ConstantOp::create(
          b, DenseElementsAttr::get(type, ArrayRef<int32_t>(numbers)));
      Value seen = arith::AndIOp::create(
          b, arith::CmpIOp::create(b, arith::CmpIPredicate::sge, key, begin),
          arith::CmpIOp::create(b, arith::CmpIPredicate::slt, key, end));
      Value score =
          b.mul(b.loadLanes(state.scores, {row, b.index(v * kLanes)}), scale);
      scores.push_back(b.select(seen, score, b.lanes(-INFINITY)));
      largest = largest ? b.max(largest, scores.back()) : scores.back();
    }
    Value before = b.load(state.maxima, {row});
    Value now = b.max(before, b.reduceMax(largest));
    Value decay = b.exp(b.sub(before, now));
    Value shift = b.splat(now);
    Value total;
    for (int64_t v = 0; v < a.shape.keyVectors(); ++v) {
      Value p = b.exp(b.sub(scores[v], shift));
      total = total ? b.add(total, p) : p;
      b.storeLanes(p, state.scores, {row, b.index(v * kLanes)});
    }
    b.store(now, state.maxima, {row});
    b.store(decay, state.decays, {row});
    b.store(
        b.add(b.mul(b.load(state.weights, {row}), decay), b.reduceAdd(total)),
        state.weights, {row});
  });
}

// Computes a chunk. `lse` is null when it is not needed.
void emitChunk(AttentionEmitter &a, const State &state, Value sequence,
               const Segment &segment, const OpenBlock &open, Value q, Value y,
               Value lse) {
  Emitter &b = a.b;
  a.forRows(segment, [&](Value row, Value token, Value head) {
    a.readHead(q, b.addI(segment.firstToken, token), head, state.queries, row);
    for (int64_t v = 0; v < a.shape.vectors(); ++v)
      b.storeLanes(b.lanes(0), state.sums, {row, b.index(v * kLanes)});
    b.store(b.f32(-INFINITY), state.maxima, {row});
    b.store(b.f32(0), state.weights, {row});
  });
  a.forBlocks(segment, [&](Value block) {
    KeyBlock keys = open(sequence, segment, block);
    a.forTiles(segment, block, [&](const Tile &tile) {
      a.multiplyKeys(tile, state.queries, keys.keys, state.scores);
    });
    a.forRows(segment, [&](Value row, Value token, Value) {
      emitSoftmaxStep(a, state, row, a.visible(segment, block, token));
    });
    a.forTiles(segment, block, [&](const Tile &tile) {
      a.addValues(tile, state.scores, keys.values, state.decays, state.sums);
    });
  });
  a.forRows(segment, [&](Value row, Value token, Value head) {
    Value place = b.addI(segment.firstToken, token);
    Value weight = b.load(state.weights, {row});
    Value divisor = b.splat(weight);
    a.writeHead(state.sums, row, y, place, head,
                [&](Value sum) { return b.div(sum, divisor); });
    if (lse)
      b.store(b.add(b.load(state.maxima, {row}), b.log(weight)), lse,
              {place, head});
  });
}

LogicalResult emitAttention(Kernel &k, nn::AttentionOp::Adaptor op) {
  Value q = op.getQ();
  Value keys = op.getK();
  Value values = op.getV();
  Value positions = op.getPositions();
  Value sequences = op.getSequences();
  int64_t size = columnsOf(q) / static_cast<int64_t>(op.getHeads());
  AttentionEmitter a(
      k.b,
      AttentionShape::of(k.machine, kernels::AttentionHeads::of(op, size)));
  Emitter &b = k.b;
  Panel panel = makePanel(a, keys, positions, sequences);
  OpenBlock open = [&](Value sequence, const Segment &segment, Value block) {
    Value begin = b.subI(segment.firstToken,
                         b.subI(segment.firstPosition, segment.lowestPosition));
    Value number =
        Panel::blockNumber(a, sequence, begin, segment.lowestPosition, block);
    // The token at the block's first position. It is before the sequence when
    // the sequence begins inside the block.
    Value base = b.addI(begin, b.subI(b.mulI(block, b.index(a.shape.block)),
                                      segment.lowestPosition));
    Value head = segment.kvHead;
    return KeyBlock{[&a, panel, number, head](Value element, int64_t v) {
                      return panel.lanes(a, number, head, element, v);
                    },
                    [&a, values, base, head](Value key, int64_t v) {
                      return a.headLanes(values, a.b.addI(base, key), head, v);
                    }};
  };
  State state(a);
  a.forChunks(positions, sequences, /*keysFromBatch=*/true,
              [&](Value sequence, const Segment &segment) {
                emitChunk(a, state, sequence, segment, open, q, k.result(0),
                          k.result(1));
              });
  return success();
}

LogicalResult emitPagedAttention(Kernel &k, nn::PagedAttentionOp::Adaptor op) {
  Value q = op.getQ();
  Value keys = op.getKeyCache();
  Value values = op.getValueCache();
  Value positions = op.getPositions();
  Value sequences = op.getSequences();
  Value pages = op.getPages();
  AttentionEmitter a(
      k.b, AttentionShape::of(
               k.machine, kernels::AttentionHeads::of(op, columnsOf(values))));
  Emitter &b = k.b;
  int64_t size = a.shape.size;
  int64_t blocksInPage = columnsOf(keys) / a.shape.block;
  OpenBlock open = [&](Value sequence, const Segment &segment, Value block) {
    Value page = b.toIndex(
        b.load(pages, {sequence, b.divI(block, b.index(blocksInPage))}));
    Value slot =
        b.mulI(b.remI(block, b.index(blocksInPage)), b.index(a.shape.block));
    Value head = segment.kvHead;
    return KeyBlock{
        [&b, keys, page, slot, head](Value element, int64_t v) {
          return b.loadLanes(
              keys, {page, head, element, b.addI(slot, b.index(v * kLanes))});
        },
        [&b, values, page, slot, head, size](Value key, int64_t v) {
          int64_t rest = size - v * kLanes;
          return loadPart(b, values,
                          {page, head, b.addI(slot, key), b.index(v * kLanes)},
                          rest < kLanes ? b.index(rest) : Value());
        }};
  };
  State state(a);
  a.forChunks(positions, sequences, /*keysFromBatch=*/false,
              [&](Value sequence, const Segment &segment) {
                emitChunk(a, state, sequence, segment, open, q, k.result(0),
                          /*lse=*/Value());
              });
  return success();
}

// Moves bits, not numbers. Sequences are divided among the threads, because a
// page belongs to one of them.
LogicalResult emitCacheWrite(Kernel &k, nn::CacheWriteOp::Adaptor op) {
  Emitter &b = k.b;
  Value keys = op.getK();
  Value values = op.getV();
  Value positions = op.getPositions();
  Value sequences = op.getSequences();
  Value pages = op.getPages();
  Value keyCache = op.getKeyCache();
  Value valueCache = op.getValueCache();
  ArrayRef<int64_t> extents =
      bufferType(valueCache).getShape(); // [pages, kv heads, slots, D]
  Value heads = b.index(extents[1]);
  Value slots = b.index(extents[2]);
  Value size = b.index(extents[3]);
  Value count = b.subI(b.dim(sequences, 0), b.index(1));
  b.parallel(b.mulI(heads, count), [&](Value item) {
    Value head = b.divI(item, count);
    Value sequence = b.remI(item, count);
    Value first = b.mulI(head, size);
    Value begin = b.toIndex(b.load(sequences, {sequence}));
    Value end = b.toIndex(b.load(sequences, {b.addI(sequence, b.index(1))}));
    b.loop(begin, end, 1, [&](Value token) {
      Value position = b.toIndex(b.load(positions, {token}));
      Value page =
          b.toIndex(b.load(pages, {sequence, b.divI(position, slots)}));
      Value slot = b.remI(position, slots);
      b.loop(b.index(0), size, 1, [&](Value element) {
        Value key = memref::LoadOp::create(
            b, keys, ValueRange{token, b.addI(first, element)});
        memref::StoreOp::create(b, key, keyCache,
                                ValueRange{page, head, element, slot});
        Value value = memref::LoadOp::create(
            b, values, ValueRange{token, b.addI(first, element)});
        memref::StoreOp::create(b, value, valueCache,
                                ValueRange{page, head, slot, element});
      });
    });
  });
  return success();
}

} // namespace

void addAttentionKernels(KernelTable &table) {
  table.add<nn::AttentionOp>(emitAttention);
  table.add<nn::PagedAttentionOp>(emitPagedAttention);
  table.add<nn::CacheWriteOp>(emitCacheWrite);
  table.add<nn::AttentionGradOp>(emitAttentionGrad);
}

} // namespace nibble::host
