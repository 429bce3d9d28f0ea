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
constexpr int64_t kBlockThreads = 32 * kTokens;

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
      : b_(b), shape_(shape), buffers_(buffers), token_(token),
        element_(shape.norm.element) {}

  // Position in a cache: the head among all pages (page * kvHeads + head), and
  // the slot in it.
  struct Place {
    Value head, slot; // i64, i32
  };
  // The token's sequence is the last one that begins at or before it. The lanes
  // count those together.
  Place place(Value head) {
    Type i32 = b_.getI32Type();
    Value begun = b_.loop(
        b_.lane(), buffers_.sequenceCount, b_.i32(32), {b_.i32(0)},
        [&](Value s, ValueRange count) -> SmallVector<Value> {
          Value before = b_.lessEqual(
              b_.load(b_.at(buffers_.sequences, i32, s), i32), token_);
          return {b_.addI(count[0], b_.select(before, b_.i32(1), b_.i32(0)))};
        })[0];
    for (int64_t mask : {16, 8, 4, 2, 1})
      begun = b_.addI(begun, b_.shuffleXor(begun, mask));
    Value position = b_.load(b_.at(buffers_.positions, i32, token_), i32);
    Value entry = b_.place(b_.subI(begun, 1), buffers_.pageColumns,
                           b_.divI(position, shape_.slots));
    Value page = b_.load(b_.at(buffers_.pages, i32, entry), i32);
    return {b_.addI(b_.mulI(b_.wide(page), shape_.kvHeads), b_.wide(head)),
            b_.remI(position, shape_.slots)};
  }

  // Rotates the head, after its norm if there is one. store(column, values)
  // gets rounded values. All loads come before the sum of the norm.
  void rotate(Value x, int64_t heads, Value head, Value weight,
              llvm::function_ref<void(Value, Value)> store) {
    Value row = b_.addI(b_.mulI(token_, heads), head);
    SmallVector<Pair> pairs;
    for (int64_t first = 0; first < shape_.pieces(); first += 32)
      pairs.push_back(load(x, row, weight, first));
    Value r;
    if (shape_.normed)
      r = b_.splat(shape_.norm.reciprocalRoot(b_, shape_.norm.hold(b_, x, row)),
                   shape_.width());
    for (const Pair &pair : pairs) {
      Value p = pair.low;
      Value q = pair.high;
      if (shape_.normed) {
        p = shape_.norm.scaled(b_, p, r, pair.weightLow);
        q = shape_.norm.scaled(b_, q, r, pair.weightHigh);
      }
      auto both = [&] {
        store(pair.column,
              b_.round(kernels::rotatedLow(b_, p, q, pair.cos, pair.sin),
                       element_));
        store(b_.addI(pair.column, shape_.half()),
              b_.round(kernels::rotatedHigh(b_, p, q, pair.cos, pair.sin),
                       element_));
      };
      pair.inside ? b_.ifThen(pair.inside, both) : both();
    }
  }

private:
  struct Pair {
    Value column, inside; // inside: null when every lane has a pair
    Value low, high, cos, sin, weightLow, weightHigh;
  };

  // A lane without a pair reads the last pair and does not store it.
  Pair load(Value x, Value row, Value weight, int64_t first) {
    int64_t width = shape_.width();
    Pair pair;
    Value piece = b_.addI(b_.lane(), first);
    if (first + 32 > shape_.pieces()) {
      pair.inside = b_.less(piece, shape_.pieces());
      piece = b_.minI(piece, b_.i32(shape_.pieces() - 1));
    }
    pair.column = b_.mulI(piece, width);
    Value low = b_.place(row, shape_.size, pair.column);
    Value angle = b_.place(token_, shape_.half(), pair.column);
    pair.low = loadFloats(b_, x, element_, low, width);
    pair.high = loadFloats(b_, x, element_, b_.addI(low, shape_.half()), width);
    pair.cos = loadFloats(b_, buffers_.cos, b_.getF32Type(), angle, width);
    pair.sin = loadFloats(b_, buffers_.sin, b_.getF32Type(), angle, width);
    if (weight) {
      pair.weightLow = loadFloats(b_, weight, element_, pair.column, width);
      pair.weightHigh = loadFloats(b_, weight, element_,
                                   b_.addI(pair.column, shape_.half()), width);
    }
    return pair;
  }

  Emitter &b_;
  const Shape &shape_;
  const Buffers &buffers_;
  Value token_;
  Type element_;
};

