// The state of a launch while it runs: clusters of blocks of warps.
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

// splitmix64 (Steele, Lea, Flood 2014): the order of everything that may come
// in any order.
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

// Work that was issued and is done later, at the latest when somebody waits for
// it.
struct AsyncOp {
  enum Kind : uint8_t {
    kCopy,
    kBulk,
    kMatrix
  } kind = kCopy;      // cp.async, cp.async.bulk, wgmma
  bool grouped = true; // waited for by groups, not by an mbarrier
  Warp *warp = nullptr;
  const Inst *inst = nullptr;
  Mask lanes = 0;
  uint32_t group = 0; // of these lanes
  uint32_t time = 0;  // of the warp's engine
  uint64_t due = 0;   // round of the scheduler in which it completes by itself
  std::function<Outcome()> perform;
  // A bulk store is waited for by groups, a bulk load by an mbarrier.
  bool storesGlobal() const { return kind == kBulk && grouped; }
};

// Lanes of a warp that are at the same instruction.
struct Fragment {
  enum State : uint8_t { kReady, kParked, kWaiting } state = kReady;
  Mask lanes = 0;
  uint32_t pc = 0;
  const void *waitsFor = nullptr; // a barrier
};

// bar and barrier.cluster.
struct Barrier {
  uint32_t expected = 0, arrived = 0; // threads; expected 0: nobody is here
  Knowledge knowledge;
  uint32_t phase = 0; // of the cluster's: how often it was complete
  Knowledge complete; // of the cluster's
};

// 64 bits of shared memory, as an object (PTX ISA, "mbarrier").
struct MBarrier {
  uint32_t expected = 0; // arrivals of the next phase
  int64_t pending = 0;   // arrivals
  int64_t transactions = 0;
  uint64_t phase = 0; // phases that are complete
  Knowledge arriving, complete;
  uint32_t madeBy = 0, madeAt = 0; // agent and time of its init
  Mask madeIn = 0;                 // lane
};

// Groups of asynchronous operations, per thread.
struct GroupCounter {
  uint32_t open[kLanes] = {}; // the number of the group that is being filled
  std::vector<uint32_t>
      closedAt; // the engine's time when a group was closed, by number
};

struct Warp {
  Block *block = nullptr;
  Cluster *cluster = nullptr;
  uint32_t index = 0; // in the block
  uint32_t agent = 0; // in the cluster
  uint8_t *file = nullptr;
  Mask live = 0;
  std::vector<Fragment> fragments;
  uint32_t current = 0; // the fragment that runs
  Mask avoid = 0;       // lanes that have had their turn
  uint32_t jumpsBack =
      0; // since lanes had to give up their turn because of them
  Mask haveRun =
      0; // lanes that have executed something since an Observation began
  bool isUnrepeatable = false; // an instruction's result depended on time or on
                               // the order of turns
  uint32_t sinceWait = 0;      // instructions since a wait failed
  bool yielded = false;        // the last slice ended in a wait that failed
  std::vector<uint8_t> local;  // 32 threads' .local memory
  GroupCounter copyGroups, bulkGroups;
  uint32_t matrixGroup = 0; // the group that is being filled
  std::vector<uint32_t> matrixClosedAt;
  uint32_t matrixWaited = 0;             // groups below it are complete
  uint32_t pendingMatrix = 0;            // wgmma that nobody waited for
  std::vector<uint32_t> pendingRegister; // by offset / 64: 1 + the last group
                                         // that uses it; only with checks
  bool matrixFence = false;              // there was a wgmma.fence
  uint32_t now = 1;                      // time of the lanes' accesses
  Mask touched =
      0; // lanes that have touched shared memory since all lanes were ordered
  uint32_t lastTouch = 0; // time
  Knowledge knowledge;    // of all lanes
  std::vector<KnowledgeApart>
      apart; // of lanes that know more; each lane is in one at most
  uint32_t engineTime = 0;
  uint32_t clusterPhase[kLanes] =
      {};                 // in which the lane arrived at the cluster's barrier
  uint32_t registers = 0; // by setmaxnreg; 0: not set
  const void *currentBarrier =
      nullptr; // what a handler that returns kBlocked waits for
  const AllocationMap::Entry *lastAllocation = nullptr;
  uint64_t stepCount = 0, laneCount = 0, localCount = 0;
  // For the report of a wait that never completes.
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
  uint32_t rank = 0; // in the cluster
  uint32_t liveThreads = 0;
  uint8_t *shared =
      nullptr; // offset kSharedBase is its first byte that a kernel may touch
  uint32_t sharedEnd = 0;        // offset
  std::vector<Granule> granules; // from offset 0; only with checks
  Barrier barriers[16];
  std::map<uint32_t, MBarrier> mbarriers; // by offset
  std::vector<Warp> warps;
};

struct LaunchState; // launch.h

