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
    int64_t size = a.shape.paddedSize();
    int64_t block = a.shape.block;
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
      : k_(k),
        a_(k.b, AttentionShape::of(k.machine, kernels::AttentionHeads::of(
                                                  op, columnsOf(op.getQ()) /
                                                          static_cast<int64_t>(
                                                              op.getHeads())))),
        b_(k.b), dy_(op.getDy()), q_(op.getQ()), keys_(op.getK()),
        values_(op.getV()), y_(op.getY()), lse_(op.getLse()),
        positions_(op.getPositions()), sequences_(op.getSequences()) {}

  void emit() {
    Panel keyPanel = makePanel(a_, keys_, positions_, sequences_);
    Panel valuePanel = makePanel(a_, values_, positions_, sequences_);
    auto sums = [&] {
      return b_.scratch(
          {a_.shape.kvHeads, ShapedType::kDynamic, a_.shape.paddedSize()},
          {b_.dim(positions_, 0)}, b_.getF32Type());
    };
    Value dk = sums(), dv = sums();
    Value count = b_.subI(b_.dim(sequences_, 0), b_.index(1));
    Rows rows(a_);
    // One thread walks all queries of a sequence and head, so that their sum
    // into a key is one chain.
    a_.forItems(
        b_.mulI(b_.index(a_.shape.kvHeads), count),
        [&](Value item, Value firstRow) {
          Value head = b_.divI(item, count);
          Value sequence = b_.remI(item, count);
          Value begin = b_.toIndex(b_.load(sequences_, {sequence}));
          Value end =
              b_.toIndex(b_.load(sequences_, {b_.addI(sequence, b_.index(1))}));
          b_.ifThen(b_.lessI(begin, end), [&] {
            Value lowest = b_.toIndex(b_.load(positions_, {begin}));
            forElements(begin, end, head,
                        [&](Value token, Value column, int64_t) {
                          b_.storeLanes(b_.lanes(0), dk, {head, token, column});
                          b_.storeLanes(b_.lanes(0), dv, {head, token, column});
                        });
            b_.loop(begin, end, a_.shape.chunkTokens, [&](Value first) {
              Segment segment;
              segment.firstToken = first;
              segment.tokens = a_.minSigned(b_.subI(end, first),
                                            b_.index(a_.shape.chunkTokens));
              segment.firstPosition = b_.addI(lowest, b_.subI(first, begin));
              segment.lowestPosition = lowest;
              segment.kvHead = head;
              segment.firstRow = firstRow;
              emitChunk(segment, sequence, begin, rows, keyPanel, valuePanel,
                        dk, dv);
            });
            emitResults(begin, end, head, dk, k_.result(1));
            emitResults(begin, end, head, dv, k_.result(2));
          });
        });
  }

