// mbarrier objects (PTX ISA, "Parallel Synchronization and Communication
// Instructions: mbarrier").
//
// A phase is complete when no arrivals and no transactions are pending. The
// object's 64 bits are opaque to a program, so its state is kept beside shared
// memory. The bits of a state value encode the phase and the pending arrivals.
#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/machine.h"
#include "runtime/drivers/simt/ptx/builder.h"

#include <utility>

namespace nibble::simt {

namespace {

constexpr uint32_t kMostArrivals = (1u << 20) - 1;
constexpr int64_t kMostTransactions = (1 << 20) - 1;

void settle(Cluster &cluster, MBarrier &barrier) {
  noteChange(cluster, false);
  if (barrier.pending != 0 || barrier.transactions != 0)
    return;
  ++barrier.phase;
  barrier.pending = barrier.expected;
  barrier.complete.join(barrier.arriving);
  barrier.arriving.clear();
}

bool resolveBarrier(Warp &warp, const Inst &inst, uint32_t lane,
                    uint64_t address, bool mayBeRemote, Block *&block,
                    uint32_t &offset) {
  uint64_t window = address >> kWindowBits;
  if (window != 0 && window != kSharedWindow >> kWindowBits) {
    fault(warp, inst, lane,
          "the mbarrier at " + hex(address) + " is not in shared memory");
    return false;
  }
  if (resolveShared(warp, inst, lane, static_cast<uint32_t>(address), 8, 8,
                    "uses an mbarrier in", block, offset) == nullptr)
    return false;
  if (block != warp.block && !mayBeRemote) {
    fault(warp, inst, lane,
          "the mbarrier is another block's; only arrivals may be remote");
    return false;
  }
  return true;
}

void markGranules(Warp &warp, Block &block, uint32_t offset, bool isBarrier) {
  if (!warp.cluster->checks)
    return;
  for (uint32_t i = 0; i < 2; ++i) {
    Granule &granule = block.granules[offset / 4 + i];
    granule = {};
    granule.isBarrier = isBarrier;
  }
}

Outcome initialize(Warp &warp, const Inst &inst, Mask mask) {
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    Block *block = nullptr;
    uint32_t offset = 0;
    if (!resolveBarrier(warp, inst, i, laneAddress(warp, inst, i), false, block,
                        offset))
      return Outcome::kFault;
    uint32_t count = warp.reg<uint32_t>(inst.b)[i];
    if (count == 0 || count > kMostArrivals)
      return fault(warp, inst, i,
                   "an mbarrier waits for 1 to " +
                       std::to_string(kMostArrivals) + " arrivals, not " +
                       std::to_string(count));
    if (block->mbarriers.contains(offset))
      return fault(warp, inst, i,
                   "there is a valid mbarrier at " + hex(offset) +
                       " already; it must be invalidated first");
    if (warp.cluster->checks &&
        !(touchShared(warp, inst, i, *block, offset, 8, Touch::kWrite)))
      return Outcome::kFault;
    markGranules(warp, *block, offset, true);
    MBarrier &barrier = block->mbarriers[offset];
    barrier.expected = count;
    barrier.pending = count;
    barrier.madeBy = warp.agent;
    barrier.madeIn = Mask{1} << i;
    barrier.madeAt = warp.now;
  }
  noteChange(*warp.cluster, false);
  return Outcome::kNext;
}

Outcome invalidate(Warp &warp, const Inst &inst, Mask mask) {
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint64_t address = laneAddress(warp, inst, i);
    if (findMBarrier(warp, inst, i, address, false) == nullptr)
      return Outcome::kFault;
    uint32_t offset = 0;
    Block *block = sharedBlock(warp, static_cast<uint32_t>(address), offset);
    markGranules(warp, *block, offset, false);
    block->mbarriers.erase(offset);
    noteChange(*warp.cluster, false);
  }
  return Outcome::kNext;
}

bool addTransactions(Warp &warp, const Inst &inst, uint32_t lane,
                     MBarrier &barrier, int64_t bytes) {
  barrier.transactions += bytes;
  noteChange(*warp.cluster, false);
  if (barrier.transactions <= kMostTransactions &&
      barrier.transactions >= -kMostTransactions)
    return true;
  fault(warp, inst, lane,
        "the mbarrier's pending transactions are " +
            std::to_string(barrier.transactions) + "; at most " +
            std::to_string(kMostTransactions) + " bytes can be pending");
  return false;
}

