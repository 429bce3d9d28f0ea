// Gradients of attention. Scores are recomputed by the same chains as in the
// forward pass.
#include "passes/LowerToHost/Attention/AttentionPanel.h"
#include "passes/LowerToHost/Emit/Columns.h"

using namespace mlir;

namespace nibble::host {

namespace {

// The rows of a chunk: [row][element], [row][key of the block] and [row].
struct Rows {
  Value q, dy, dq, p, ds, delta, lse;

  explicit Rows(AttentionEmitter &a) {
    int64_t size = a.shape.paddedSize(), block = a.shape.block;
    q = a.rowsOfThreads(size);
    dy = a.rowsOfThreads(size);
    dq = a.rowsOfThreads(size);
    p = a.rowsOfThreads(block);
    ds = a.rowsOfThreads(block);
    delta = a.rowsOfThreads();
    lse = a.rowsOfThreads();
  }
};

class GradEmitter {
public:
  GradEmitter(Kernel &k, nn::AttentionGradOp::Adaptor op)
      : k(k),
        a(k.b,
          AttentionShape::of(k.machine,
                             kernels::AttentionHeads::of(
                                 op, columnsOf(op.getQ()) /
                                         static_cast<int64_t>(op.getHeads())))),
        b(k.b), dy(op.getDy()), q(op.getQ()), keys(op.getK()),
        values(op.getV()), y(op.getY()), lse(op.getLse()),
        positions(op.getPositions()), sequences(op.getSequences()) {}

  void emit() {
    Panel keyPanel = makePanel(a, keys, positions, sequences);
    Panel valuePanel = makePanel(a, values, positions, sequences);
    auto sums = [&] {
      return b.scratch(
          {a.shape.kvHeads, ShapedType::kDynamic, a.shape.paddedSize()},
          {b.dim(positions, 0)}, b.getF32Type());
    };
    Value dk = sums(), dv = sums();
    Value count = b.subI(b.dim(sequences, 0), b.index(1));
    Rows rows(a);
    // One thread walks all queries of a sequence and head, so that their sum
    // into a key is one chain.
    a.forItems(b.mulI(b.index(a.shape.kvHeads), count), [&](Value item,
                                                            Value firstRow) {
      Value head = b.divI(item, count), sequence = b.remI(item, count);
      Value begin = b.toIndex(b.load(sequences, {sequence}));
      Value end = b.toIndex(b.load(sequences, {b.addI(sequence, b.index(1))}));
      b.ifThen(b.lessI(begin, end), [&] {
        Value lowest = b.toIndex(b.load(positions, {begin}));
        forElements(begin, end, head, [&](Value token, Value column, int64_t) {
          b.storeLanes(b.lanes(0), dk, {head, token, column});
          b.storeLanes(b.lanes(0), dv, {head, token, column});
        });
        b.loop(begin, end, a.shape.chunkTokens, [&](Value first) {
          Segment segment;
          segment.firstToken = first;
          segment.tokens =
              a.minSigned(b.subI(end, first), b.index(a.shape.chunkTokens));
          segment.firstPosition = b.addI(lowest, b.subI(first, begin));
          segment.lowestPosition = lowest;
          segment.kvHead = head;
          segment.firstRow = firstRow;
          emitChunk(segment, sequence, begin, rows, keyPanel, valuePanel, dk,
                    dv);
        });
        emitResults(begin, end, head, dk, k.result(1));
        emitResults(begin, end, head, dv, k.result(2));
      });
    });
  }

private:
  Kernel &k;
  AttentionEmitter a;
  Emitter &b;
  Value dy, q, keys, values, y, lse, positions, sequences;

  void forElements(Value begin, Value end, Value head,
                   function_ref<void(Value, Value, int64_t)> body) {
    b.loop(begin, end, 1, [&](Value token) {
      for (int64_t v = 0; v < a.shape.vectors(); ++v)
        body(token, b.index(v * kLanes), v);
    });
  }

  void emitResults(Value begin, Value end, Value head, Value sums, Value out) {
    forElements(begin, end, head, [&](Value token, Value column, int64_t v) {
      int64_t rest = a.shape.size - v * kLanes;
      storePart(b, b.loadLanes(sums, {head, token, column}), out,
                {token, b.addI(b.mulI(head, b.index(a.shape.size)), column)},
                rest < kLanes ? b.index(rest) : Value());
    });
  }

