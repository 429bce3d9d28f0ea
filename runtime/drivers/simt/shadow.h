// Who touched what, and what each warp knows of it: happens-before by vector clocks.
//
// An agent is a warp, or the asynchronous engine that a warp has started work on: agent w of a cluster with W warps is
// a warp, agent W + w its engine. A clock holds for every agent the time up to which its accesses are known to be past.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace nibble::simt {

using Clock = std::vector<uint32_t>; // by agent

inline void join(Clock &into, const Clock &from) {
  if (into.size() < from.size())
    into.resize(from.size(), 0);
  for (size_t i = 0; i < from.size(); ++i)
    into[i] = std::max(into[i], from[i]);
}

// What a release carries to an acquire.
struct Knowledge {
  Clock seen;    // accesses that are past
  Clock proxied; // ordinary accesses that the asynchronous proxy sees too: a fence.proxy.async stands behind them
  void join(const Knowledge &other) {
    simt::join(seen, other.seen);
    simt::join(proxied, other.proxied);
  }
  void clear() {
    seen.clear();
    proxied.clear();
  }
};

// One access: agent, lane, bytes of the granule, time.
struct Epoch {
  uint32_t time = 0; // 0: none
  uint32_t step = 0; // the instruction of the warp: lanes of one instruction are not ordered, and not at war
  uint16_t agent = 0;
  uint8_t lane = 0;  // 32: several
  uint8_t bytes = 0; // a bit per byte of the granule
  bool atomic = false;
  bool ordinary = true; // through the generic proxy, as cp.async too
};

// What happened last to four bytes of shared memory.
struct Granule {
  static constexpr int kReaders = 3;
  Epoch writer;
  Epoch readers[kReaders]; // one per agent; more agents than that push out the oldest, which can hide a race, not
                           // invent one
  uint8_t written = 0;     // a bit per byte
  uint8_t next = 0;        // reader to push out
  bool isBarrier = false;  // part of an mbarrier: no ordinary access
};

} // namespace nibble::simt
