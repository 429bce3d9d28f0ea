// Divides rows or tokens into chunks of whole register tiles, as equal as
// possible, and prefetches the memory of a chunk.
#pragma once

#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

// The number of threads that OpenMP gives a parallel loop here, as an index.
mlir::Value countThreads(Emitter &b);

struct Chunks {
  mlir::Value tiles, count; // indices
  int64_t tileExtent;       // rows or tokens of a tile

  // The range [begin, end) of chunk `chunk`. `extent` is that of all tiles; the
  // last tile may be partial.
  std::pair<mlir::Value, mlir::Value> range(Emitter &b, mlir::Value chunk,
                                            mlir::Value extent) const;
};

// Chunks of at most `mostTiles` tiles. Each chunk is computed for each of
// `others` pieces of the same size. The number of chunks distributes these
// products evenly over the threads.
Chunks cutEvenly(Emitter &b, mlir::Value extent, int64_t tileExtent,
                 int64_t mostTiles, int64_t others);

// Prefetches the cache lines of elements [indices, indices + count) of a row.
// Rows of a panel's width that are far apart are not a stream that the CPU's
// own prefetcher would detect.
void prefetchRow(Emitter &b, mlir::Value matrix, mlir::Value row,
                 mlir::Value column, int64_t count);

} // namespace nibble::host
