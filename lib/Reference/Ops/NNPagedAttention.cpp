// nn.cache_write and nn.paged_attention: keys and values are stored in pages.
#include "lib/Reference/Sequences.h"

#include "dialects/NN/NN.h"

using namespace mlir;
using namespace nibble;
using namespace nibble::reference;

namespace {

// The two caches: keys [page, kv_head, element, slot] and values [page,
// kv_head, slot, element].
struct Cache {
  int64_t pages, kvHeads, D, B;

  explicit Cache(const ReferenceValue &keys)
      : pages(keys.extent(0)), kvHeads(keys.extent(1)), D(keys.extent(2)),
        B(keys.extent(3)) {}
  int64_t key(int64_t page, int64_t head, int64_t d, int64_t slot) const {
    return ((page * kvHeads + head) * D + d) * B + slot;
  }
  int64_t value(int64_t page, int64_t head, int64_t d, int64_t slot) const {
    return ((page * kvHeads + head) * B + slot) * D + d;
  }
};

// The page of position p of a sequence. Returns -1, after an error, when the
// table has no page for it or names one that does not exist.
int64_t pageOf(Call &call, mlir::Value pages, const Cache &cache,
               int64_t sequence, int64_t position) {
  const ReferenceValue &table = call[pages];
  int64_t column = position / cache.B;
  int64_t page = sequence < table.extent(0) && column < table.extent(1)
                     ? table.integers[sequence * table.extent(1) + column]
                     : -1;
  if (page >= 0 && page < cache.pages)
    return page;
  call.error() << "sequence " << sequence << " has no page for position "
               << position;
  return -1;
}

LogicalResult cacheWrite(nn::CacheWriteOp op, Call &call) {
  const ReferenceValue &k = call[op.getK()];
  const ReferenceValue &v = call[op.getV()];
  const ReferenceValue &positions = call[op.getPositions()];
  Cache cache(call[op.getKeyCache()]);
  int64_t tokens = k.extent(0);
  SmallVector<int64_t> keyShape{cache.pages, cache.kvHeads, cache.D, cache.B};
  SmallVector<int64_t> valueShape{cache.pages, cache.kvHeads, cache.B, cache.D};
  auto sequenceOf =
      sequencesOfTokens(call, op.getPositions(), op.getSequences(), tokens);
  if (failed(sequenceOf) ||
      failed(call.expectShape(op.getValueCache(), valueShape)) ||
      failed(call.expectShape(op.getK(), {tokens, cache.kvHeads * cache.D})) ||
      failed(call.expectShape(op.getV(), {tokens, cache.kvHeads * cache.D})))
    return failure();
  ReferenceValue *keys = call.make(op.getNewKeyCache(), keyShape);
  ReferenceValue *values = call.make(op.getNewValueCache(), valueShape);
  if (!keys || !values)
    return failure();
  keys->reals = call[op.getKeyCache()].reals;
  values->reals = call[op.getValueCache()].reals;
  for (int64_t t = 0; t < tokens; ++t) {
    int64_t page = pageOf(call, op.getPages(), cache, (*sequenceOf)[t],
                          positions.integers[t]);
    if (page < 0)
      return failure();
    int64_t slot = positions.integers[t] % cache.B;
    for (int64_t head = 0; head < cache.kvHeads; ++head)
      for (int64_t d = 0; d < cache.D; ++d) {
        keys->reals[cache.key(page, head, d, slot)] = k(t, head * cache.D + d);
        values->reals[cache.value(page, head, d, slot)] =
            v(t, head * cache.D + d);
      }
  }
  return success();
}

// Attention over positions 0..positions[t] of the cache, limited to the last
// `window`.
LogicalResult pagedAttention(nn::PagedAttentionOp op, Call &call) {
  const ReferenceValue &q = call[op.getQ()];
  const ReferenceValue &positions = call[op.getPositions()];
  const ReferenceValue &keys = call[op.getKeyCache()];
  const ReferenceValue &values = call[op.getValueCache()];
  Cache cache(keys);
  int64_t tokens = q.extent(0);
  int64_t heads = op.getHeads();
  int64_t group = heads / cache.kvHeads;
  int64_t D = cache.D;
  int64_t window = op.getWindow();
  double scale = op.getScale().convertToFloat();
  auto sequenceOf =
      sequencesOfTokens(call, op.getPositions(), op.getSequences(), tokens);
  if (failed(sequenceOf) ||
      failed(call.expectShape(op.getQ(), {tokens, heads * D})) ||
      failed(call.expectShape(op.getValueCache(),
                              {cache.pages, cache.kvHeads, cache.B, D})))
    return failure();
  ReferenceValue *y = call.make(op.getY(), {tokens, heads * D});
  if (!y)
    return failure();
  for (int64_t t = 0; t < tokens; ++t) {
    int64_t last = positions.integers[t];
    int64_t first = window != 0 ? std::max<int64_t>(0, last - window + 1) : 0;
    std::vector<int64_t> pages;
    for (int64_t p = first; p <= last; ++p) {
      pages.push_back(pageOf(call, op.getPages(), cache, (*sequenceOf)[t], p));
      if (pages.back() < 0)
        return failure();
    }
    for (int64_t head = 0; head < heads; ++head) {
      int64_t kvHead = head / group;
      std::vector<double> scores;
      for (int64_t p = first; p <= last; ++p) {
        double score = 0.0;
        for (int64_t d = 0; d < D; ++d)
          score +=
              q(t, head * D + d) *
              keys.reals[cache.key(pages[p - first], kvHead, d, p % cache.B)];
        scores.push_back(score * scale);
      }
      Softmax softmax = softmaxOf(std::move(scores));
      for (int64_t d = 0; d < D; ++d) {
        double sum = 0.0;
        for (int64_t p = first; p <= last; ++p)
          sum +=
              softmax.probabilities[p - first] *
              values
                  .reals[cache.value(pages[p - first], kvHead, d, p % cache.B)];
        (*y)(t, head *D + d) = call.round(sum, y->elementType());
      }
    }
  }
  return success();
}

} // namespace

void reference::addPagedAttentionKernels(KernelTable &table) {
  table.add<&cacheWrite>();
  table.add<&pagedAttention>();
}
