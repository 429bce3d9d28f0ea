// The tiles of a ragged batch as a list in device memory, for persistent
// blocks. While a block finishes one tile, the keys of the next are in flight.
#pragma once

#include "passes/LowerToHopper/Attention/AttentionQueries.h"

namespace nibble::hopper {

// Eight i32, as QueryBlock::recordOf returns them.
inline constexpr int64_t kTileRecordBytes = 32;

struct TileList {
  // i32 [items + 1, 8]. The last record counts as not found and ends the list.
  mlir::Value records;
  // i32 [1], initially 0: items that blocks have taken beyond their first.
  mlir::Value taken;
  // Tiles of tokens times key heads, an index value on the host. Some of them
  // are not found.
  mlir::Value items;
};

// Launches the kernel that writes the list: one key head after another, each
// with its last tiles first, because they see the most keys.
TileList launchTileList(Kernel &kernel, const AttentionShape &shape,
                        int64_t warpgroups, mlir::Value positions,
                        mlir::Value sequences, mlir::Value blocks,
                        mlir::Value sequenceCount);

} // namespace nibble::hopper