  // p = exp(s * scale - lse) and ds = p * (dp - delta) * scale for one row. `p`
  // holds s and `ds` holds dp before. In short sequences most lanes hold no key
  // that the row sees.
  void emitRow(const Rows &rows, Value row, KeyRange seen) {
    Value scale = b.lanes(a.shape.scale),
          shift = b.splat(b.load(rows.lse, {row}));
    Value delta = b.splat(b.load(rows.delta, {row}));
    for (int64_t v = 0; v < a.shape.keyVectors(); ++v) {
      Value isSeen =
          arith::AndIOp::create(b, b.lessI(b.index(v * kLanes), seen.end),
                                b.lessI(seen.begin, b.index((v + 1) * kLanes)));
      b.ifThen(isSeen, [&] {
        SmallVector<Value> place = {row, b.index(v * kLanes)};
        Value p = b.exp(b.sub(b.mul(b.loadLanes(rows.p, place), scale), shift));
        b.storeLanes(p, rows.p, place);
        b.storeLanes(
            b.mul(b.mul(p, b.sub(b.loadLanes(rows.ds, place), delta)), scale),
            rows.ds, place);
      });
    }
  }

  void emitChunk(const Segment &segment, Value sequence, Value begin,
                 const Rows &rows, Panel keyPanel, Panel valuePanel, Value dk,
                 Value dv) {
    a.forRows(segment, [&](Value row, Value token, Value head) {
      Value place = b.addI(segment.firstToken, token);
      a.readHead(q, place, head, rows.q, row);
      a.readHead(dy, place, head, rows.dy, row);
      Value products = b.lanes(0);
      for (int64_t v = 0; v < a.shape.vectors(); ++v) {
        SmallVector<Value> at = {row, b.index(v * kLanes)};
        products = b.fma(b.loadLanes(rows.dy, at),
                         a.headLanes(y, place, head, v), products);
        b.storeLanes(b.lanes(0), rows.dq, at);
      }
      b.store(b.reduceAdd(products), rows.delta, {row});
      b.store(b.load(lse, {place, head}), rows.lse, {row});
    });
    a.forBlocks(segment, [&](Value block) {
      Value number =
          Panel::blockNumber(a, sequence, begin, segment.lowestPosition, block);
      Value base = b.addI(begin, b.subI(b.mulI(block, b.index(a.shape.block)),
                                        segment.lowestPosition));
      auto lanesOf = [&](Panel panel) {
        return [this, panel, number, &segment](Value element, int64_t v) {
          return panel.lanes(a, number, segment.kvHead, element, v);
        };
      };
      auto place = [&](Value key) {
        return SmallVector<Value>{segment.kvHead, b.addI(base, key),
                                  b.index(0)};
      };
      a.forTiles(segment, block, [&](const Tile &tile) {
        a.multiplyKeys(tile, rows.q, lanesOf(keyPanel), rows.p);
      });
      a.forTiles(segment, block, [&](const Tile &tile) {
        a.multiplyKeys(tile, rows.dy, lanesOf(valuePanel), rows.ds);
      });
      a.forRows(segment, [&](Value row, Value token, Value) {
        emitRow(rows, row, a.visible(segment, block, token));
      });
      a.forTiles(segment, block, [&](const Tile &tile) {
        auto key = [&](Value key, int64_t v) {
          return a.headLanes(keys, b.addI(base, key), segment.kvHead, v);
        };
        a.addValues(tile, rows.ds, key, /*factors=*/Value(), rows.dq);
      });
      a.forTiles(segment, block, [&](const Tile &tile) {
        a.addToKeys(tile, rows.ds, rows.q, dk, place);
      });
      a.forTiles(segment, block, [&](const Tile &tile) {
        a.addToKeys(tile, rows.p, rows.dy, dv, place);
      });
    });
    a.forRows(segment, [&](Value row, Value token, Value head) {
      a.writeHead(rows.dq, row, k.result(0), b.addI(segment.firstToken, token),
                  head, [](Value sum) { return sum; });
    });
  }
};

} // namespace

LogicalResult emitAttentionGrad(Kernel &k, nn::AttentionGradOp::Adaptor op) {
  GradEmitter(k, op).emit();
  return success();
}

} // namespace nibble::host
