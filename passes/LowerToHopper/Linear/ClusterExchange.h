// Float32 sums that the blocks of a cluster send each other, into shared memory
// of the block that is to add them.
//
// What is sent (st.async) completes bytes of the receiver's mbarrier, so nobody
// stops for a fence of the whole cluster: a receiver waits for all of its
// bytes, and after that nothing of it is written by others any more. One block
// by itself stores and meets at the consumers' barrier: an H200 calls st.async
// an illegal instruction where there is no cluster.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::hopper {

using namespace device;

class ClusterExchange {
public:
  // `bytes` that each of `blocks` receives, a multiple of 8, lie `offset` bytes
  // into shared memory, a multiple of 16. In each block `threads` send and
  // wait.
  ClusterExchange(Emitter &b, int64_t offset, int64_t bytes, int64_t blocks,
                  int64_t threads)
      : b(b), offset(offset), bytes(bytes), blocks(blocks), threads(threads) {}
  // All shared memory that the exchange takes.
  static int64_t sharedBytes(int64_t bytes) { return bytes + 16; }

  void init();   // by one thread of each block, before the fence of RingInitOp
  void expect(); // by that thread after it
  // All threads say that their block's barrier is there; those who send wait
  // until each block's is.
  void arrive();
  void waitForAll();
  // Two float32 to byte `at` (i32, a multiple of 8) of what block `rank`
  // receives.
  void send(mlir::Value rank, mlir::Value at, mlir::Value first,
            mlir::Value second);
  // Until everything is here; then the float32 at byte `at`.
  void await();
  mlir::Value load(mlir::Value at);

private:
  mlir::Value received() { return b.sharedMemory(offset); }
  mlir::Value barrier() { return b.sharedMemory(offset + bytes); }
  mlir::Value addressIn(mlir::Value shared, mlir::Value rank);

  Emitter &b;
  int64_t offset, bytes, blocks, threads;
};

} // namespace nibble::hopper