private:
  Kernel &k_;
  AttentionEmitter a_;
  Emitter &b_;
  Value dy_, q_, keys_, values_, y_, lse_, positions_, sequences_;

  void forElements(Value begin, Value end, Value head,
                   function_ref<void(Value, Value, int64_t)> body) {
    b_.loop(begin, end, 1, [&](Value token) {
      for (int64_t v = 0; v < a_.shape.vectors(); ++v)
        body(token, b_.index(v * kLanes), v);
    });
  }

  void emitResults(Value begin, Value end, Value head, Value sums, Value out) {
    forElements(begin, end, head, [&](Value token, Value column, int64_t v) {
      int64_t rest = a_.shape.size - v * kLanes;
      storePart(
          b_, b_.loadLanes(sums, {head, token, column}), out,
          {token, b_.addI(b_.mulI(head, b_.index(a_.shape.size)), column)},
          rest < kLanes ? b_.index(rest) : Value());
    });
  }

  // p = exp(s * scale - lse) and ds = p * (dp - delta) * scale for one row. `p`
  // holds s and `ds` holds dp before. In short sequences most lanes hold no key
  // that the row sees.
  void emitRow(const Rows &rows, Value row, KeyRange seen) {
    Value scale = b_.lanes(a_.shape.scale);
    Value shift = b_.splat(b_.load(rows.lse, {row}));
    Value delta = b_.splat(b_.load(rows.delta, {row}));
    for (int64_t v = 0; v < a_.shape.keyVectors(); ++v) {
      Value isSeen = arith::AndIOp::create(
          b_, b_.lessI(b_.index(v * kLanes), seen.end),
          b_.lessI(seen.begin, b_.index((v + 1) * kLanes)));
      b_.ifThen(isSeen, [&] {
        SmallVector<Value> place = {row, b_.index(v * kLanes)};
        Value p =
            b_.exp(b_.sub(b_.mul(b_.loadLanes(rows.p, place), scale), shift));
        b_.storeLanes(p, rows.p, place);
        b_.storeLanes(
            b_.mul(b_.mul(p, b_.sub(b_.loadLanes(rows.ds, place), delta)),
                   scale),
            rows.ds, place);
      });
    }
  }

  void emitChunk(const Segment &segment, Value sequence, Value begin,
                 const Rows &rows, Panel keyPanel, Panel valuePanel, Value dk,
                 Value dv) {
    a_.forRows(segment, [&](Value row, Value token, Value head) {
      Value place = b_.addI(segment.firstToken, token);
      a_.readHead(q_, place, head, rows.q, row);
      a_.readHead(dy_, place, head, rows.dy, row);
      Value products = b_.lanes(0);
      for (int64_t v = 0; v < a_.shape.vectors(); ++v) {
        SmallVector<Value> at = {row, b_.index(v * kLanes)};
        products = b_.fma(b_.loadLanes(rows.dy, at),
                          a_.headLanes(y_, place, head, v), products);
        b_.storeLanes(b_.lanes(0), rows.dq, at);
      }
      b_.store(b_.reduceAdd(products), rows.delta, {row});
      b_.store(b_.load(lse_, {place, head}), rows.lse, {row});
    });
    a_.forBlocks(segment, [&](Value block) {
      Value number = Panel::blockNumber(a_, sequence, begin,
                                        segment.lowestPosition, block);
      Value base =
          b_.addI(begin, b_.subI(b_.mulI(block, b_.index(a_.shape.block)),
                                 segment.lowestPosition));
      auto lanesOf = [&](Panel panel) {
        return [this, panel, number, &segment](Value element, int64_t v) {
          return panel.lanes(a_, number, segment.kvHead, element, v);
        };
      };
      auto place = [&](Value key) {
        return SmallVector<Value>{segment.kvHead, b_.addI(base, key),
                                  b_.index(0)};
      };
      a_.forTiles(segment, block, [&](const Tile &tile) {
        a_.multiplyKeys(tile, rows.q, lanesOf(keyPanel), rows.p);
      });
      a_.forTiles(segment, block, [&](const Tile &tile) {
        a_.multiplyKeys(tile, rows.dy, lanesOf(valuePanel), rows.ds);
      });
      a_.forRows(segment, [&](Value row, Value token, Value) {
        emitRow(rows, row, a_.visible(segment, block, token));
      });
      a_.forTiles(segment, block, [&](const Tile &tile) {
        auto key = [&](Value key, int64_t v) {
          return a_.headLanes(keys_, b_.addI(base, key), segment.kvHead, v);
        };
        a_.addValues(tile, rows.ds, key, /*factors=*/Value(), rows.dq);
      });
      a_.forTiles(segment, block, [&](const Tile &tile) {
        a_.addToKeys(tile, rows.ds, rows.q, dk, place);
      });
      a_.forTiles(segment, block, [&](const Tile &tile) {
        a_.addToKeys(tile, rows.p, rows.dy, dv, place);
      });
    });
    a_.forRows(segment, [&](Value row, Value token, Value head) {
      a_.writeHead(rows.dq, row, k_.result(0),
                   b_.addI(segment.firstToken, token), head,
                   [](Value sum) { return sum; });
    });
  }
};

} // namespace

LogicalResult emitAttentionGrad(Kernel &k, nn::AttentionGradOp::Adaptor op) {
  GradEmitter(k, op).emit();
  return success();
}

} // namespace nibble::host
