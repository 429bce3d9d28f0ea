// Detects that a cluster in which nothing changes runs in a cycle.
//
// A warp waits when its state recurs. The next step of its lanes depends on
// their instructions, registers and local memory, and on memory and barriers.
// Memory and barriers do not change during an observation.
//
// Lanes are independent of each other except where they execute an instruction
// together, and that instruction waits for all participants. The order of the
// lanes' turns therefore decides nothing. When all lanes that can run have run
// and every lane is back in an earlier state, they repeat forever.
//
// An instruction whose result depends on that order or on time (activemask of
// diverged lanes, %clock) voids the observation. The warp is then not known to
// wait, whatever it does.
//
// A loop that counts, waits for longer and longer, or reads a clock is
// therefore no wait. SimtOptions::spinLimit ends it.
#pragma once

#include "runtime/drivers/simt/machine.h"

#include <algorithm>

namespace nibble::simt {

class Observation {
public:
  explicit Observation(Cluster &cluster) : cluster_(cluster) {}

  // Begins, or begins again after a change.
  void begin();
  // Records the warp's state after its turn.
  void look(Warp &warp);
  bool recurs(const Warp &warp) const { return traces_[warp.agent].recurs; }
  // Whether all warps of the cluster recur or are blocked, so that none can
  // continue before something changes.
  bool allWait() const;

private:
  // The positions of a warp's lanes.
  struct Places {
    uint32_t pc[kLanes];
    uint8_t state[kLanes]; // Fragment::State, or kEnded
    bool operator==(const Places &) const = default;
  };
  // A state of the warp to compare later ones with. By Brent's method it is
  // replaced after 1, 2, 4, ... turns. A cycle is then found within a few times
  // its length, whatever precedes it.
  struct Trace {
    bool isTaken = false, recurs = false;
    Places places;
    std::vector<uint8_t> registers, local;
    size_t differedAt = 0; // the part of the registers to compare first
    uint64_t turns = 0;
    uint64_t span = 1;
  };

  static Places placesOf(const Warp &warp);
  bool isAsBefore(Trace &trace, const Warp &warp, const Places &now) const;

  Cluster &cluster_;
  std::vector<Trace> traces_; // by agent
};

inline bool isReady(const Warp &warp) {
  return std::any_of(
      warp.fragments.begin(), warp.fragments.end(),
      [](const Fragment &f) { return f.state == Fragment::kReady; });
}

} // namespace nibble::simt
