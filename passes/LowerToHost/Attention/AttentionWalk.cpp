// Divides a ragged batch into chunks, blocks and tiles for the attention
// kernels.
#include "passes/LowerToHost/Attention/AttentionTile.h"
#include "passes/LowerToHost/Emit/Chunks.h"
#include "passes/LowerToHost/Emit/Columns.h"

using namespace mlir;

namespace nibble::host {

// Query heads of a group share keys, so a tile consists of heads first. A small
// group adds neighbouring tokens, up to `rows` rows.
static std::pair<int64_t, int64_t> tileOf(int64_t group, int64_t rows) {
  if (group <= rows)
    return {rows / group, group};
  int64_t heads = rows;
  while (group % heads != 0)
    --heads;
  return {1, heads};
}

AttentionShape AttentionShape::of(const CpuTarget &machine,
                                  const kernels::AttentionHeads &heads) {
  AttentionShape shape;
  static_cast<kernels::AttentionHeads &>(shape) = heads;
  // Thirty-two rows of queries and sums fit in the first-level cache beside a
  // block of keys.
  shape.chunkTokens = std::max<int64_t>(1, 32 / shape.group);
  // Half of the registers, counted in sixteen lanes. Eight rows halve the loads
  // and widenings of four; more rows gain little.
  shape.accumulators = std::max<int64_t>(
      1, machine.vectorRegisters * machine.vectorFloats / kLanes / 2);
  std::tie(shape.tileTokens, shape.tileHeads) =
      tileOf(shape.group, std::min<int64_t>(8, shape.accumulators));
  return shape;
}

AttentionEmitter::AttentionEmitter(Emitter &b, const AttentionShape &shape)
    : b(b), shape(shape), workers(countThreads(b)) {}

Value AttentionEmitter::rowsOfThreads(int64_t columns) {
  SmallVector<int64_t> extents = {ShapedType::kDynamic};
  if (columns > 0)
    extents.push_back(columns);
  return b.scratch(extents, {b.mulI(workers, b.index(shape.rows()))},
                   b.getF32Type());
}

void AttentionEmitter::forItems(Value count,
                                function_ref<void(Value, Value)> body) {
  b.parallel(workers, [&](Value worker) {
    Value from = b.divI(b.mulI(count, worker), workers);
    Value to = b.divI(b.mulI(count, b.addI(worker, b.index(1))), workers);
    Value firstRow = b.mulI(worker, b.index(shape.rows()));
    b.loop(from, to, 1, [&](Value item) { body(item, firstRow); });
  });
}

Value AttentionEmitter::minSigned(Value x, Value y) {
  return arith::MinSIOp::create(b, x, y);
}

void AttentionEmitter::forChunks(
    Value positions, Value sequences, bool keysFromBatch,
    function_ref<void(Value, const Segment &)> body) {
  Value tokens = b.dim(positions, 0);
  Value count = b.subI(b.dim(sequences, 0), b.index(1));
  Value chunks = b.ceilDivI(tokens, shape.chunkTokens);
  forItems(b.mulI(b.index(shape.kvHeads), chunks), [&](Value item,
                                                       Value firstRow) {
    Value head = b.divI(item, chunks);
    Value turn = b.remI(item, chunks);
    // 0, last, 1, last but one, ...: later tokens see more keys, so this
    // balances the work.
    Value half = b.divI(turn, b.index(2));
    Value odd = b.equal(b.remI(turn, b.index(2)), b.index(1));
    Value chunk = b.select(odd, b.subI(b.subI(chunks, b.index(1)), half), half);
    Value from = b.mulI(chunk, b.index(shape.chunkTokens));
    Value to = minSigned(tokens, b.addI(from, b.index(shape.chunkTokens)));
    b.loop(b.index(0), count, 1, [&](Value sequence) {
      Value begin = b.toIndex(b.load(sequences, {sequence}));
      Value end = b.toIndex(b.load(sequences, {b.addI(sequence, b.index(1))}));
      Value first = b.maxI(begin, from);
      Value last = minSigned(end, to);
      b.ifThen(b.lessI(first, last), [&] {
        Segment segment;
        segment.firstToken = first;
        segment.tokens = b.subI(last, first);
        segment.firstPosition = b.toIndex(b.load(positions, {first}));
        segment.lowestPosition =
            keysFromBatch ? b.subI(segment.firstPosition, b.subI(first, begin))
                          : b.index(0);
        segment.kvHead = head;
        segment.firstRow = firstRow;
        body(sequence, segment);
      });
    });
  });
}

void AttentionEmitter::forRows(const Segment &segment,
                               function_ref<void(Value, Value, Value)> body) {
  b.loop(b.index(0), segment.tokens, 1, [&](Value token) {
    b.loop(b.index(0), b.index(shape.group), 1, [&](Value g) {
      Value row = b.addI(segment.firstRow,
                         b.addI(b.mulI(token, b.index(shape.group)), g));
      body(row, token, b.addI(b.mulI(segment.kvHead, b.index(shape.group)), g));
    });
  });
}

// The lowest position that the token at `position` sees.
static Value lowestSeen(AttentionEmitter &a, const Segment &segment,
                        Value position) {
  if (a.shape.window == 0)
    return segment.lowestPosition;
  return a.b.maxI(segment.lowestPosition,
                  a.b.subI(position, a.b.index(a.shape.window - 1)));
}

void AttentionEmitter::forBlocks(const Segment &segment,
                                 function_ref<void(Value)> body) {
  Value first = b.divI(lowestSeen(*this, segment, segment.firstPosition),
                       b.index(shape.block));
  Value end =
      b.ceilDivI(b.addI(segment.firstPosition, segment.tokens), shape.block);
  b.loop(first, end, 1, body);
}

KeyRange AttentionEmitter::visible(const Segment &segment, Value block,
                                   Value token) {
  Value base = b.mulI(block, b.index(shape.block));
  Value position = b.addI(segment.firstPosition, token);
  auto inBlock = [&](Value place) {
    return minSigned(b.maxI(b.subI(place, base), b.index(0)),
                     b.index(shape.block));
  };
  return {inBlock(lowestSeen(*this, segment, position)),
          inBlock(b.addI(position, b.index(1)))};
}

// The ranges of later tokens begin and end later, so all rows see what lies
// between the last beginning and the first end. If that is empty, both ends are
// the last beginning, and each row's own parts before and after it are its
// whole range.
Tile AttentionEmitter::makeTile(const Segment &segment, Value block,
                                int64_t tokens, Value firstToken,
                                Value firstHead) {
  Tile tile{tokens, shape.tileHeads, firstToken, firstHead, {}, {}, {}};
  for (int64_t t = 0; t < tokens; ++t) {
    Value token = b.addI(firstToken, b.index(t));
    KeyRange range = visible(segment, block, token);
    for (int64_t h = 0; h < shape.tileHeads; ++h) {
      Value row = b.addI(b.mulI(token, b.index(shape.group)),
                         b.addI(firstHead, b.index(h)));
      tile.rows.push_back(b.addI(segment.firstRow, row));
      tile.visible.push_back(range);
    }
  }
  Value begin = tile.visible.back().begin;
  tile.common = {begin, b.maxI(begin, tile.visible.front().end)};
  return tile;
}

void AttentionEmitter::forTiles(const Segment &segment, Value block,
                                function_ref<void(const Tile &)> body) {
  auto tilesOf = [&](Value from, Value to, int64_t tokens) {
    b.loop(from, to, tokens, [&](Value firstToken) {
      // Some row sees the block: the last row reaches it, and the first row's
      // window has not passed it.
      Value reaches =
          visible(segment, block, b.addI(firstToken, b.index(tokens - 1))).end;
      Value leaves = visible(segment, block, firstToken).begin;
      Value seen = arith::AndIOp::create(b, b.lessI(b.index(0), reaches),
                                         b.lessI(leaves, b.index(shape.block)));
      b.ifThen(seen, [&] {
        b.loop(b.index(0), b.index(shape.group), shape.tileHeads,
               [&](Value firstHead) {
                 body(makeTile(segment, block, tokens, firstToken, firstHead));
               });
      });
    });
  };
  Value whole = b.mulI(b.divI(segment.tokens, b.index(shape.tileTokens)),
                       b.index(shape.tileTokens));
  tilesOf(b.index(0), whole, shape.tileTokens);
  if (shape.tileTokens > 1)
    tilesOf(whole, segment.tokens, 1);
}

// Position of vector `vector` of a head in a token's row, and the number of its
// lanes; null for all.
static std::pair<SmallVector<Value>, Value>
headPlace(AttentionEmitter &a, Value token, Value head, int64_t vector) {
  Emitter &b = a.b;
  Value column =
      b.addI(b.mulI(head, b.index(a.shape.size)), b.index(vector * kLanes));
  int64_t rest = a.shape.size - vector * kLanes;
  return {{token, column}, rest < kLanes ? b.index(rest) : Value()};
}

Value AttentionEmitter::headLanes(Value source, Value token, Value head,
                                  int64_t vector) {
  auto [place, count] = headPlace(*this, token, head, vector);
  return loadPart(b, source, place, count);
}

void AttentionEmitter::readHead(Value source, Value token, Value head,
                                Value target, Value row) {
  for (int64_t v = 0; v < shape.vectors(); ++v)
    b.storeLanes(headLanes(source, token, head, v), target,
                 {row, b.index(v * kLanes)});
}

void AttentionEmitter::writeHead(Value source, Value row, Value target,
                                 Value token, Value head,
                                 function_ref<Value(Value)> map) {
  for (int64_t v = 0; v < shape.vectors(); ++v) {
    auto [place, count] = headPlace(*this, token, head, v);
    storePart(b, map(b.loadLanes(source, {row, b.index(v * kLanes)})), target,
              place, count);
  }
}

} // namespace nibble::host
