// The state of a running launch: clusters of blocks of warps.
#pragma once

#include "runtime/drivers/simt/memory_map.h"
#include "runtime/drivers/simt/ptx/code.h"
#include "runtime/drivers/simt/quiescence.h"
#include "runtime/drivers/simt/shadow.h"
#include "runtime/drivers/simt/simt.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nibble::simt {

struct Block;
struct Cluster;

// splitmix64 (Steele, Lea, Flood 2014). It chooses the order of everything
// whose order is not defined.
struct Random {
  uint64_t state = 0;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  uint32_t below(uint32_t n) {
    return static_cast<uint32_t>((next() >> 32) * n >> 32);
  }
};

// Issued work that completes later, at the latest when somebody waits for it.
struct AsyncOp {
  enum Kind : uint8_t {
    kCopy,
    kBulk,
    kMatrix
  } kind = kCopy;      // cp.async, cp.async.bulk, wgmma
  bool grouped = true; // whether groups wait for it, not an mbarrier
  Warp *warp = nullptr;
  const Inst *inst = nullptr;
  Mask lanes = 0;
  uint32_t group = 0; // open group of these lanes
  uint32_t time = 0;  // time of the warp's engine
  uint64_t due = 0;   // round of the scheduler at which it completes by itself
  std::function<Outcome()> perform;
  // Groups wait for bulk stores, mbarriers wait for bulk loads.
  bool storesGlobal() const { return kind == kBulk && grouped; }
};

// The lanes of a warp that stand at the same instruction.
struct Fragment {
  enum State : uint8_t { kReady, kParked, kWaiting } state = kReady;
  Mask lanes = 0;
  uint32_t pc = 0;
  const void *waitsFor = nullptr; // the barrier it waits for
};

// The barrier of bar or barrier.cluster.
struct Barrier {
  // In threads; expected is 0 when no thread has arrived.
  uint32_t expected = 0, arrived = 0;
  Knowledge knowledge;
  uint32_t phase = 0; // for the cluster's barrier: number of completed phases
  Knowledge complete; // for the cluster's barrier
};

// The object in 64 bits of shared memory (PTX ISA, "mbarrier").
struct MBarrier {
  uint32_t expected = 0; // arrivals that the next phase expects
  int64_t pending = 0;   // arrivals missing in this phase
  int64_t transactions = 0;
  uint64_t phase = 0; // number of complete phases
  Knowledge arriving, complete;
  uint32_t madeBy = 0, madeAt = 0; // agent and time of its initialization
  Mask madeIn = 0;                 // lane of its initialization
};

// Groups of asynchronous operations, counted for each thread.
struct GroupCounter {
  uint32_t open[kLanes] = {}; // number of the open group
  // The engine's time at the closing of each group.
  std::vector<uint32_t> closedAt;
};

struct Warp {
  Block *block = nullptr;
  Cluster *cluster = nullptr;
  uint32_t index = 0; // number in the block
  uint32_t agent = 0; // number in the cluster
  uint8_t *file = nullptr;
  Mask live = 0;
  std::vector<Fragment> fragments;
  uint32_t current = 0; // the running fragment
  Mask avoid = 0;       // lanes that have had their turn
  // Backward jumps since lanes last gave up their turn for that reason.
  uint32_t jumpsBack = 0;
  // Lanes that have executed anything since the Observation began.
  Mask haveRun = 0;
  // Whether an instruction's result depended on time or on the order of turns.
  bool isUnrepeatable = false;
  uint32_t sinceWait = 0;     // instructions since the last failed wait
  bool yielded = false;       // whether the last slice ended in a failed wait
  std::vector<uint8_t> local; // .local memory of 32 threads
  GroupCounter copyGroups, bulkGroups;
  uint32_t matrixGroup = 0; // number of the open group
  std::vector<uint32_t> matrixClosedAt;
  uint32_t matrixWaited = 0; // groups below this one are complete
  // Number of wgmma operations that nothing has waited for.
  uint32_t pendingMatrix = 0;
  // By offset / 64: 1 + the last group that uses the register; only with
  // checks.
  std::vector<uint32_t> pendingRegister;
  bool matrixFence = false; // whether a wgmma.fence was executed
  uint32_t now = 1;         // time of the lanes' accesses
  // Lanes that have accessed shared memory since all lanes were ordered.
  Mask touched = 0;
  uint32_t lastTouch = 0; // time of the last access
  Knowledge knowledge;    // common to all lanes
  // For lanes that know more; a lane is in one entry at most.
  std::vector<KnowledgeApart> apart;
  uint32_t engineTime = 0;
  // Phase in which the lane arrived at the cluster's barrier.
  uint32_t clusterPhase[kLanes] = {};
  uint32_t registers = 0; // set by setmaxnreg, else 0
  // The barrier for which a handler returns kBlocked.
  const void *currentBarrier = nullptr;
  const AllocationMap::Entry *lastAllocation = nullptr;
  uint64_t stepCount = 0, laneCount = 0, localCount = 0;
  // Used in the report of a wait that never completes.
  const Inst *failedWait = nullptr;
  uint32_t failedLane = 0;

