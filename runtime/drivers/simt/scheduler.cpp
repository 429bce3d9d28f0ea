// Decides which lanes run next. Within a warp, the lanes with the lowest pc
// run, so that diverged lanes meet again where the text does. A failed wait
// gives the other lanes a turn. The seed chooses the order in which warps take
// turns.
#include "runtime/drivers/simt/observation.h"

#include <algorithm>
#include <utility>

namespace nibble::simt {

namespace {

// Merges fragments at the same pc and picks the one to run. Returns false when
// none is ready.
bool select(Warp &warp) {
  std::vector<Fragment> &fragments = warp.fragments;
  for (size_t i = 0; i < fragments.size(); ++i) {
    if (fragments[i].state == Fragment::kWaiting)
      continue;
    for (size_t j = i + 1; j < fragments.size();) {
      if (fragments[j].state != Fragment::kWaiting &&
          fragments[j].pc == fragments[i].pc) {
        fragments[i].lanes |= fragments[j].lanes;
        // It has more lanes than before, so it may begin now.
        fragments[i].state = Fragment::kReady;
        fragments.erase(fragments.begin() + static_cast<std::ptrdiff_t>(j));
      } else {
        ++j;
      }
    }
  }
  uint32_t best = kNone;
  for (int pass = 0; pass < 2 && best == kNone; ++pass) {
    for (uint32_t i = 0; i < fragments.size(); ++i) {
      if (fragments[i].state != Fragment::kReady)
        continue;
      // A fragment that has had its turn comes last.
      if (pass == 0 && (fragments[i].lanes & warp.avoid) != 0)
        continue;
      if (best == kNone || fragments[i].pc < fragments[best].pc)
        best = i;
    }
  }
  warp.current = best;
  if (best != kNone && (fragments[best].lanes & warp.avoid) != 0)
    warp.avoid = 0;
  return best != kNone;
}

void wakeParked(Warp &warp) {
  for (Fragment &fragment : warp.fragments)
    if (fragment.state == Fragment::kParked)
      fragment.state = Fragment::kReady;
}

void endLanes(Warp &warp, Mask lanes) {
  warp.live &= ~lanes;
  warp.block->liveThreads -= static_cast<uint32_t>(__builtin_popcount(lanes));
  noteChange(*warp.cluster, false);
  // Instructions that waited for these lanes now wait for fewer.
  wakeParked(warp);
}

// Whether an operand is a register of a wgmma that nothing has waited for.
bool touchesPending(Warp &warp, const Inst &inst) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.touched];
  for (uint32_t i = 0; i < inst.touchedSize; ++i)
    if (warp.pendingRegister[list[i] / 64] > warp.matrixWaited)
      return true;
  return false;
}

class Slice {
public:
  Slice(Warp &warp, uint32_t steps)
      : warp_(warp), code_(*warp.cluster->launch->code), steps_(steps),
        isWatched_(warp.cluster->isWatched) {}

  // Runs until the steps are used up, nothing is ready, or a wait fails. In a
  // watched cluster it stops when lanes have ended their turn, so that a loop
  // is always observed at the same place. Returns false when the launch failed.
  bool run() {
    warp_.yielded = false;
    while (steps_ > 0 && select(warp_)) {
      if (!runFragment())
        return false;
      if (warp_.yielded || turnIsOver_)
        return true;
    }
    return true;
  }

private:
  Fragment &fragment() { return warp_.fragments[warp_.current]; }

  // Whether to select again: another fragment is at the same pc and merges, or
  // one that is behind should catch up.
  bool mustSelect(uint32_t pc) const {
    for (uint32_t i = 0; i < warp_.fragments.size(); ++i) {
      const Fragment &other = warp_.fragments[i];
      if (i == warp_.current || other.state == Fragment::kWaiting)
        continue;
      if (other.pc == pc || (other.state == Fragment::kReady && other.pc < pc &&
                             (other.lanes & warp_.avoid) == 0))
        return true;
    }
    return false;
  }

