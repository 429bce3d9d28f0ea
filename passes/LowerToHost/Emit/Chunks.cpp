// Divides rows or tokens into chunks, and prefetches their memory.
#include "passes/LowerToHost/Emit/Chunks.h"

#include "passes/LowerToHost/RuntimeCalls.h"

using namespace mlir;

namespace nibble::host {

Value countThreads(Emitter &b) {
  auto module =
      b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  return b.toIndex(
      callRuntime(b, module, "omp_get_max_threads", b.getI32Type(), {})
          .getResult(0));
}

std::pair<Value, Value> Chunks::range(Emitter &b, Value chunk,
                                      Value extent) const {
  auto boundary = [&](Value i) {
    return b.mulI(b.divI(b.mulI(i, tiles), count), b.index(tileExtent));
  };
  return {boundary(chunk), b.minI(boundary(b.addI(chunk, b.index(1))), extent)};
}

Chunks cutEvenly(Emitter &b, Value extent, int64_t tileExtent,
                 int64_t mostTiles, int64_t others) {
  Value threads = countThreads(b);
  Value pieces = b.index(others);
  Value one = b.index(1);
  Value zero = b.index(0);
  // The number of chunks is a multiple of this unit. It depends on whether
  // several threads share the chunks of a piece, a thread has several pieces,
  // or neither.
  Value sharesPieces = b.equal(b.remI(threads, pieces), zero);
  Value hasPieces = b.equal(b.remI(pieces, threads), zero);
  Value unit = b.select(
      hasPieces, one, b.select(sharesPieces, b.divI(threads, pieces), threads));
  Value tiles = b.ceilDivI(extent, tileExtent);
  Value least = b.ceilDivI(tiles, mostTiles);
  Value count = b.mulI(b.divI(b.addI(least, b.subI(unit, one)), unit), unit);
  return {tiles, b.minI(count, tiles), tileExtent};
}

void prefetchRow(Emitter &b, Value matrix, Value row, Value column,
                 int64_t count) {
  constexpr int64_t kLineBytes = 64;
  int64_t step = kLineBytes * 8 /
                 cast<MemRefType>(matrix.getType()).getElementTypeBitWidth();
  for (int64_t at = 0; at < count; at += step)
    memref::PrefetchOp::create(b, matrix,
                               ValueRange{row, b.addI(column, b.index(at))},
                               /*isWrite=*/false,
                               /*localityHint=*/3, /*isDataCache=*/true);
}

} // namespace nibble::host