  template <typename T> T *reg(uint32_t offset) {
    return reinterpret_cast<T *>(file + offset);
  }
  Mask &predicate(uint32_t offset) {
    return *reinterpret_cast<Mask *>(file + offset);
  }
  uint32_t thread(uint32_t lane) const { return index * kLanes + lane; }
};

struct Block {
  Cluster *cluster = nullptr;
  uint32_t id[3] = {};
  uint32_t rank = 0; // rank in the cluster
  uint32_t liveThreads = 0;
  // The first byte that a kernel may access is at offset kSharedBase.
  uint8_t *shared = nullptr;
  uint32_t sharedEnd = 0;        // offset of the end
  std::vector<Granule> granules; // from offset 0; only with checks
  Barrier barriers[16];
  std::map<uint32_t, MBarrier> mbarriers; // keyed by offset
  std::vector<Warp> warps;
};

struct LaunchState; // see launch.h

struct Cluster {
  LaunchState *launch = nullptr;
  uint32_t index = 0;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<Warp *> warps; // of all blocks, by agent
  Barrier barrier;
  std::vector<std::unique_ptr<AsyncOp>> pending;
  Random random;
  uint64_t round = 0;
  // Counts changes that other warps of the cluster can see, except ordinary
  // stores.
  uint64_t progress = 0;
  // Whether ordinary stores occurred, which may have changed nothing.
  bool hasStored = false;
  // Whether there are unpublished writes to global memory.
  bool hasWritten = false;
  // Whether it has read global memory, so that other clusters can end its wait.
  bool looksOutside = false;
  // Whether an Observation is active, in which stores report changes.
  bool isWatched = false;
  // Whether the error is the verdict over all clusters and not this one's
  // fault.
  bool waitedForOthers = false;
  Knowledge atomics; // passed on by atomic accesses and fences
  // Whether it has used an atomic access or a fence on global memory; its
  // accesses are then no longer checked for races.
  bool ordersGlobal = false;
  Status error;
  bool checks = false;
};

struct LaunchState {
  const Code *code = nullptr;
  Launch shape;
  uint32_t clusterSize = 1;
  SimtOptions options;
  AllocationMap *memory = nullptr;
  std::vector<uint8_t> parameters;
  uint32_t serial = 0; // number of the launch
  Quiescence quiescence;
  uint64_t stepCount = 0, laneCount = 0, localCount = 0;
};

// Ends the launch with a message of the form "kernel k, block (0, 0, 0), thread
// 5, PTX line 12 `st...`: <what>". Always returns kFault.
Outcome fault(Warp &warp, const Inst &inst, uint32_t lane,
              const std::string &what);

template <typename F> inline void forLanes(Mask mask, F f) {
  for (; mask != 0; mask &= mask - 1)
    f(static_cast<uint32_t>(__builtin_ctz(mask)));
}