struct Cluster {
  LaunchState *launch = nullptr;
  uint32_t index = 0;
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<Warp *> warps; // of all blocks, by agent
  Barrier barrier;
  std::vector<std::unique_ptr<AsyncOp>> pending;
  Random random;
  uint64_t round = 0;
  uint64_t progress = 0; // counts changes of what other warps of the cluster
                         // can see, but for ordinary stores
  bool hasStored =
      false; // there were ordinary stores, which may have changed nothing
  bool hasWritten = false; // to global memory, which is not published yet
  bool looksOutside =
      false; // has accessed global memory, so that others can end its wait
  bool isWatched = false; // an Observation is under way: stores say whether
                          // they change something
  bool waitedForOthers = false; // the error is the verdict of all clusters
                                // together, not this one's fault
  Knowledge atomics;            // what atomic accesses and fences hand on
  bool ordersGlobal =
      false; // it has used an atomic access or a fence on global memory: its
             // accesses are not judged any more
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
  uint32_t serial = 0; // of the launch
  Quiescence quiescence;
  uint64_t stepCount = 0, laneCount = 0, localCount = 0;
};

// Ends the launch: "kernel k, block (0, 0, 0), thread 5, PTX line 12 `st...`:
// <what>". Always kFault.
Outcome fault(Warp &warp, const Inst &inst, uint32_t lane,
              const std::string &what);

template <typename F> inline void forLanes(Mask mask, F f) {
  for (; mask != 0; mask &= mask - 1)
    f(static_cast<uint32_t>(__builtin_ctz(mask)));
}

// Something that other warps can see has changed; in global memory, if
// `isGlobal`.
inline void noteChange(Cluster &cluster, bool isGlobal) {
  ++cluster.progress;
  cluster.hasWritten |= isGlobal;
}

// Where a shared address leads: block and offset. Null when there is no such
// block of the cluster.
Block *sharedBlock(Warp &warp, uint32_t address, uint32_t &offset);

// --- shared memory's history (shared_checks.cpp) ---
enum class Touch : uint8_t { kRead, kWrite, kAtomic };
// An ordinary access of one lane; reports unwritten memory and races. False:
// the launch failed.
bool touchShared(Warp &warp, const Inst &inst, uint32_t lane, Block &block,
                 uint32_t offset, uint32_t bytes, Touch touch);
// An access that `warp` has given to the engine of warp `engine`, at that
// engine's `time`: `async` through the asynchronous proxy, else (cp.async)
// through the ordinary one.
bool touchSharedAsync(Warp &warp, const Warp &engine, const Inst &inst,
                      uint32_t lane, Block &block, uint32_t offset,
                      uint32_t bytes, Touch touch, bool async, uint32_t time);

// --- what orders accesses (knowledge.cpp); nothing without checks ---
// What these lanes know and have done goes to `into`; later accesses are not
// part of it. An instruction's lanes release together.
void releaseTo(Warp &warp, Mask lanes, Knowledge &into);
// These lanes know it from here on; others do when something orders the lanes.
void acquireFrom(Warp &warp, Mask lanes, const Knowledge &from);
// These lanes see each other's accesses from here on.
void orderLanes(Warp &warp, Mask lanes);
// These lanes have released to a barrier and waited for it: `met` is what all
// brought.
void leaveBarrier(Warp &warp, Mask lanes, const Knowledge &met);
// The asynchronous proxy sees what these lanes have done and know.
void fenceProxy(Warp &warp, Mask lanes);
// What the warp's engine has done up to `time` is past for these lanes.
void seeEngine(Warp &warp, Mask lanes, const Warp &engine, uint32_t time);
inline const Knowledge &knowledgeOf(const Warp &warp, uint32_t lane) {
  for (const KnowledgeApart &apart : warp.apart)
    if ((apart.lanes >> lane & 1) != 0)
      return apart.knowledge;
  return warp.knowledge;
}

// --- asynchronous work (async.cpp) ---
// Queues (with checks) or does (without) `op`.
Outcome issue(Warp &warp, std::unique_ptr<AsyncOp> op);
// Does pending operation number `i` and removes it.
Outcome completeAt(Cluster &cluster, size_t i);
// Does those for which `which` holds.
Outcome completeWhere(Cluster &cluster,
                      const std::function<bool(const AsyncOp &)> &which);
// The time of the next operation of the warp's engine.
inline uint32_t engineTime(Warp &warp) { return ++warp.engineTime; }

// --- mbarriers (mbarrier.cpp) ---
// Null: the launch failed.
MBarrier *findMBarrier(Warp &warp, const Inst &inst, uint32_t lane,
                       uint64_t address, bool mayBeRemote);
// False: more arrivals than the phase waits for; the launch failed.
bool arriveAt(Warp &warp, const Inst &inst, uint32_t lane, MBarrier &barrier,
              uint32_t count);
// `bytes` of the work of the warp's engine, up to its `time`, have come to an
// end.
void completeTransactions(Warp &warp, MBarrier &barrier, int64_t bytes,
                          uint32_t time);
// An arrival that the warp's engine makes.
bool engineArrives(Warp &warp, const Inst &inst, uint32_t lane,
                   MBarrier &barrier, uint32_t time);

// --- the scheduler (scheduler.cpp) ---
Status runCluster(Cluster &cluster);
void release(Cluster &cluster, const void *barrier);

} // namespace nibble::simt