  bool runFragment() {
    bool checkRegisters = warp_.cluster->checks &&
                          warp_.cluster->launch->options.pendingRegisters;
    uint32_t pc = fragment().pc;
    warp_.haveRun |= fragment().lanes;
    while (steps_ > 0) {
      const Inst &inst = code_.instructions[pc];
      Mask lanes = fragment().lanes;
      Mask mask = lanes;
      if (inst.predicate != kNone) {
        Mask p = warp_.predicate(inst.predicate);
        mask &= inst.predicateNegated ? ~p : p;
      }
      --steps_;
      ++warp_.stepCount;
      warp_.laneCount += static_cast<uint64_t>(__builtin_popcount(mask));
      if (mask == 0) {
        ++pc;
      } else {
        if (checkRegisters && warp_.pendingMatrix != 0 && !inst.isMatrix &&
            touchesPending(warp_, inst)) {
          fault(warp_, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                "touches a register of a wgmma that nothing has waited for; "
                "wgmma.wait_group must come first");
          return false;
        }
        Next next = step(inst, mask, lanes, pc);
        if (next == kFailed)
          return false;
        if (next == kReselect)
          return true;
        // Other lanes of the warp may have to end this loop.
        if (next == kJumpedBack &&
            (isWatched_ ||
             (warp_.fragments.size() > 1 && ++warp_.jumpsBack >= kTurn))) {
          warp_.jumpsBack = 0;
          turnIsOver_ = isWatched_;
          fragment().pc = pc;
          warp_.avoid |= fragment().lanes;
          return true;
        }
      }
      if (warp_.fragments.size() > 1 && mustSelect(pc))
        break;
    }
    fragment().pc = pc;
    return true;
  }

  enum Next { kGoOn, kJumpedBack, kReselect, kFailed };
  static constexpr uint32_t kTurn = 64;

  Next step(const Inst &inst, Mask mask, Mask lanes, uint32_t &pc) {
    if (inst.convergent && (warp_.live & ~mask) != 0) {
      park(pc);
      return kReselect;
    }
    switch (inst.flow) {
    case Flow::kBranch:
      return branch(inst.target, mask, lanes, pc);
    case Flow::kBranchTable:
      return branchTable(inst, mask, lanes, pc);
    case Flow::kExit:
      endLanes(warp_, mask);
      if (mask == lanes) {
        warp_.fragments.erase(warp_.fragments.begin() + warp_.current);
        return kReselect;
      }
      fragment().lanes &= ~mask;
      ++pc;
      return kGoOn;
    case Flow::kHandler:
      break;
    }
    switch (inst.run(warp_, inst, mask)) {
    case Outcome::kNext:
      ++pc;
      return kGoOn;
    case Outcome::kYield:
      fragment().pc = pc + 1;
      warp_.avoid |= lanes;
      warp_.yielded = true;
      return kReselect;
    case Outcome::kRetry:
      fragment().pc = pc;
      warp_.avoid |= lanes;
      warp_.yielded = true;
      return kReselect;
    case Outcome::kPark:
      park(pc);
      return kReselect;
    case Outcome::kBlocked:
      if (mask != lanes) { // the other lanes continue
        fragment().lanes &= ~mask;
        fragment().pc = pc + 1;
        warp_.fragments.push_back(
            {Fragment::kWaiting, mask, pc + 1, warp_.currentBarrier});
      } else {
        fragment() = {Fragment::kWaiting, mask, pc + 1, warp_.currentBarrier};
      }
      return kReselect;
    case Outcome::kFault:
      return kFailed;
    }
    return kFailed;
  }

  void park(uint32_t pc) {
    fragment().pc = pc;
    fragment().state = Fragment::kParked;
  }

  Next branch(uint32_t target, Mask mask, Mask lanes, uint32_t &pc) {
    if (mask == lanes) {
      bool back = target <= pc;
      pc = target;
      return back ? kJumpedBack : kGoOn;
    }
    fragment().lanes = lanes & ~mask;
    fragment().pc = pc + 1;
    warp_.fragments.push_back({Fragment::kReady, mask, target, nullptr});
    if ((warp_.avoid & lanes) != 0)
      warp_.avoid = 0;
    return kReselect;
  }