// Records a change that other warps can see. `isGlobal` means that it is in
// global memory.
inline void noteChange(Cluster &cluster, bool isGlobal) {
  ++cluster.progress;
  cluster.hasWritten |= isGlobal;
}

// Splits a shared address into block and offset. Null when the cluster has no
// such block.
Block *sharedBlock(Warp &warp, uint32_t address, uint32_t &offset);

// --- shared memory's history (shared_checks.cpp) ---
enum class Touch : uint8_t { kRead, kWrite, kAtomic };
// Checks and records an ordinary access of one lane. It reports reads of
// unwritten memory, and races. Returns false when the launch failed.
bool touchShared(Warp &warp, const Inst &inst, uint32_t lane, Block &block,
                 uint32_t offset, uint32_t bytes, Touch touch);
// Checks and records an access that `warp` has given to the engine of warp
// `engine`, at that engine's `time`. It goes through the asynchronous proxy
// when `async`, else through the ordinary one (cp.async).
bool touchSharedAsync(Warp &warp, const Warp &engine, const Inst &inst,
                      uint32_t lane, Block &block, uint32_t offset,
                      uint32_t bytes, Touch touch, bool async, uint32_t time);

// --- order of accesses (knowledge.cpp); these do nothing without checks ---
// Adds what these lanes know and have done to `into`, but not their later
// accesses. An instruction's lanes release together.
void releaseTo(Warp &warp, Mask lanes, Knowledge &into);
// These lanes gain the knowledge in `from`. Other lanes gain it when something
// orders the lanes.
void acquireFrom(Warp &warp, Mask lanes, const Knowledge &from);
// These lanes see each other's accesses from here on.
void orderLanes(Warp &warp, Mask lanes);
// These lanes have released to a barrier and waited for it. `met` is the
// knowledge of everyone that arrived.
void leaveBarrier(Warp &warp, Mask lanes, const Knowledge &met);
// The asynchronous proxy sees everything that these lanes have done and know.
void fenceProxy(Warp &warp, Mask lanes);
// These lanes see what the warp's engine has done up to `time`.
void seeEngine(Warp &warp, Mask lanes, const Warp &engine, uint32_t time);
inline const Knowledge &knowledgeOf(const Warp &warp, uint32_t lane) {
  for (const KnowledgeApart &apart : warp.apart)
    if ((apart.lanes >> lane & 1) != 0)
      return apart.knowledge;
  return warp.knowledge;
}

// --- asynchronous work (async.cpp) ---
// Queues `op` (with checks) or performs it (without).
Outcome issue(Warp &warp, std::unique_ptr<AsyncOp> op);
// Performs pending operation number `i` and removes it.
Outcome completeAt(Cluster &cluster, size_t i);
// Performs the pending operations for which `which` is true.
Outcome completeWhere(Cluster &cluster,
                      const std::function<bool(const AsyncOp &)> &which);
// The time of the next operation of the warp's engine.
inline uint32_t engineTime(Warp &warp) { return ++warp.engineTime; }

// --- mbarriers (mbarrier.cpp) ---
// Null when the launch failed.
MBarrier *findMBarrier(Warp &warp, const Inst &inst, uint32_t lane,
                       uint64_t address, bool mayBeRemote);
// Returns false when the phase gets more arrivals than it expects; the launch
// has then failed.
bool arriveAt(Warp &warp, const Inst &inst, uint32_t lane, MBarrier &barrier,
              uint32_t count);
// Completes `bytes` of the work of the warp's engine, up to its `time`.
void completeTransactions(Warp &warp, MBarrier &barrier, int64_t bytes,
                          uint32_t time);
// Lets the warp's engine arrive.
bool engineArrives(Warp &warp, const Inst &inst, uint32_t lane,
                   MBarrier &barrier, uint32_t time);

// --- the scheduler (scheduler.cpp) ---
Status runCluster(Cluster &cluster);
void release(Cluster &cluster, const void *barrier);

} // namespace nibble::simt
