// The kernel of nn.rope_cache_write: norm and rotation of queries and keys, and
// storing of keys and values in their pages.
#include "passes/Kernels/Formulas.h"
#include "passes/LowerToDevice/Attention/CacheWrite.h"
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Rows/NormRows.h"

using namespace mlir;

namespace nibble::device {

namespace {

// Tokens of a block, one per warp: neighbouring slots of a key's element are
// written together.
constexpr int64_t kTokens = 16;
constexpr int64_t kThreads = 32 * kTokens;

// The facts of the op that decide the code.
struct Shape {
  int64_t heads, kvHeads, size, slots; // size: of a head; slots: of a page
  bool normed;
  NormRows norm;

  int64_t half() const { return size / 2; }
  // Neighbouring pairs per lane: as many as possible such that every lane has
  // some, if the head is large enough.
  int64_t width() const {
    int64_t width = 1;
    while (width < 8 && half() % (2 * width) == 0 && half() / (2 * width) >= 32)
      width *= 2;
    return width;
  }
  int64_t pieces() const { return half() / width(); }
  // Elements between the tokens of the key tile. Rows are aligned and use
  // different banks.
  int64_t stride() const { return size + std::max<int64_t>(width(), 2); }
  int64_t tileBytes() const { return (kTokens * stride() * 2 + 7) / 8 * 8; }
};

// Arguments in the order of the launch.
struct Buffers {
  Value q, k, v, cos, sin, positions, sequences, pages, rotated, keyCache,
      valueCache, tokens, sequenceCount, pageColumns, normQ, normK;

  explicit Buffers(Emitter &b, ValueRange a)
      : q(a[0]), k(a[1]), v(a[2]), cos(a[3]), sin(a[4]), positions(a[5]),
        sequences(a[6]), pages(a[7]), rotated(a[8]), keyCache(a[9]),
        valueCache(a[10]), tokens(a[11]), sequenceCount(b.subI(a[12], 1)),
        pageColumns(a[13]) {
    if (a.size() > 14) {
      normQ = a[14];
      normK = a[15];
    }
  }
};

// The code of one warp for one head of one token.
class Row {
public:
  Row(Emitter &b, const Shape &shape, const Buffers &buffers, Value token)
      : b(b), shape(shape), buffers(buffers), token(token),
        element(shape.norm.element) {}

  // Position in a cache: the head among all pages (page * kvHeads + head), and
  // the slot in it.
  struct Place {
    Value head, slot; // i64, i32
  };
  // The token's sequence is the last one that begins at or before it. The lanes
  // count those together.
  Place place(Value head) {
    Type i32 = b.getI32Type();
    Value begun = b.loop(
        b.lane(), buffers.sequenceCount, b.i32(32), {b.i32(0)},
        [&](Value s, ValueRange count) -> SmallVector<Value> {
          Value before =
              b.lessEqual(b.load(b.at(buffers.sequences, i32, s), i32), token);
          return {b.addI(count[0], b.select(before, b.i32(1), b.i32(0)))};
        })[0];
    for (int64_t mask : {16, 8, 4, 2, 1})
      begun = b.addI(begun, b.shuffleXor(begun, mask));
    Value position = b.load(b.at(buffers.positions, i32, token), i32);
    Value entry = b.place(b.subI(begun, 1), buffers.pageColumns,
                          b.divI(position, shape.slots));
    Value page = b.load(b.at(buffers.pages, i32, entry), i32);
    return {b.addI(b.mulI(b.wide(page), shape.kvHeads), b.wide(head)),
            b.remI(position, shape.slots)};
  }

