// The kernel of nn.cache_write.
#include "passes/LowerToDevice/Attention/CacheWrite.h"
#include "passes/LowerToDevice/DeviceKernels.h"
#include "passes/LowerToDevice/Emit/ElementwiseLaunch.h"

using namespace mlir;

namespace nibble::device {

namespace {

// Tokens of a block, one per lane: neighbouring slots of a key's element are
// written together.
constexpr int64_t kTokens = 32;
// Warps of a block. Each takes every eighth chunk of a row.
constexpr int64_t kWarps = 8;

// The token's sequence is the last one that begins at or before the token. It
// is found by bisection of [0, count).
Value sequenceOf(Emitter &b, Value sequences, Value count, Value token) {
  Type i32 = b.getI32Type();
  constexpr int64_t kHalvings = 31;
  return b.loop(b.i32(0), b.i32(kHalvings), b.i32(1), {b.i32(0), count},
                [&](Value, ValueRange range) -> SmallVector<Value> {
                  Value middle = b.shrI(b.addI(range[0], range[1]), 1);
                  Value after = b.lessEqual(
                      b.load(b.at(sequences, i32, middle), i32), token);
                  return {b.select(after, middle, range[0]),
                          b.select(after, range[1], middle)};
                })[0];
}

// Moves bits, not numbers: `width` elements of a key and of a value at a time.
// In the cache the elements of a value are neighbours, those of a key are a row
// of slots apart.
LogicalResult emitCacheWrite(Kernel &k, nn::CacheWriteOp::Adaptor op) {
  Value keys = op.getK();
  Value values = op.getV();
  Value sequences = op.getSequences();
  Value pages = op.getPages();
  Value keyCache = op.getKeyCache();
  Value valueCache = op.getValueCache();
  if (failed(checkActivations(k, keys)))
    return failure();
  ArrayRef<int64_t> cache = cast<MemRefType>(keyCache.getType())
                                .getShape(); // [pages, kv heads, size, slots]
  int64_t heads = cache[1];
  int64_t size = cache[2];
  int64_t slots = cache[3];
  int64_t width = size % 8 == 0 ? 8 : size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 1;
  int64_t chunks = heads * size / width; // per token
  Value tokens = k.extent(keys, 0);
  LaunchSpec spec;
  spec.key = "cache_write_" + std::to_string(heads) + "_" +
             std::to_string(size) + "_" + std::to_string(slots);
  spec.threads = kTokens * kWarps;
  spec.grid = {k.ceilDiv(tokens, kTokens)};
  spec.arguments = {keys,
                    values,
                    op.getPositions(),
                    sequences,
                    pages,
                    keyCache,
                    valueCache,
                    tokens,
                    k.extent(sequences, 0),
                    k.extent(pages, 1)};
  countCacheWrite(k, spec, tokens, heads * size, {keyCache, valueCache},
                  sequences, pages);
  k.launch(spec, [&](Emitter &b, ValueRange arguments) {
    Value keys = arguments[0];
    Value values = arguments[1];
    Value positions = arguments[2];
    Value sequences = arguments[3];
    Value pages = arguments[4];
    Value keyCache = arguments[5];
    Value valueCache = arguments[6];
    Value tokens = arguments[7];
    Value pageColumns = arguments[9];
    Value sequenceCount = b.subI(arguments[8], 1);
    Type bits = b.getI16Type();
    Type i32 = b.getI32Type();
    Type chunkType = width == 1 ? bits : Type(b.vectorOf(bits, width));
    Value token = b.addI(b.mulI(b.block(), kTokens), b.lane());
    b.ifThen(b.less(token, tokens), [&] {
      Value position = b.load(b.at(positions, i32, token), i32);
      Value row = b.place(sequenceOf(b, sequences, sequenceCount, token),
                          pageColumns, b.divI(position, slots));
      Value firstHead = b.mulI(b.wide(b.load(b.at(pages, i32, row), i32)),
                               heads); // of the page
      Value slot = b.remI(position, slots);
      b.loop(b.warp(), b.i32(chunks), kWarps, [&](Value chunk) {
        Value head = b.addI(firstHead, b.wide(b.divI(chunk, size / width)));
        Value element = b.mulI(b.remI(chunk, size / width), width);
        Value from = b.place(token, heads * size, b.mulI(chunk, width));
        Value key = b.load(b.at(keys, bits, from), chunkType);
        Value value = b.load(b.at(values, bits, from), chunkType);
        Value toValue = b.place(b.place(head, slots, slot), size, element);
        b.store(value, b.at(valueCache, bits, toValue));
        for (int64_t i = 0; i < width; ++i) {
          Value toKey =
              b.place(b.place(head, size, b.addI(element, i)), slots, slot);
          b.store(width == 1 ? key : b.extract(key, i),
                  b.at(keyCache, bits, toKey));
        }
      });
    });
  });
  return success();
}

} // namespace

void countCacheWrite(Kernel &k, LaunchSpec &spec, Value tokens,
                     int64_t elements, ArrayRef<Value> caches, Value sequences,
                     Value pages) {
  spec.partly.append(caches.begin(), caches.end());
  spec.partly.append({sequences, pages});
  // Each token reads a key, a value and the number of its page. Each sequence
  // reads its beginning.
  Value ofToken =
      k.index(static_cast<int64_t>(caches.size()) * elements * 2 + 4);
  Value begins = k.host.createOrFold<arith::SubIOp>(
      k.loc(), k.extent(sequences, 0), k.index(1));
  spec.touches = k.host.createOrFold<arith::AddIOp>(
      k.loc(), k.mul(tokens, ofToken), k.mul(begins, k.index(4)));
}

void addCacheWriteKernels(KernelTable &table) {
  table.add<nn::CacheWriteOp>(emitCacheWrite);
}

} // namespace nibble::device