// One block: a head of queries, keys or values for kTokens tokens.
class Block {
public:
  Block(Emitter &b, const Shape &shape, ValueRange arguments)
      : b_(b), shape_(shape), buffers_(b, arguments),
        firstToken_(b.mulI(b.block(0), kTokens)),
        token_(b.addI(firstToken_, b.warp())),
        inside_(b.less(token_, buffers_.tokens)),
        row_(b, shape, buffers_, token_), bits_(b.getI16Type()) {}

  void write() {
    Value head = b_.block(1);
    Value key = b_.subI(head, shape_.heads);
    Value value = b_.subI(key, shape_.kvHeads);
    b_.ifThenElse(
        b_.less(head, shape_.heads),
        [&] { b_.ifThen(inside_, [&] { queries(head); }); },
        [&] {
          b_.ifThenElse(
              b_.less(key, shape_.kvHeads), [&] { keys(key); },
              [&] { b_.ifThen(inside_, [&] { values(value); }); });
        });
  }

private:
  void queries(Value head) {
    row_.rotate(
        buffers_.q, shape_.heads, head, buffers_.normQ,
        [&](Value column, Value rotated) {
          Value at = b_.place(b_.addI(b_.mulI(token_, shape_.heads), head),
                              shape_.size, column);
          b_.store(rotated, b_.at(buffers_.rotated, shape_.norm.element, at));
        });
  }

  // Transposes through shared memory so that lanes correspond to slots at the
  // write: the slots of an element are neighbours in the cache.
  void keys(Value head) {
    Type i64 = b_.getI64Type();
    Value tile = b_.sharedMemory(0);
    Value places = b_.sharedMemory(shape_.tileBytes());
    b_.ifThen(inside_, [&] {
      Row::Place place = row_.place(head);
      Value first =
          b_.place(b_.mulI(place.head, shape_.size), shape_.slots, place.slot);
      b_.ifThen(b_.equal(b_.lane(), 0),
                [&] { b_.store(first, b_.at(places, i64, b_.warp())); });
      row_.rotate(buffers_.k, shape_.kvHeads, head, buffers_.normK,
                  [&](Value column, Value rotated) {
                    b_.store(rotated,
                             b_.at(tile, shape_.norm.element,
                                   b_.addI(b_.mulI(b_.warp(), shape_.stride()),
                                           column)));
                  });
    });
    b_.barrier();
    Value own = b_.remI(b_.thread(), kTokens);
    b_.ifThen(b_.less(b_.addI(firstToken_, own), buffers_.tokens), [&] {
      Value first = b_.load(b_.at(places, i64, own), i64);
      b_.loop(
          b_.divI(b_.thread(), kTokens), b_.i32(shape_.size),
          kBlockThreads / kTokens, [&](Value element) {
            Value key =
                b_.load(b_.at(tile, bits_,
                              b_.addI(b_.mulI(own, shape_.stride()), element)),
                        bits_);
            b_.store(
                key,
                b_.at(buffers_.keyCache, bits_,
                      b_.addI(first, b_.wide(b_.mulI(element, shape_.slots)))));
          });
    });
  }

  void values(Value head) {
    int64_t width = accessWidth(shape_.size, bits_);
    Type chunk = b_.vectorOf(bits_, width);
    Row::Place place = row_.place(head);
    b_.loop(b_.mulI(b_.lane(), width), b_.i32(shape_.size), 32 * width,
            [&](Value column) {
              Value from =
                  b_.place(b_.addI(b_.mulI(token_, shape_.kvHeads), head),
                           shape_.size, column);
              Value to =
                  b_.place(b_.place(place.head, shape_.slots, place.slot),
                           shape_.size, column);
              b_.store(b_.load(b_.at(buffers_.v, bits_, from), chunk),
                       b_.at(buffers_.valueCache, bits_, to));
            });
  }

  Emitter &b_;
  const Shape &shape_;
  Buffers buffers_;
  Value firstToken_, token_, inside_;
  Row row_;
  Type bits_;
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
  spec.threads = kBlockThreads;
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