  // Rotates the head, after its norm if there is one. store(column, values)
  // gets rounded values. All loads come before the sum of the norm.
  void rotate(Value x, int64_t heads, Value head, Value weight,
              llvm::function_ref<void(Value, Value)> store) {
    Value row = b.addI(b.mulI(token, heads), head);
    SmallVector<Pair> pairs;
    for (int64_t first = 0; first < shape.pieces(); first += 32)
      pairs.push_back(load(x, row, weight, first));
    Value r;
    if (shape.normed)
      r = b.splat(shape.norm.reciprocalRoot(b, shape.norm.hold(b, x, row)),
                  shape.width());
    for (const Pair &pair : pairs) {
      Value p = pair.low, q = pair.high;
      if (shape.normed) {
        p = shape.norm.scaled(b, p, r, pair.weightLow);
        q = shape.norm.scaled(b, q, r, pair.weightHigh);
      }
      auto both = [&] {
        store(
            pair.column,
            b.round(kernels::rotatedLow(b, p, q, pair.cos, pair.sin), element));
        store(b.addI(pair.column, shape.half()),
              b.round(kernels::rotatedHigh(b, p, q, pair.cos, pair.sin),
                      element));
      };
      pair.inside ? b.ifThen(pair.inside, both) : both();
    }
  }

private:
  struct Pair {
    Value column, inside; // inside: null when every lane has a pair
    Value low, high, cos, sin, weightLow, weightHigh;
  };

  // A lane without a pair reads the last pair and does not store it.
  Pair load(Value x, Value row, Value weight, int64_t first) {
    int64_t width = shape.width();
    Pair pair;
    Value piece = b.addI(b.lane(), first);
    if (first + 32 > shape.pieces()) {
      pair.inside = b.less(piece, shape.pieces());
      piece = b.minI(piece, b.i32(shape.pieces() - 1));
    }
    pair.column = b.mulI(piece, width);
    Value low = b.place(row, shape.size, pair.column),
          angle = b.place(token, shape.half(), pair.column);
    pair.low = loadFloats(b, x, element, low, width);
    pair.high = loadFloats(b, x, element, b.addI(low, shape.half()), width);
    pair.cos = loadFloats(b, buffers.cos, b.getF32Type(), angle, width);
    pair.sin = loadFloats(b, buffers.sin, b.getF32Type(), angle, width);
    if (weight) {
      pair.weightLow = loadFloats(b, weight, element, pair.column, width);
      pair.weightHigh = loadFloats(b, weight, element,
                                   b.addI(pair.column, shape.half()), width);
    }
    return pair;
  }

  Emitter &b;
  const Shape &shape;
  const Buffers &buffers;
  Value token;
  Type element;
};

// One block: a head of queries, keys or values for kTokens tokens.
class Block {
public:
  Block(Emitter &b, const Shape &shape, ValueRange arguments)
      : b(b), shape(shape), buffers(b, arguments),
        firstToken(b.mulI(b.block(0), kTokens)),
        token(b.addI(firstToken, b.warp())),
        inside(b.less(token, buffers.tokens)), row(b, shape, buffers, token),
        bits(b.getI16Type()) {}

  void write() {
    Value head = b.block(1), key = b.subI(head, shape.heads),
          value = b.subI(key, shape.kvHeads);
    b.ifThenElse(
        b.less(head, shape.heads),
        [&] { b.ifThen(inside, [&] { queries(head); }); },
        [&] {
          b.ifThenElse(
              b.less(key, shape.kvHeads), [&] { keys(key); },
              [&] { b.ifThen(inside, [&] { values(value); }); });
        });
  }

private:
  void queries(Value head) {
    row.rotate(buffers.q, shape.heads, head, buffers.normQ,
               [&](Value column, Value rotated) {
                 Value at = b.place(b.addI(b.mulI(token, shape.heads), head),
                                    shape.size, column);
                 b.store(rotated,
                         b.at(buffers.rotated, shape.norm.element, at));
               });
  }