  Next branchTable(const Inst &inst, Mask mask, Mask lanes, uint32_t &pc) {
    const uint32_t *index = warp_.reg<uint32_t>(inst.a);
    Mask rest = mask;
    fragment().lanes = lanes & ~mask;
    fragment().pc = pc + 1;
    while (rest != 0) {
      uint32_t first = static_cast<uint32_t>(__builtin_ctz(rest));
      uint32_t entry = index[first];
      if (entry >= inst.listSize) {
        fault(warp_, inst, first,
              "index " + std::to_string(entry) + " of a table of " +
                  std::to_string(inst.listSize) + " targets");
        return kFailed;
      }
      Mask same = 0;
      forLanes(rest, [&](uint32_t i) {
        same |= static_cast<Mask>(index[i] == entry) << i;
      });
      warp_.fragments.push_back({Fragment::kReady, same,
                                 code_.branchTable[inst.target + entry],
                                 nullptr});
      rest &= ~same;
    }
    if (mask == lanes)
      warp_.fragments.erase(warp_.fragments.begin() + warp_.current);
    return kReselect;
  }

  Warp &warp_;
  const Code &code_;
  uint32_t steps_;
  bool isWatched_;
  bool turnIsOver_ = false;
};

std::string threads(const Warp &warp, Mask lanes) {
  uint32_t first = static_cast<uint32_t>(__builtin_ctz(lanes));
  return lanes == Mask{1} << first
             ? "thread " + std::to_string(warp.thread(first))
             : std::to_string(__builtin_popcount(lanes)) + " threads from " +
                   std::to_string(warp.thread(first));
}

// For example "block (0, 0, 0) 32 threads from 64 wait at line 12 `bar.sync 1,
// 64;`".
std::string describeWaiting(const Warp &warp, const Fragment &fragment) {
  const Code &code = *warp.cluster->launch->code;
  uint32_t pc =
      fragment.state == Fragment::kWaiting ? fragment.pc - 1 : fragment.pc;
  const Inst *inst = &code.instructions[pc];
  std::string what = threads(warp, fragment.lanes);
  if (fragment.state == Fragment::kReady && warp.failedWait != nullptr)
    inst = warp.failedWait;
  std::string_view text = code.source->lines[inst->line - 1];
  size_t begin = text.find_first_not_of(" \t");
  what += fragment.state == Fragment::kParked
              ? " wait for the other lanes of the warp"
              : " wait";
  return what + " at PTX line " + std::to_string(inst->line) + " `" +
         std::string(text.substr(begin == std::string_view::npos ? 0 : begin)) +
         "`";
}

// Reports a launch in which nothing can happen any more.
Outcome reportStuck(Cluster &cluster, const char *how) {
  std::string what;
  Warp *culprit = nullptr;
  const Inst *inst = nullptr;
  uint32_t lane = 0;
  for (Warp *warp : cluster.warps) {
    for (const Fragment &fragment : warp->fragments) {
      if (culprit == nullptr) {
        culprit = warp;
        uint32_t pc = fragment.state == Fragment::kWaiting ? fragment.pc - 1
                                                           : fragment.pc;
        inst = fragment.state == Fragment::kReady && warp->failedWait != nullptr
                   ? warp->failedWait
                   : &cluster.launch->code->instructions[pc];
        lane = static_cast<uint32_t>(__builtin_ctz(fragment.lanes));
      }
      if (what.size() < 1500)
        what += (what.empty() ? "" : "; ") +
                (warp->cluster->blocks.size() > 1
                     ? "block rank " + std::to_string(warp->block->rank) + ": "
                     : "") +
                describeWaiting(*warp, fragment);
    }
  }
  for (const auto &block : cluster.blocks) {
    for (uint32_t i = 0; i < 16; ++i)
      if (const Barrier &barrier = block->barriers[i]; barrier.expected != 0)
        what += "; barrier " + std::to_string(i) + " of block rank " +
                std::to_string(block->rank) + " has " +
                std::to_string(barrier.arrived) + " of " +
                std::to_string(barrier.expected) + " threads";
    for (const auto &[offset, barrier] : block->mbarriers)
      if (barrier.pending != barrier.expected || barrier.transactions != 0 ||
          what.size() < 1500)
        what += "; mbarrier at " + hex(offset) + ": phase " +
                std::to_string(barrier.phase) + ", " +
                std::to_string(barrier.pending) + " of " +
                std::to_string(barrier.expected) + " arrivals and " +
                std::to_string(barrier.transactions) + " bytes pending";
  }
  if (cluster.barrier.arrived != 0)
    what += "; the cluster's barrier has " +
            std::to_string(cluster.barrier.arrived) + " of " +
            std::to_string(cluster.barrier.expected) + " threads";
  if (culprit == nullptr)
    return Outcome::kFault;
  return fault(*culprit, *inst, lane, std::string(how) + ": " + what);
}

} // namespace

