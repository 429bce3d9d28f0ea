// The order of accesses: releases and acquires by whole warps and by some of
// their lanes.
#include "runtime/drivers/simt/machine.h"

namespace nibble::simt {

// --- clocks ---

bool Clock::aheadCovers(uint32_t agent, Mask lanes, uint32_t time) const {
  for (const Ahead &entry : ahead_)
    if (entry.agent == agent && entry.time >= time)
      lanes &= ~entry.lanes;
  return lanes == 0;
}

void Clock::raise(uint32_t agent, Mask lanes, uint32_t time) {
  if (time <= of(agent))
    return;
  for (Ahead &entry : ahead_) {
    if (entry.agent != agent)
      continue;
    if (entry.time >= time)
      lanes &= ~entry.lanes;
    else
      entry.lanes &= ~lanes;
  }
  if (lanes != 0)
    ahead_.push_back({agent, lanes, time});
  std::erase_if(ahead_, [](const Ahead &entry) { return entry.lanes == 0; });
}

void Clock::joinAhead(const Clock &from) {
  for (const Ahead &entry : from.ahead_)
    raise(entry.agent, entry.lanes, entry.time);
  std::erase_if(ahead_, [&](const Ahead &entry) {
    return entry.time <= of(entry.agent);
  });
}

// --- warps ---

namespace {

bool isWhole(const Warp &warp, Mask lanes) { return (warp.live & ~lanes) == 0; }

// Applies `change` to the knowledge of these lanes and no others.
template <typename F> void changeKnowledge(Warp &warp, Mask lanes, F change) {
  if (isWhole(warp, lanes)) {
    change(warp.knowledge);
    for (KnowledgeApart &apart : warp.apart)
      change(apart.knowledge);
    return;
  }
  for (size_t i = 0, count = warp.apart.size(); i < count; ++i) {
    Mask both = warp.apart[i].lanes & lanes;
    if (both == 0)
      continue;
    lanes &= ~both;
    if (warp.apart[i].lanes == both) {
      change(warp.apart[i].knowledge);
      continue;
    }
    warp.apart[i].lanes &= ~both;
    warp.apart.push_back({both, warp.apart[i].knowledge});
    change(warp.apart.back().knowledge);
  }
  if (lanes != 0) {
    warp.apart.push_back({lanes, warp.knowledge});
    change(warp.apart.back().knowledge);
  }
}

// Adds the lanes' own accesses so far to the clock. If no other lane has
// accessed anything since all lanes were ordered, these are the warp's
// accesses.
void raiseOwn(const Warp &warp, Mask lanes, Clock &clock) {
  if ((warp.touched & ~lanes) == 0)
    clock.raise(warp.agent, warp.now);
  else if ((warp.touched & lanes) != 0)
    clock.raise(warp.agent, warp.touched & lanes, warp.now);
}

} // namespace

void releaseTo(Warp &warp, Mask lanes, Knowledge &into) {
  if (!warp.cluster->checks)
    return;
  Mask others = lanes;
  for (const KnowledgeApart &apart : warp.apart)
    if ((apart.lanes & lanes) != 0) {
      into.join(apart.knowledge);
      others &= ~apart.lanes;
    }
  if (others != 0)
    into.join(warp.knowledge);
  raiseOwn(warp, lanes, into.seen);
  ++warp.now;
}

void acquireFrom(Warp &warp, Mask lanes, const Knowledge &from) {
  if (!warp.cluster->checks)
    return;
  changeKnowledge(warp, lanes,
                  [&](Knowledge &knowledge) { knowledge.join(from); });
  if (warp.knowledge.seen.of(warp.agent) >= warp.lastTouch)
    warp.touched = 0;
}

void orderLanes(Warp &warp, Mask lanes) {
  if (!warp.cluster->checks)
    return;
  if (!isWhole(warp, lanes)) {
    Knowledge met;
    releaseTo(warp, lanes, met);
    return acquireFrom(warp, lanes, met);
  }
  for (const KnowledgeApart &apart : warp.apart)
    warp.knowledge.join(apart.knowledge);
  warp.apart.clear();
  warp.knowledge.seen.raise(warp.agent, warp.now++);
  warp.touched = 0;
}

void leaveBarrier(Warp &warp, Mask lanes, const Knowledge &met) {
  // The warp brought this knowledge to the barrier.
  if (warp.cluster->checks && isWhole(warp, lanes))
    warp.apart.clear();
  acquireFrom(warp, lanes, met);
}

void fenceProxy(Warp &warp, Mask lanes) {
  if (!warp.cluster->checks)
    return;
  changeKnowledge(warp, lanes, [&](Knowledge &knowledge) {
    knowledge.proxied.join(knowledge.seen);
    raiseOwn(warp, lanes, knowledge.proxied);
  });
  ++warp.now;
}

void seeEngine(Warp &warp, Mask lanes, const Warp &engine, uint32_t time) {
  if (!warp.cluster->checks)
    return;
  auto agent = static_cast<uint32_t>(warp.cluster->warps.size()) + engine.agent;
  changeKnowledge(warp, lanes, [&](Knowledge &knowledge) {
    knowledge.seen.raise(agent, time);
  });
}

} // namespace nibble::simt