  // Transposes through shared memory so that lanes correspond to slots at the
  // write: the slots of an element are neighbours in the cache.
  void keys(Value head) {
    Type i64 = b.getI64Type();
    Value tile = b.sharedMemory(0), places = b.sharedMemory(shape.tileBytes());
    b.ifThen(inside, [&] {
      Row::Place place = row.place(head);
      Value first =
          b.place(b.mulI(place.head, shape.size), shape.slots, place.slot);
      b.ifThen(b.equal(b.lane(), 0),
               [&] { b.store(first, b.at(places, i64, b.warp())); });
      row.rotate(buffers.k, shape.kvHeads, head, buffers.normK,
                 [&](Value column, Value rotated) {
                   b.store(
                       rotated,
                       b.at(tile, shape.norm.element,
                            b.addI(b.mulI(b.warp(), shape.stride()), column)));
                 });
    });
    b.barrier();
    Value own = b.remI(b.thread(), kTokens);
    b.ifThen(b.less(b.addI(firstToken, own), buffers.tokens), [&] {
      Value first = b.load(b.at(places, i64, own), i64);
      b.loop(
          b.divI(b.thread(), kTokens), b.i32(shape.size), kThreads / kTokens,
          [&](Value element) {
            Value key = b.load(
                b.at(tile, bits, b.addI(b.mulI(own, shape.stride()), element)),
                bits);
            b.store(key,
                    b.at(buffers.keyCache, bits,
                         b.addI(first, b.wide(b.mulI(element, shape.slots)))));
          });
    });
  }

  void values(Value head) {
    int64_t width = accessWidth(shape.size, bits);
    Type chunk = b.vectorOf(bits, width);
    Row::Place place = row.place(head);
    b.loop(b.mulI(b.lane(), width), b.i32(shape.size), 32 * width,
           [&](Value column) {
             Value from = b.place(b.addI(b.mulI(token, shape.kvHeads), head),
                                  shape.size, column);
             Value to = b.place(b.place(place.head, shape.slots, place.slot),
                                shape.size, column);
             b.store(b.load(b.at(buffers.v, bits, from), chunk),
                     b.at(buffers.valueCache, bits, to));
           });
  }

  Emitter &b;
  const Shape &shape;
  Buffers buffers;
  Value firstToken, token, inside;
  Row row;
  Type bits;
};

LogicalResult emitRopeCacheWrite(Kernel &k, nn::RopeCacheWriteOp::Adaptor op) {
  Value q = op.getQ();
  Value sequences = op.getSequences();
  Value pages = op.getPages();
  SmallVector<Value> activations = {q, op.getK(), op.getV()};
  llvm::append_range(activations, op.getNorms());
  for (Value operand : activations)
    if (failed(checkActivations(k, operand)))
      return failure();
  ArrayRef<int64_t> cache = cast<MemRefType>(op.getKeyCache().getType())
                                .getShape(); // [pages, kv heads, size, slots]
  bool normed = !op.getNorms().empty();
  Shape shape{
      columnsOf(q) / cache[2],
      cache[1],
      cache[2],
      cache[3],
      normed,
      NormRows(cache[2], elementOf(q), op.getEpsilon().convertToDouble())};
  LaunchSpec spec;
  spec.key = "rope_cache_write";
  for (int64_t extent : {shape.heads, shape.kvHeads, shape.size, shape.slots})
    spec.key += "_" + std::to_string(extent);
  if (normed)
    spec.key += "_norm_" + bitsText(shape.norm.epsilon);
  spec.threads = kThreads;
  spec.sharedBytes = shape.tileBytes() + kTokens * 8;
  Value tokens = k.extent(q, 0);
  spec.grid = {k.ceilDiv(tokens, kTokens),
               k.index(shape.heads + 2 * shape.kvHeads)};
  spec.arguments = {q,           op.getK(),         op.getV(), op.getCos(),
                    op.getSin(), op.getPositions(), sequences, pages};
  llvm::append_range(spec.arguments, k.outputs);
  spec.arguments.append({tokens, k.extent(sequences, 0), k.extent(pages, 1)});
  llvm::append_range(spec.arguments, op.getNorms());
  countCacheWrite(k, spec, tokens, shape.kvHeads * shape.size,
                  {op.getKeyCache(), op.getValueCache()}, sequences, pages);
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Block(b, shape, arguments).write();
  });
  return success();
}

} // namespace

void addRopeCacheWriteKernels(KernelTable &table) {
  table.add<nn::RopeCacheWriteOp>(emitRopeCacheWrite);
}

} // namespace nibble::device