void release(Cluster &cluster, const void *barrier) {
  for (Warp *warp : cluster.warps) {
    for (Fragment &fragment : warp->fragments) {
      if (fragment.state != Fragment::kWaiting || fragment.waitsFor != barrier)
        continue;
      fragment.state = Fragment::kReady;
      leaveBarrier(*warp, fragment.lanes,
                   static_cast<const Barrier *>(barrier)->knowledge);
    }
  }
}

namespace {

// The reason why a cluster does not continue.
struct Standstill {
  const char *how = nullptr; // null when it may continue
  // Whether nothing outside the cluster can end the wait.
  bool isOwn = false;
};

// What is known of a cluster since the last change in it, or the last published
// change outside.
class Calm {
public:
  explicit Calm(Cluster &cluster)
      : cluster_(cluster), launch_(cluster.launch->quiescence),
        observation_(cluster), since_(launch_.changes()) {}

  bool recurs(const Warp &warp) const {
    return cluster_.isWatched && observation_.recurs(warp);
  }
  void look(Warp &warp) {
    if (cluster_.isWatched)
      observation_.look(warp);
  }
  void count(uint64_t steps) {
    steps_ += steps;
    unwatched_ += cluster_.isWatched ? 0 : steps;
  }

  // Called after each round. Returns true when something in the cluster has
  // changed or may have changed.
  bool isOver() {
    if (std::exchange(cluster_.hasWritten, false))
      launch_.publish();
    bool hasStored = std::exchange(cluster_.hasStored, false);
    bool hasChanged =
        std::exchange(progress_, cluster_.progress) != cluster_.progress;
    if (hasChanged || hasStored) {
      steps_ = 0;
      cluster_.looksOutside = lookedBefore_ = false;
      since_ = launch_.changes();
    } else if (uint64_t now = launch_.changes(); now != since_) {
      since_ = now;
      lookAgain();
    }
    if (hasChanged) {
      cluster_.isWatched = false;
      unwatched_ = 0;
      scale_ = 1;
      return true;
    }
    // When to observe, and for how long, only affects the cost; the observation
    // decides. The duration grows, to find longer cycles. The interval between
    // observations grows faster, so a computing cluster pays almost nothing. A
    // store also ends an observation, because it was compared and has changed
    // something.
    if (!cluster_.isWatched &&
        unwatched_ >= kStepsUnwatched * scale_ * scale_) {
      cluster_.isWatched = true;
      observe();
    } else if (cluster_.isWatched &&
               (hasStored || ++watched_ > kRoundsWatched * scale_)) {
      cluster_.isWatched = false;
      unwatched_ = 0;
      scale_ *= 2;
    }
    return hasStored;
  }

  Standstill standstill() const {
    if (steps_ > cluster_.launch->options.spinLimit)
      return {"never ends: nothing was stored and nobody arrived anywhere for "
              "a long time",
              !cluster_.looksOutside && !lookedBefore_};
    bool parked = false, waiting = false, ready = false;
    for (Warp *warp : cluster_.warps)
      for (const Fragment &fragment : warp->fragments) {
        parked |= fragment.state == Fragment::kParked;
        waiting |= fragment.state != Fragment::kParked;
        ready |= fragment.state == Fragment::kReady;
      }
    if (ready && !(cluster_.isWatched && observation_.allWait()))
      return {};
    return {parked && !waiting ? "diverged: lanes of a warp wait for each other"
                               : "never ends: everybody waits",
            !ready || !cluster_.looksOutside};
  }

