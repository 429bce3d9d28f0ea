// Cutting rows or tokens into chunks of whole register tiles, as equal as can
// be; and asking for a chunk's memory early.
#pragma once

#include "passes/LowerToHost/Emit/Emitter.h"

namespace nibble::host {

// Threads that OpenMP would give a parallel loop begun here, as an index.
mlir::Value countThreads(Emitter &b);

struct Chunks {
  mlir::Value tiles, count; // indices
  int64_t tileExtent;       // rows or tokens of a tile

  // [begin, end) of chunk `chunk`; `extent` is that of all tiles, the last of
  // which may be cut.
  std::pair<mlir::Value, mlir::Value> range(Emitter &b, mlir::Value chunk,
                                            mlir::Value extent) const;
};

// Chunks of at most `mostTiles` tiles. Each is worked on once for each of
// `others` pieces of the same size; there are as many chunks as deal the
// products out evenly over the threads.
Chunks cutEvenly(Emitter &b, mlir::Value extent, int64_t tileExtent,
                 int64_t mostTiles, int64_t others);

// Asks for the cache lines of elements [indices, indices + count) of a row,
// which are read soon. Rows of a panel's width that lie far apart are no stream
// that the CPU would see by itself.
void prefetchRow(Emitter &b, mlir::Value matrix, mlir::Value row,
                 mlir::Value column, int64_t count);

} // namespace nibble::host