// Inst::mode is a set of bits. 1 expects transactions (operand b), 2 also drops
// the arrival for later phases, 4 makes no arrival. 8 completes transactions,
// and 16 must not complete the phase.
Outcome arriveLanes(Warp &warp, const Inst &inst, Mask mask) {
  const MBarrier *released = nullptr;
  uint64_t phase = 0;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    MBarrier *barrier = findMBarrier(warp, inst, i, laneAddress(warp, inst, i),
                                     inst.dst == kNone);
    if (barrier == nullptr)
      return Outcome::kFault;
    uint32_t operand = inst.b == kNone ? 1 : warp.reg<uint32_t>(inst.b)[i];
    if (inst.dst != kNone)
      warp.reg<uint64_t>(inst.dst)[i] =
          barrier->phase << 21 | static_cast<uint64_t>(barrier->pending);
    if (inst.mode & 1 && !addTransactions(warp, inst, i, *barrier, operand))
      return Outcome::kFault;
    if (inst.mode & 8) {
      if (!addTransactions(warp, inst, i, *barrier, -int64_t{operand}))
        return Outcome::kFault;
      settle(*warp.cluster, *barrier);
    }
    if (inst.mode & 4)
      continue;
    uint32_t count = inst.mode & 1 ? 1 : operand;
    if (inst.mode & 2) {
      if (barrier->expected < count)
        return fault(warp, inst, i,
                     "drops more arrivals than the mbarrier expects");
      barrier->expected -= count;
    }
    if (inst.mode & 16 && barrier->pending - static_cast<int64_t>(count) == 0 &&
        barrier->transactions == 0)
      return fault(warp, inst, i,
                   "an arrival that must not complete the phase does");
    // Lanes of one instruction that arrive in the same phase release together.
    if (barrier != released || barrier->phase != phase)
      releaseTo(warp, mask, barrier->arriving);
    released = barrier;
    phase = barrier->phase;
    if (!arriveAt(warp, inst, i, *barrier, count))
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

// Inst::mode: 1 tests a parity, 2 may suspend the thread.
Outcome waitLanes(Warp &warp, const Inst &inst, Mask mask) {
  Mask done = 0, ofSame = 0; // ofSame: the lanes in `done` that wait on `same`
  const MBarrier *same = nullptr;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    MBarrier *barrier =
        findMBarrier(warp, inst, i, laneAddress(warp, inst, i), false);
    if (barrier == nullptr)
      return Outcome::kFault;
    bool complete =
        inst.mode & 1
            ? (barrier->phase & 1) != (warp.reg<uint32_t>(inst.b)[i] & 1)
            : barrier->phase > warp.reg<uint64_t>(inst.b)[i] >> 21;
    if (complete) {
      done |= Mask{1} << i;
      if (barrier != same && same != nullptr)
        acquireFrom(warp, std::exchange(ofSame, 0), same->complete);
      same = barrier;
      ofSame |= Mask{1} << i;
    } else {
      warp.failedWait = &inst;
      warp.failedLane = i;
    }
  }
  if (same != nullptr)
    acquireFrom(warp, ofSame, same->complete);
  Mask &p = warp.predicate(inst.dst);
  p = (p & ~mask) | done;
  if (done == mask && warp.failedWait == &inst)
    warp.failedWait = nullptr;
  return done == mask ? Outcome::kNext : Outcome::kYield;
}