  // Asks for the verdict over all clusters. Returns false when another cluster
  // has changed something, so that this one must look again.
  bool isForEver() {
    if (launch_.waitsForEver(since_))
      return true;
    since_ = launch_.changes();
    lookAgain();
    return false;
  }

private:
  static constexpr uint64_t kStepsUnwatched = 1 << 14;
  static constexpr uint64_t kRoundsWatched = 4;

  void lookAgain() {
    steps_ = 0;
    if (cluster_.isWatched)
      observe();
  }
  void observe() {
    watched_ = 0;
    lookedBefore_ |= std::exchange(cluster_.looksOutside, false);
    observation_.begin();
  }

  Cluster &cluster_;
  Quiescence &launch_;
  Observation observation_;
  uint64_t since_;        // published changes that precede everything observed
  uint64_t progress_ = 0; // the cluster's progress at the last round
  uint64_t steps_ = 0; // instructions since the last change here or elsewhere
  uint64_t unwatched_ = 0; // instructions since the last observation
  uint64_t watched_ = 0;   // rounds since the observation began
  uint64_t scale_ = 1;
  // Whether it accessed global memory before the observation began.
  bool lookedBefore_ = false;
};

} // namespace

Status runCluster(Cluster &cluster) {
  constexpr uint32_t kLongSlice = 2048;
  // Most instructions of a loop that waits.
  constexpr uint32_t kLongestLoop = 512;
  Calm calm(cluster);
  std::vector<Warp *> order = cluster.warps;
  for (;;) {
    ++cluster.round;
    bool anyLive = false, anyRan = false;
    if (cluster.checks)
      std::swap(
          order[cluster.random.below(static_cast<uint32_t>(order.size()))],
          order[cluster.random.below(static_cast<uint32_t>(order.size()))]);
    for (Warp *warp : order) {
      if (warp->live == 0)
        continue;
      anyLive = true;
      if (!isReady(*warp) || calm.recurs(*warp))
        continue;
      uint64_t before = warp->stepCount;
      uint32_t steps = cluster.checks && !cluster.isWatched
                           ? 1 + cluster.random.below(256)
                           : kLongSlice;
      if (!Slice(*warp, steps).run())
        return cluster.error;
      calm.look(*warp);
      // A warp that has executed much since its last failed wait is computing.
      // The others may be in a wait loop.
      warp->sinceWait =
          warp->yielded ? 0
                        : warp->sinceWait +
                              static_cast<uint32_t>(warp->stepCount - before);
      anyRan |=
          !warp->yielded && isReady(*warp) && warp->sinceWait > kLongestLoop;
      calm.count(warp->stepCount - before);
    }
    if (!anyLive)
      break;
    for (size_t i = 0; i < cluster.pending.size();) {
      if (cluster.pending[i]->due > cluster.round) {
        ++i;
        continue;
      }
      if (completeAt(cluster, i) == Outcome::kFault)
        return cluster.error;
      i = 0;
    }
    if (calm.isOver())
      continue;
    // Pending operations complete by themselves. When all warps wait for one,
    // it completes without delay.
    if (!cluster.pending.empty()) {
      if (!anyRan &&
          completeAt(cluster, cluster.random.below(static_cast<uint32_t>(
                                  cluster.pending.size()))) == Outcome::kFault)
        return cluster.error;
      continue;
    }
    if (Standstill still = calm.standstill();
        still.how != nullptr && (still.isOwn || calm.isForEver())) {
      cluster.waitedForOthers = !still.isOwn;
      reportStuck(cluster, still.how);
      return cluster.error;
    }
  }
  // Operations that nothing waited for still reach memory.
  if (completeWhere(cluster, [](const AsyncOp &) { return true; }) ==
      Outcome::kFault)
    return cluster.error;
  return Status::ok();
}

} // namespace nibble::simt
