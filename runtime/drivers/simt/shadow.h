// Records which agent touched which bytes, and what each warp knows of it:
// happens-before by vector clocks.
//
// An agent is a warp, or the asynchronous engine on which a warp has started
// work. In a cluster with W warps, agent w is warp w and agent W + w its
// engine. For every agent, a clock holds the time up to which its accesses are
// known to have happened before.
//
// Lanes of a warp are distinguished where necessary. A lane that arrives alone
// passes on its own accesses; of the other lanes, it passes on only what was
// ordered before.
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
  // The time up to which accesses of all lanes of the agent have happened
  // before.
  uint32_t of(uint32_t agent) const {
    return agent < times_.size() ? times_[agent] : 0;
  }
  // Whether accesses of these lanes up to `time` have happened before. For an
  // engine, any lanes.
  bool covers(uint32_t agent, Mask lanes, uint32_t time) const {
    return time <= of(agent) ||
           (!ahead_.empty() && aheadCovers(agent, lanes, time));
  }
  void raise(uint32_t agent, uint32_t time) {
    if (times_.size() <= agent)
      times_.resize(agent + 1, 0);
    times_[agent] = std::max(times_[agent], time);
  }
  // Raises the time for some lanes only.
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
  // Lanes of an agent of which more is known than of all lanes. There are few
  // such entries, usually none.
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

// The knowledge that a release passes to an acquire.
struct Knowledge {
  Clock seen; // accesses that happened before
  // Ordinary accesses that the asynchronous proxy also sees, because a
  // fence.proxy.async follows them.
  Clock proxied;
  void join(const Knowledge &other) {
    seen.join(other.seen);
    proxied.join(other.proxied);
  }
  void clear() {
    seen.clear();
    proxied.clear();
  }
};

// The knowledge of lanes that have waited for something alone. It contains all
// that the warp knows.
struct KnowledgeApart {
  Mask lanes;
  Knowledge knowledge;
};

// One access: agent, lanes, bytes of the granule, time.
struct Epoch {
  uint32_t time = 0; // 0: none
  // Number of the warp's instruction; lanes of one instruction are unordered
  // but never race.
  uint32_t step = 0;
  Mask lanes = 0;
  uint16_t agent = 0;
  uint8_t bytes : 4 = 0; // one bit per byte of the granule
  uint8_t atomic : 1 = false;
  // Through the generic proxy, which cp.async uses too.
  uint8_t ordinary : 1 = true;
};

// The last accesses to four bytes of shared memory.
struct Granule {
  static constexpr int kReaders = 3;
  Epoch writer;
  // Unordered lanes have one entry each. When there are too many readers, the
  // oldest is dropped, which can hide a race but not invent one.
  Epoch readers[kReaders];
  uint8_t written = 0; // one bit per byte
  uint8_t next = 0;    // the next reader to drop
  // Part of an mbarrier, so ordinary accesses are errors.
  bool isBarrier = false;
};

} // namespace nibble::simt
