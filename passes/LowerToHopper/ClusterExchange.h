// Blocks of a cluster that read each other's shared memory: when all have written, and when all have read.
#pragma once

#include "passes/LowerToHopper/Emitter.h"

namespace nibble::hopper {

class ClusterExchange {
public:
  static constexpr int64_t kBytes = 16; // two mbarriers

  // The barriers lie `offset` bytes into shared memory, a multiple of 8.
  ClusterExchange(Emitter &b, int64_t offset, int64_t blocks) : b(b), offset(offset), blocks(blocks) {}

  void init();       // by one thread of each block
  void waitForAll(); // by all threads: every block's barriers are there
  // The event (0 or 1) has happened in this block: thread 0 of `thread` tells every block. After a barrier of those who did it.
  void announce(int64_t event, mlir::Value thread);
  // Until it has happened in every block.
  void await(int64_t event);
  // The i32 shared::cluster address of what lies at `shared` in block number `rank`; and a float32 at one.
  mlir::Value addressIn(mlir::Value shared, int64_t rank);
  mlir::Value load(mlir::Value address);

private:
  mlir::Value barrier(int64_t event) { return b.sharedMemory(offset + 8 * event); }

  Emitter &b;
  int64_t offset, blocks;
};

} // namespace nibble::hopper