void mbarrier(Builder &b) {
  b.allow({"init", "inval", "expect_tx", "complete_tx", "arrive", "arrive_drop",
           "noComplete", "test_wait", "try_wait", "parity", "pending_count",
           "shared", "shared::cta", "shared::cluster", "release", "acquire",
           "relaxed", "cta", "cluster"});
  Space space = b.has("shared::cluster")              ? Space::kSharedCluster
                : b.hasAny({"shared", "shared::cta"}) ? Space::kShared
                                                      : Space::kGeneric;
  if (b.has("init")) {
    b.expectCount(2, 2);
    b.address(b.operand(0), space);
    b.inst.b = b.source(b.operand(1), 4);
    b.inst.run = initialize;
  } else if (b.has("inval")) {
    b.expectCount(1, 1);
    b.address(b.operand(0), space);
    b.inst.run = invalidate;
  } else if (b.hasAny({"test_wait", "try_wait"})) {
    b.expectCount(3, 4);
    b.inst.dst = b.predicateDestination(b.operand(0));
    b.address(b.operand(1), space);
    b.inst.mode = (b.has("parity") ? 1 : 0) | (b.has("try_wait") ? 2 : 0);
    b.inst.b = b.source(b.operand(2), b.has("parity") ? 4 : 8);
    b.inst.run = waitLanes;
  } else if (b.has("pending_count")) {
    b.expectCount(2, 2);
    b.inst.dst = b.destination(b.operand(0), 4);
    b.inst.a = b.source(b.operand(1), 8);
    b.inst.run = [](Warp &warp, const Inst &inst, Mask mask) {
      forLanes(mask, [&](uint32_t i) {
        warp.reg<uint32_t>(inst.dst)[i] = static_cast<uint32_t>(
            warp.reg<uint64_t>(inst.a)[i] & ((1u << 21) - 1));
      });
      return Outcome::kNext;
    };
  } else {
    bool arrives = b.hasAny({"arrive", "arrive_drop"});
    size_t at = 0;
    if (arrives && b.operand(0).kind != Operand::kAddress) {
      if (b.operand(0).kind != Operand::kSink)
        b.inst.dst = b.destination(b.operand(0), 8);
      at = 1;
    }
    b.expectCount(at + 1, at + 2);
    b.address(b.operand(at), space);
    if (b.count() > at + 1)
      b.inst.b = b.source(b.operand(at + 1), 4);
    b.inst.mode = (b.has("expect_tx") ? 1 : 0) |
                  (b.has("arrive_drop") ? 2 : 0) | (arrives ? 0 : 4) |
                  (b.has("complete_tx") ? 8 : 0) |
                  (b.has("noComplete") ? 16 : 0);
    b.inst.run = arriveLanes;
  }
}

} // namespace

MBarrier *findMBarrier(Warp &warp, const Inst &inst, uint32_t lane,
                       uint64_t address, bool mayBeRemote) {
  Block *block = nullptr;
  uint32_t offset = 0;
  if (!resolveBarrier(warp, inst, lane, address, mayBeRemote, block, offset))
    return nullptr;
  auto found = block->mbarriers.find(offset);
  if (found == block->mbarriers.end()) {
    fault(warp, inst, lane,
          "there is no valid mbarrier at " + hex(offset) +
              "; mbarrier.init makes one");
    return nullptr;
  }
  MBarrier &barrier = found->second;
  if (warp.cluster->checks &&
      !(barrier.madeBy == warp.agent && barrier.madeIn == Mask{1} << lane) &&
      !knowledgeOf(warp, lane)
           .seen.covers(barrier.madeBy, barrier.madeIn, barrier.madeAt)) {
    fault(
        warp, inst, lane,
        "race: the mbarrier at " + hex(offset) +
            " is used with nothing that orders this behind its init by warp " +
            std::to_string(warp.cluster->warps[barrier.madeBy]->index));
    return nullptr;
  }
  return &barrier;
}

bool arriveAt(Warp &warp, const Inst &inst, uint32_t lane, MBarrier &barrier,
              uint32_t count) {
  barrier.pending -= count;
  if (barrier.pending < 0) {
    fault(warp, inst, lane,
          "more arrivals at the mbarrier than the " +
              std::to_string(barrier.expected) + " that phase " +
              std::to_string(barrier.phase) + " waits for");
    return false;
  }
  settle(*warp.cluster, barrier);
  return true;
}

namespace {
void handOnEngine(Warp &warp, MBarrier &barrier, uint32_t time) {
  if (!warp.cluster->checks)
    return;
  barrier.arriving.seen.raise(
      static_cast<uint32_t>(warp.cluster->warps.size()) + warp.agent, time);
}
} // namespace

void completeTransactions(Warp &warp, MBarrier &barrier, int64_t bytes,
                          uint32_t time) {
  handOnEngine(warp, barrier, time);
  barrier.transactions -= bytes;
  settle(*warp.cluster, barrier);
}

bool engineArrives(Warp &warp, const Inst &inst, uint32_t lane,
                   MBarrier &barrier, uint32_t time) {
  handOnEngine(warp, barrier, time);
  return arriveAt(warp, inst, lane, barrier, 1);
}

Decoder findMBarrierDecoder(std::string_view head) {
  return head == "mbarrier" ? mbarrier : nullptr;
}

} // namespace nibble::simt
