// Checks accesses to shared memory. It compares the history of every four bytes
// with what the accessing warp knows.
#include "runtime/drivers/simt/machine.h"

#include <algorithm>
#include <bit>

namespace nibble::simt {

namespace {

struct Toucher {
  Warp &warp;
  const Inst &inst;
  uint32_t lane;
  Mask lanes; // lanes that access together
  Block &block;
  bool async;     // through the asynchronous proxy
  uint16_t agent; // agent under which the access is recorded
  uint32_t time;
  const Knowledge &knowledge;
};

bool isEngine(const Cluster &cluster, const Epoch &epoch) {
  return epoch.agent >= cluster.warps.size();
}

// Whether `epoch` happened before, for the lanes that do or issue the access.
bool isPast(const Toucher &toucher, const Epoch &epoch) {
  const Warp &warp = toucher.warp;
  if (epoch.agent == warp.agent &&
      ((epoch.lanes & ~toucher.lanes) == 0 ||
       epoch.step == static_cast<uint32_t>(warp.stepCount)))
    return true;
  return toucher.knowledge.seen.covers(epoch.agent, epoch.lanes, epoch.time);
}

bool isProxied(const Toucher &toucher, const Epoch &epoch) {
  return toucher.knowledge.proxied.covers(epoch.agent, epoch.lanes, epoch.time);
}

std::string describe(const Toucher &toucher, const Epoch &epoch) {
  const Cluster &cluster = *toucher.warp.cluster;
  uint32_t agent = epoch.agent;
  bool engine = isEngine(cluster, epoch);
  if (engine)
    agent -= static_cast<uint32_t>(cluster.warps.size());
  const Warp &other = *cluster.warps[agent];
  std::string who =
      engine
          ? "an asynchronous operation of warp " + std::to_string(other.index)
      : std::has_single_bit(epoch.lanes)
          ? "thread " +
                std::to_string(other.thread(std::countr_zero(epoch.lanes)))
          : "several threads of warp " + std::to_string(other.index);
  if (other.block != toucher.warp.block)
    who += " of block rank " + std::to_string(other.block->rank);
  return who;
}

bool race(const Toucher &toucher, const Epoch &epoch, uint32_t offset,
          const char *now, const char *before) {
  std::string what = std::string("race in shared memory at ") + hex(offset) +
                     ": " + now + " what " + describe(toucher, epoch) + " " +
                     before;
  what += isEngine(*toucher.warp.cluster, epoch)
              ? ", which nothing waited for"
              : ", without a barrier between them";
  fault(toucher.warp, toucher.inst, toucher.lane, what);
  return false;
}

bool missesFence(const Toucher &toucher, const Epoch &epoch, uint32_t offset) {
  fault(toucher.warp, toucher.inst, toucher.lane,
        "the asynchronous proxy touches shared memory at " + hex(offset) +
            " that " + describe(toucher, epoch) +
            " wrote; no fence.proxy.async stands between them");
  return false;
}

// A reader replaces an earlier one when everybody who knows of this one also
// knows of the earlier one.
void rememberReader(const Toucher &toucher, Granule &granule, Epoch epoch) {
  Epoch *free = nullptr;
  for (Epoch &reader : granule.readers) {
    if (reader.time == 0) {
      free = free ? free : &reader;
      continue;
    }
    if (reader.agent != epoch.agent)
      continue;
    bool sameLanes = reader.lanes == epoch.lanes;
    bool sameBytes = reader.bytes == epoch.bytes;
    if (reader.time == epoch.time && (sameLanes || sameBytes)) {
      epoch.lanes |= reader.lanes;
      epoch.bytes |= reader.bytes;
    } else if ((reader.lanes & ~epoch.lanes) != 0 &&
               !toucher.knowledge.seen.covers(reader.agent, reader.lanes,
                                              reader.time)) {
      continue;
    }
    reader = epoch;
    return;
  }
  (free ? *free : granule.readers[granule.next++ % Granule::kReaders]) = epoch;
}

bool touchGranule(const Toucher &toucher, Granule &granule, uint32_t offset,
                  uint8_t bytes, Touch touch) {
  const char *now = touch == Touch::kRead    ? "reads"
                    : touch == Touch::kWrite ? "overwrites"
                                             : "updates";
  if (touch != Touch::kWrite && (granule.written & bytes) != bytes) {
    fault(toucher.warp, toucher.inst, toucher.lane,
          "reads shared memory that nothing wrote, at " + hex(offset));
    return false;
  }
  if (granule.isBarrier) {
    fault(toucher.warp, toucher.inst, toucher.lane,
          std::string(now) + " the mbarrier at " + hex(offset) +
              " as if it were ordinary memory");
    return false;
  }
  const Epoch &writer = granule.writer;
  if (writer.time != 0 && (writer.bytes & bytes) != 0) {
    bool bothAtomic = touch == Touch::kAtomic && writer.atomic;
    if (!bothAtomic && !isPast(toucher, writer))
      return race(toucher, writer, offset, now, "wrote");
    if (toucher.async && writer.ordinary && !isProxied(toucher, writer))
      return missesFence(toucher, writer, offset);
  }
  Epoch epoch;
  epoch.time = toucher.time;
  epoch.step = static_cast<uint32_t>(toucher.warp.stepCount);
  epoch.lanes = toucher.lanes;
  epoch.agent = toucher.agent;
  epoch.bytes = bytes & 15;
  epoch.atomic = touch == Touch::kAtomic;
  epoch.ordinary = !toucher.async;
  if (touch == Touch::kRead) {
    rememberReader(toucher, granule, epoch);
    return true;
  }
  for (Epoch &reader : granule.readers) {
    if (reader.time == 0 || (reader.bytes & bytes) == 0)
      continue;
    if (!(touch == Touch::kAtomic && reader.atomic) && !isPast(toucher, reader))
      return race(toucher, reader, offset, now, "reads");
    reader.time = 0;
  }
  granule.written |= bytes;
  granule.writer = epoch;
  return true;
}

bool touchAll(const Toucher &toucher, uint32_t offset, uint32_t bytes,
              Touch touch) {
  uint32_t end = offset + bytes;
  for (uint32_t at = offset; at < end;) {
    uint32_t next = std::min(end, at / 4 * 4 + 4);
    uint8_t mask = static_cast<uint8_t>(((1u << (next - at)) - 1) << (at % 4));
    if (!touchGranule(toucher, toucher.block.granules[at / 4], at, mask, touch))
      return false;
    at = next;
  }
  return true;
}

} // namespace

bool touchShared(Warp &warp, const Inst &inst, uint32_t lane, Block &block,
                 uint32_t offset, uint32_t bytes, Touch touch) {
  Mask lanes = Mask{1} << lane;
  warp.touched |= lanes;
  warp.lastTouch = warp.now;
  Toucher toucher{warp,
                  inst,
                  lane,
                  lanes,
                  block,
                  false,
                  static_cast<uint16_t>(warp.agent),
                  warp.now,
                  knowledgeOf(warp, lane)};
  return touchAll(toucher, offset, bytes, touch);
}

bool touchSharedAsync(Warp &warp, const Warp &engine, const Inst &inst,
                      uint32_t lane, Block &block, uint32_t offset,
                      uint32_t bytes, Touch touch, bool async, uint32_t time) {
  if (!warp.cluster->checks)
    return true;
  // A warp issues a matrix instruction when all of its lanes have arrived.
  Mask lanes = inst.isMatrix ? kAllLanes : Mask{1} << lane;
  Toucher toucher{
      warp,
      inst,
      lane,
      lanes,
      block,
      async,
      static_cast<uint16_t>(engine.agent + warp.cluster->warps.size()),
      time,
      knowledgeOf(warp, lane)};
  return touchAll(toucher, offset, bytes, touch);
}

} // namespace nibble::simt
