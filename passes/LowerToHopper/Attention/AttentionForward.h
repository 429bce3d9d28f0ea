// The one kernel of attention's forward pass. Training and rollout differ in
// where a tile of keys comes from and in nothing else: the same instructions in
// the same order, so the same bits (N14).
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

struct AttentionForwardSpec {
  AttentionShape shape;
  bool paged = false;
  int64_t pageSize = 0;   // slots, of paged
  int64_t warpgroups = 2; // of consumers: each has a tile of rows

  int64_t tokensPerBlock() const { return warpgroups * shape.tokensPerTile(); }
  int64_t queryBytes() const; // of shared memory; 0: queries stay in registers
  int64_t stages() const;
  // Blocks go on from tile to tile of a list: over a batch, where registers
  // hold the queries of a tile beside the sums of the one before. Pages are
  // read for few tokens, of which each block has one tile.
  bool listed() const { return !paged && queryBytes() == 0; }
  // Behind the ring, of a list: one of records of tiles.
  static constexpr int64_t kTileSlots = 2, kTileSlotBytes = 1024;
  int64_t tilesOffset() const;
  int64_t
  scratchBytes() const; // at the end of shared memory: 8 for each consumer
  int64_t sharedBytes() const;
  std::string key() const;
};

struct AttentionForwardArguments {
  mlir::Value keys, values;         // tensor maps
  mlir::Value q, y;                 // [T, heads * size]
  mlir::Value lse;                  // float32 [T, heads]; null of paged
  mlir::Value positions, sequences; // i32
  mlir::Value pages;                // i32 [sequences, pageColumns], of paged
  mlir::Value blocks, sequenceCount, pageColumns;
  // In a kernel over a list, instead of sequences and blocks
  // (AttentionTiles.h).
  mlir::Value records, taken, items;
};

// One launch, over (tiles, key heads); of a list a second one before it, which
// writes the list.
void launchAttentionForward(Kernel &k, const AttentionForwardSpec &spec,
                            const AttentionForwardArguments &arguments);

} // namespace nibble::hopper
