// Whether a cluster in which nothing changes goes around in circles.
//
// A warp waits when its state recurs: what decides what its lanes do next is
// their instructions, registers and local memory, beside memory and barriers,
// which do not change while this is observed. Lanes are independent of each
// other but where they execute an instruction together, and that one waits for
// all who take part: so the order in which a warp's lanes have their turns
// decides nothing, and when all lanes that can run have done something and
// every lane is back where it was, they go around for ever. An instruction
// whose result depends on that order or on time (activemask of parted lanes,
// %clock) makes what was seen void: the warp is then not known to wait,
// whatever it does.
//
// A loop that counts, waits for longer and longer or looks at a clock is
// therefore no wait; SimtOptions::spinLimit ends it.
#pragma once

#include "runtime/drivers/simt/machine.h"

#include <algorithm>

namespace nibble::simt {

class Observation {
public:
  explicit Observation(Cluster &cluster) : cluster_(cluster) {}

  // Begins, or begins anew because something has changed.
  void begin();
  // The warp has had a turn.
  void look(Warp &warp);
  bool recurs(const Warp &warp) const { return traces_[warp.agent].recurs; }
  // All warps of the cluster recur or are blocked: none can go on before
  // something changes.
  bool allWait() const;

private:
  // Where the lanes of a warp are.
  struct Places {
    uint32_t pc[kLanes];
    uint8_t state[kLanes]; // Fragment::State; kEnded
    bool operator==(const Places &) const = default;
  };
  // A state of the warp, to be found again. Brent's method: it is replaced
  // after 1, 2, 4, ... turns, so that a circle is found in a few times its
  // length, whatever comes before it.
  struct Trace {
    bool isTaken = false, recurs = false;
    Places places;
    std::vector<uint8_t> registers, local;
    size_t differedAt = 0; // the part of the registers to be compared first
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
