// Who touched what, and what each warp knows of it: happens-before by vector
// clocks.
//
// An agent is a warp, or the asynchronous engine that a warp has started work
// on: agent w of a cluster with W warps is a warp, agent W + w its engine. A
// clock holds for every agent the time up to which its accesses are known to be
// past. Lanes of a warp are told apart where they must be: a lane that arrives
// somewhere by itself hands on its own accesses, and of the other lanes only
// what was ordered before.
#pragma once

#include "runtime/drivers/simt/ptx/code.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nibble::simt {

class Clock {
public:
  void assign(size_t agents) {
    times_.assign(agents, 0);
    ahead_.clear();
  }
  void clear() {
    times_.clear();
    ahead_.clear();
  }
  // Up to which time accesses of all lanes of the agent are past.
  uint32_t of(uint32_t agent) const {
    return agent < times_.size() ? times_[agent] : 0;
  }
  // Whether the accesses of these lanes of the agent, of any lanes when it is
  // an engine, are past up to `time`.
  bool covers(uint32_t agent, Mask lanes, uint32_t time) const {
    return time <= of(agent) ||
           (!ahead_.empty() && aheadCovers(agent, lanes, time));
  }
  void raise(uint32_t agent, uint32_t time) {
    if (times_.size() <= agent)
      times_.resize(agent + 1, 0);
    times_[agent] = std::max(times_[agent], time);
  }
  // For some lanes alone.
  void raise(uint32_t agent, Mask lanes, uint32_t time);
  void join(const Clock &from) {
    if (times_.size() < from.times_.size())
      times_.resize(from.times_.size(), 0);
    for (size_t i = 0; i < from.times_.size(); ++i)
      times_[i] = std::max(times_[i], from.times_[i]);
    if (!ahead_.empty() || !from.ahead_.empty())
      joinAhead(from);
  }

private:
  // Lanes of an agent of which more is known than of all; few, and mostly none.
  struct Ahead {
    uint32_t agent;
    Mask lanes;
    uint32_t time;
  };
  bool aheadCovers(uint32_t agent, Mask lanes, uint32_t time) const;
  void joinAhead(const Clock &from);

  std::vector<uint32_t> times_; // by agent
  std::vector<Ahead> ahead_;
};

// What a release carries to an acquire.
struct Knowledge {
  Clock seen;    // accesses that are past
  Clock proxied; // ordinary accesses that the asynchronous proxy sees too: a
                 // fence.proxy.async stands behind them
  void join(const Knowledge &other) {
    seen.join(other.seen);
    proxied.join(other.proxied);
  }
  void clear() {
    seen.clear();
    proxied.clear();
  }
};

// What lanes know that have waited for something by themselves: all that the
// warp knows, and more.
struct KnowledgeApart {
  Mask lanes;
  Knowledge knowledge;
};

// One access: agent, lanes, bytes of the granule, time.
struct Epoch {
  uint32_t time = 0; // 0: none
  uint32_t step = 0; // the instruction of the warp: lanes of one instruction
                     // are not ordered, and not at war
  Mask lanes = 0;
  uint16_t agent = 0;
  uint8_t bytes : 4 = 0; // a bit per byte of the granule
  uint8_t atomic : 1 = false;
  uint8_t ordinary : 1 = true; // through the generic proxy, as cp.async too
};

// What happened last to four bytes of shared memory.
struct Granule {
  static constexpr int kReaders = 3;
  Epoch writer;
  Epoch readers[kReaders]; // lanes that are not ordered have one each; more
                           // readers than that push out the oldest, which can
                           // hide a race, not invent one
  uint8_t written = 0;     // a bit per byte
  uint8_t next = 0;        // reader to push out
  bool isBarrier = false;  // part of an mbarrier: no ordinary access
};

} // namespace nibble::simt
