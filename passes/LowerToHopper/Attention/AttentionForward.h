// The kernel of attention's forward pass. Training and rollout differ only in
// where a tile of keys comes from. The instructions and their order are the
// same, so the bits are the same (N14).
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

struct AttentionForwardSpec {
  AttentionShape shape;
  bool paged = false;
  int64_t pageSize = 0;   // slots of a page, if paged
  int64_t warpgroups = 2; // of consumers, one tile of rows each

  int64_t tokensPerBlock() const { return warpgroups * shape.tokensPerTile(); }
  int64_t queryBytes() const; // shared memory; 0 if queries are in registers
  int64_t stages() const;
  // Whether each block works on several tiles from a list (persistent blocks).
  // That is so for a batch, if registers can hold the queries of the next tile
  // beside the sums of the current one. A paged cache is read for few tokens,
  // so each of its blocks has one tile.
  bool listed() const { return !paged && queryBytes() == 0; }
  // After the ring, with a list: a second ring for records of tiles.
  static constexpr int64_t kTileSlots = 2;
  static constexpr int64_t kTileSlotBytes = 1024;
  int64_t tilesOffset() const;
  // At the end of shared memory, 8 bytes for each consumer.
  int64_t scratchBytes() const;
  int64_t sharedBytes() const;
  std::string key() const;
};

struct AttentionForwardArguments {
  mlir::Value keys, values;         // tensor maps
  mlir::Value q, y;                 // [T, heads * size]
  mlir::Value lse;                  // float32 [T, heads]; null if paged
  mlir::Value positions, sequences; // i32
  mlir::Value pages;                // i32 [sequences, pageColumns], if paged
  mlir::Value blocks, sequenceCount, pageColumns;
  // In a kernel with a list, instead of `sequences` and `blocks`
  // (AttentionTiles.h).
  mlir::Value records, taken, items;
};

// One launch over (tiles, key heads). With a list another launch before it
// writes the list.
void launchAttentionForward(Kernel &k, const AttentionForwardSpec &spec,
                            const AttentionForwardArguments &arguments);

} // namespace nibble::hopper
