// Compares states of waiting warps to detect a deadlock.
#include "runtime/drivers/simt/observation.h"

#include <cstring>
#include <utility>

namespace nibble::simt {

namespace {

constexpr uint8_t kEnded = 0xff;
// Registers are compared in parts of this many bytes.
constexpr size_t kPart = 64;

Mask readyLanes(const Warp &warp) {
  Mask lanes = 0;
  for (const Fragment &fragment : warp.fragments)
    if (fragment.state == Fragment::kReady)
      lanes |= fragment.lanes;
  return lanes;
}

} // namespace

void Observation::begin() {
  traces_.resize(cluster_.warps.size());
  for (Trace &trace : traces_) {
    trace.isTaken = trace.recurs = false;
    trace.turns = 0;
    trace.span = 1;
  }
  for (Warp *warp : cluster_.warps)
    warp->isUnrepeatable = false;
}

Observation::Places Observation::placesOf(const Warp &warp) {
  Places places;
  std::fill(std::begin(places.pc), std::end(places.pc), 0);
  std::fill(std::begin(places.state), std::end(places.state), kEnded);
  for (const Fragment &fragment : warp.fragments)
    forLanes(fragment.lanes, [&](uint32_t i) {
      places.pc[i] = fragment.pc;
      places.state[i] = fragment.state;
    });
  return places;
}

bool Observation::isAsBefore(Trace &trace, const Warp &warp,
                             const Places &now) const {
  if (!(now == trace.places))
    return false;
  // A counter that differed before usually differs again, so a comparison of
  // its few bytes gives the usual answer.
  const uint8_t *before = trace.registers.data();
  size_t bytes = trace.registers.size();
  if (trace.differedAt + kPart <= bytes &&
      std::memcmp(before + trace.differedAt, warp.file + trace.differedAt,
                  kPart) != 0)
    return false;
  for (size_t at = 0; at < bytes; at += kPart)
    if (std::memcmp(before + at, warp.file + at, std::min(kPart, bytes - at)) !=
        0) {
      trace.differedAt = at;
      return false;
    }
  return trace.local == warp.local;
}

void Observation::look(Warp &warp) {
  Trace &trace = traces_[warp.agent];
  if (std::exchange(warp.isUnrepeatable, false)) {
    trace.isTaken = false;
    return;
  }
  Places now = placesOf(warp);
  if (trace.isTaken) {
    if (isAsBefore(trace, warp, now) &&
        (readyLanes(warp) & ~warp.haveRun) == 0) {
      trace.recurs = true;
      return;
    }
    if (++trace.turns < trace.span)
      return;
    trace.span *= 2;
  }
  trace.isTaken = true;
  trace.turns = 0;
  trace.places = now;
  trace.registers.assign(warp.file,
                         warp.file + cluster_.launch->code->fileBytes);
  trace.local = warp.local;
  warp.haveRun = 0;
}

bool Observation::allWait() const {
  return std::all_of(
      cluster_.warps.begin(), cluster_.warps.end(),
      [&](const Warp *warp) { return !isReady(*warp) || recurs(*warp); });
}

} // namespace nibble::simt
