// bar, barrier, barrier.cluster and setmaxnreg.
#include "runtime/drivers/simt/machine.h"
#include "runtime/drivers/simt/ptx/builder.h"

namespace nibble::simt {

void decodeWarpBarrier(Builder &b);

namespace {

uint32_t uniform(Warp &warp, uint32_t offset, Mask mask) {
  return warp.reg<uint32_t>(offset)[__builtin_ctz(mask)];
}

void complete(Warp &warp, Barrier &barrier) {
  release(*warp.cluster, &barrier);
  barrier.expected = barrier.arrived = 0;
  barrier.knowledge.clear();
}

// Inst::mode: 0 is sync, 1 is arrive.
Outcome barrierLanes(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t lane = static_cast<uint32_t>(__builtin_ctz(mask));
  uint32_t id = uniform(warp, inst.a, mask);
  if (id >= 16)
    return fault(warp, inst, lane,
                 "there is no barrier " + std::to_string(id) +
                     "; a block has 16");
  Barrier &barrier = warp.block->barriers[id];
  uint32_t threads = warp.cluster->launch->shape.threads;
  uint32_t expected = inst.b == kNone ? (threads + kLanes - 1) / kLanes * kLanes
                                      : uniform(warp, inst.b, mask);
  if (inst.b != kNone && (expected == 0 || expected % kLanes != 0 ||
                          expected > (threads + kLanes - 1) / kLanes * kLanes))
    return fault(warp, inst, lane,
                 "barrier " + std::to_string(id) + " is to wait for " +
                     std::to_string(expected) + " threads of a block of " +
                     std::to_string(threads) +
                     "; whole warps of it are possible");
  if (barrier.expected != 0 && barrier.expected != expected)
    return fault(warp, inst, lane,
                 "barrier " + std::to_string(id) + " is to wait for " +
                     std::to_string(expected) + " threads here, and for " +
                     std::to_string(barrier.expected) +
                     " by those that are waiting at it");
  barrier.expected = expected;
  // A warp counts as a whole. Lanes beyond the block's threads and lanes that
  // have ended arrive with the others.
  bool isWhole = (warp.live & ~mask) == 0;
  barrier.arrived +=
      isWhole ? kLanes : static_cast<uint32_t>(__builtin_popcount(mask));
  noteChange(*warp.cluster, false);
  releaseTo(warp, mask, barrier.knowledge);
  if (barrier.arrived > barrier.expected)
    return fault(warp, inst, lane,
                 "barrier " + std::to_string(id) + " has " +
                     std::to_string(barrier.arrived) +
                     " arrivals and waits for " +
                     std::to_string(barrier.expected));
  if (inst.mode == 1) {
    if (barrier.arrived == barrier.expected)
      complete(warp, barrier);
    return Outcome::kNext;
  }
  if (barrier.arrived == barrier.expected) {
    leaveBarrier(warp, mask, barrier.knowledge);
    complete(warp, barrier);
    return Outcome::kNext;
  }
  warp.currentBarrier = &barrier;
  return Outcome::kBlocked;
}

Outcome clusterArrive(Warp &warp, const Inst &inst, Mask mask) {
  Barrier &barrier = warp.cluster->barrier;
  uint32_t expected = 0;
  for (const auto &block : warp.cluster->blocks)
    expected += static_cast<uint32_t>(block->warps.size()) * kLanes;
  bool isWhole = (warp.live & ~mask) == 0;
  barrier.expected = expected;
  barrier.arrived +=
      isWhole ? kLanes : static_cast<uint32_t>(__builtin_popcount(mask));
  noteChange(*warp.cluster, false);
  releaseTo(warp, mask, barrier.knowledge);
  forLanes(mask, [&](uint32_t i) { warp.clusterPhase[i] = barrier.phase; });
  if (barrier.arrived > expected)
    return fault(warp, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                 "more arrivals at the cluster's barrier than threads");
  if (barrier.arrived == expected) {
    barrier.complete = barrier.knowledge;
    ++barrier.phase;
    complete(warp, barrier);
  }
  return Outcome::kNext;
}

Outcome clusterWait(Warp &warp, const Inst &, Mask mask) {
  Barrier &barrier = warp.cluster->barrier;
  uint32_t lane = static_cast<uint32_t>(__builtin_ctz(mask));
  if (warp.clusterPhase[lane] != barrier.phase) {
    acquireFrom(warp, mask, barrier.complete);
    return Outcome::kNext;
  }
  warp.currentBarrier = &barrier;
  return Outcome::kBlocked;
}

void clusterBarrier(Builder &b) {
  b.allow({"cluster", "arrive", "wait", "release", "acquire", "relaxed",
           "aligned"});
  b.expectCount(0, 0);
  b.inst.convergent = b.has("aligned");
  b.inst.run = b.has("wait") ? clusterWait : clusterArrive;
}

void bar(Builder &b) {
  if (b.has("cluster"))
    return clusterBarrier(b);
  if (b.has("warp"))
    return decodeWarpBarrier(b);
  b.allow({"cta", "sync", "arrive", "aligned"});
  if (b.has("red"))
    return b.fail("reductions at a barrier are not supported");
  b.expectCount(1, 2);
  // bar is short for barrier.aligned.
  b.inst.convergent = b.head == "bar" || b.has("aligned");
  b.inst.a = b.source(b.operand(0), 4);
  if (b.count() == 2)
    b.inst.b = b.source(b.operand(1), 4);
  b.inst.mode = b.has("arrive");
  b.inst.run = barrierLanes;
}

// A block keeps the registers of its launch, and its warps exchange them. An
// increase beyond that number waits forever. The assembler gives a thread the
// registers that `.minnctapersm` blocks leave, in multiples of eight.
int64_t registersOfBlock(const Code &code) {
  int64_t threads = code.requiredThreads;
  int64_t blocks = std::max<int64_t>(code.blocksPerSM, 1);
  return threads == 0
             ? kArchitecture.registersOfSM
             : threads * std::min(kArchitecture.registersFor(threads, blocks),
                                  kArchitecture.registersOfThread);
}

Outcome setRegisters(Warp &warp, const Inst &inst, Mask mask) {
  uint32_t count = static_cast<uint32_t>(inst.offset);
  uint32_t &own = warp.registers;
  if (own != 0 &&
      ((inst.mode == 1 && count < own) || (inst.mode == 0 && count > own)))
    return fault(warp, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                 (inst.mode ? "increases to " : "decreases to ") +
                     std::to_string(count) + " registers from " +
                     std::to_string(own));
  own = count;
  int64_t total = 0;
  for (const Warp &other : warp.block->warps)
    total += int64_t{other.registers} * kLanes;
  if (int64_t all = registersOfBlock(*warp.cluster->launch->code); total > all)
    return fault(warp, inst, static_cast<uint32_t>(__builtin_ctz(mask)),
                 "the warps of the block hold " + std::to_string(total) +
                     " registers; there are " + std::to_string(all));
  return Outcome::kNext;
}

void setmaxnreg(Builder &b) {
  b.allow({"inc", "dec", "sync", "aligned"});
  b.expectCount(1, 1);
  const Operand &count = b.operand(0);
  if (count.kind != Operand::kInteger || count.bits % 8 != 0 ||
      count.bits < 24 || count.bits > 256)
    return b.fail("the number of registers is a multiple of 8 from 24 to 256");
  b.inst.offset = static_cast<int64_t>(count.bits);
  b.inst.mode = b.has("inc");
  b.inst.convergent = true;
  b.inst.run = setRegisters;
}

} // namespace

Decoder findBarrierDecoder(std::string_view head) {
  static const std::map<std::string_view, Decoder> decoders = {
      {"bar", bar}, {"barrier", bar}, {"setmaxnreg", setmaxnreg}};
  auto found = decoders.find(head);
  return found == decoders.end() ? nullptr : found->second;
}

} // namespace nibble::simt
