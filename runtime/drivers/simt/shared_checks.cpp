// What may touch shared memory when: the history of every four bytes held against what the warp knows.
#include "runtime/drivers/simt/machine.h"

#include <algorithm>

namespace nibble::simt {

namespace {

struct Toucher {
  Warp &warp;
  const Inst &inst;
  uint32_t lane;
  Block &block;
  bool async;     // through the asynchronous proxy
  uint16_t agent; // that the access is recorded as
  uint32_t time;
};

bool isEngine(const Cluster &cluster, const Epoch &epoch) { return epoch.agent >= cluster.warps.size(); }

// Whether `epoch` is past for the warp that does or issues the access.
bool isPast(const Toucher &toucher, const Epoch &epoch) {
  const Warp &warp = toucher.warp;
  if (epoch.agent == warp.agent) {
    if (epoch.lane == toucher.lane || epoch.step == static_cast<uint32_t>(warp.stepCount))
      return true;
    return epoch.time < warp.knowledge.seen[epoch.agent];
  }
  return epoch.time <= warp.knowledge.seen[epoch.agent];
}

bool isProxied(const Toucher &toucher, const Epoch &epoch) {
  const Clock &proxied = toucher.warp.knowledge.proxied;
  return epoch.agent < proxied.size() && epoch.time <= proxied[epoch.agent];
}

std::string describe(const Toucher &toucher, const Epoch &epoch) {
  const Cluster &cluster = *toucher.warp.cluster;
  uint32_t agent = epoch.agent;
  bool engine = isEngine(cluster, epoch);
  if (engine)
    agent -= static_cast<uint32_t>(cluster.warps.size());
  const Warp &other = *cluster.warps[agent];
  std::string who = engine                ? "an asynchronous operation of warp " + std::to_string(other.index)
                    : epoch.lane < kLanes ? "thread " + std::to_string(other.thread(epoch.lane))
                                          : "several threads of warp " + std::to_string(other.index);
  if (other.block != toucher.warp.block)
    who += " of block rank " + std::to_string(other.block->rank);
  return who;
}

bool race(const Toucher &toucher, const Epoch &epoch, uint32_t offset, const char *now, const char *before) {
  std::string what = std::string("race in shared memory at ") + hex(offset) + ": " + now + " what " +
                     describe(toucher, epoch) + " " + before;
  what += isEngine(*toucher.warp.cluster, epoch) ? ", which nothing waited for" : ", without a barrier between them";
  fault(toucher.warp, toucher.inst, toucher.lane < kLanes ? toucher.lane : 0, what);
  return false;
}

bool missesFence(const Toucher &toucher, const Epoch &epoch, uint32_t offset) {
  fault(toucher.warp, toucher.inst, toucher.lane < kLanes ? toucher.lane : 0,
        "the asynchronous proxy touches shared memory at " + hex(offset) + " that " + describe(toucher, epoch) +
            " wrote; no fence.proxy.async stands between them");
  return false;
}

bool touchGranule(const Toucher &toucher, Granule &granule, uint32_t offset, uint8_t bytes, Touch touch) {
  const char *now = touch == Touch::kRead ? "reads" : touch == Touch::kWrite ? "overwrites" : "updates";
  if (touch != Touch::kWrite && (granule.written & bytes) != bytes) {
    fault(toucher.warp, toucher.inst, toucher.lane < kLanes ? toucher.lane : 0,
          "reads shared memory that nothing wrote, at " + hex(offset));
    return false;
  }
  if (granule.isBarrier) {
    fault(toucher.warp, toucher.inst, toucher.lane < kLanes ? toucher.lane : 0,
          std::string(now) + " the mbarrier at " + hex(offset) + " as if it were ordinary memory");
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
  epoch.agent = toucher.agent;
  epoch.lane = static_cast<uint8_t>(toucher.lane);
  epoch.bytes = bytes;
  epoch.atomic = touch == Touch::kAtomic;
  epoch.ordinary = !toucher.async;
  if (touch == Touch::kRead) {
    for (Epoch &reader : granule.readers) {
      if (reader.time == 0 || reader.agent != epoch.agent)
        continue;
      // A later time replaces an earlier one; within one time, lanes and bytes add up.
      if (reader.time == epoch.time) {
        epoch.lane = reader.lane == epoch.lane ? epoch.lane : static_cast<uint8_t>(kLanes);
        epoch.bytes |= reader.bytes;
      }
      reader = epoch;
      return true;
    }
    for (Epoch &reader : granule.readers)
      if (reader.time == 0) {
        reader = epoch;
        return true;
      }
    granule.readers[granule.next++ % Granule::kReaders] = epoch;
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

bool touchAll(const Toucher &toucher, uint32_t offset, uint32_t bytes, Touch touch) {
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

bool touchShared(Warp &warp, const Inst &inst, uint32_t lane, Block &block, uint32_t offset, uint32_t bytes,
                 Touch touch) {
  Toucher toucher{warp, inst, lane, block, false, static_cast<uint16_t>(warp.agent), warp.knowledge.seen[warp.agent]};
  return touchAll(toucher, offset, bytes, touch);
}

bool touchSharedAsync(Warp &warp, const Warp &engine, const Inst &inst, uint32_t lane, Block &block, uint32_t offset,
                      uint32_t bytes, Touch touch, bool async, uint32_t time) {
  if (!warp.cluster->checks)
    return true;
  Toucher toucher{warp, inst, lane, block, async, static_cast<uint16_t>(engine.agent + warp.cluster->warps.size()),
                  time};
  return touchAll(toucher, offset, bytes, touch);
}

} // namespace nibble::simt
