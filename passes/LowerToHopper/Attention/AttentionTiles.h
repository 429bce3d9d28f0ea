// The tiles of a ragged batch as a list in the device's memory, for kernels
// whose blocks go on from tile to tile: while one ends, the keys of the next
// are on their way.
#pragma once

#include "passes/LowerToHopper/Attention/AttentionQueries.h"

namespace nibble::hopper {

inline constexpr int64_t kTileRecordBytes =
    32; // eight i32: what QueryBlock::recordOf gives

struct TileList {
  mlir::Value records; // i32 [items + 1, 8]; the last one is found nowhere: it
                       // says that there are no more
  mlir::Value
      taken; // i32 [1], 0: items that blocks have taken beyond their first
  mlir::Value items; // tiles of tokens times key heads, an index value on the
                     // host; some of them are not found
};

// Launches the kernel that writes it. Key heads one after another, of each the
// last tiles first, which see the most keys.
TileList launchTileList(Kernel &kernel, const AttentionShape &shape,
                        int64_t warpgroups, mlir::Value positions,
                        mlir::Value sequences, mlir::Value blocks,
                        mlir::Value sequenceCount);

} // namespace nibble::hopper
