// Exchange of float32 partial sums between the blocks of a cluster. Each block
// sends them into the shared memory of the block that adds them.
//
// A send (st.async) completes bytes of the receiver's mbarrier, so no fence of
// the whole cluster is needed. A receiver waits for all of its bytes; after
// that no other block writes to it any more. A single block stores its sums and
// uses the consumers' barrier instead, because st.async is an illegal
// instruction on an H200 outside of a cluster.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::hopper {

using namespace device;

class ClusterExchange {
public:
  // Each of `blocks` receives `bytes` bytes, a multiple of 8, at `offset` in
  // shared memory, a multiple of 16. In each block `threads` threads send and
  // wait.
  ClusterExchange(Emitter &b, int64_t offset, int64_t bytes, int64_t blocks,
                  int64_t threads)
      : b_(b), offset_(offset), bytes_(bytes), blocks_(blocks),
        threads_(threads) {}
  // The shared memory of the exchange.
  static int64_t sharedBytes(int64_t bytes) { return bytes + 16; }

  void init();   // by one thread of each block, before the fence of RingInitOp
  void expect(); // by that thread after it
  // Announces that this block's barrier is initialized. All threads call it;
  // those that send wait until every block has announced.
  void arrive();
  void waitForAll();
  // Sends two float32 to byte `at` (i32, a multiple of 8) of the memory that
  // block `rank` receives.
  void send(mlir::Value rank, mlir::Value at, mlir::Value first,
            mlir::Value second);
  // Waits until everything has arrived; then load() returns the float32 at byte
  // `at`.
  void await();
  mlir::Value load(mlir::Value at);

private:
  mlir::Value received() { return b_.sharedMemory(offset_); }
  mlir::Value barrier() { return b_.sharedMemory(offset_ + bytes_); }
  mlir::Value addressIn(mlir::Value shared, mlir::Value rank);

  Emitter &b_;
  int64_t offset_, bytes_, blocks_, threads_;
};

} // namespace nibble::hopper
