// wgmma (PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions").
//
// Each of the four warps multiplies its own 16 rows. The canonical layouts give
// an element's byte offset from the descriptor's start, in units of 16 bytes (8
// elements of 16 bits). The swizzle then permutes offsets by bits of the
// address.
#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/instructions/formats.h"
#include "runtime/drivers/simt/instructions/swizzle.h"
#include "runtime/drivers/simt/ptx/builder.h"

#include <algorithm>
#include <cstring>

namespace nibble::simt {

namespace {

// Inst::mode of wgmma.mma_async.
constexpr uint32_t kBrain = 1;
constexpr uint32_t kNegateA = 2;
constexpr uint32_t kNegateB = 4;
constexpr uint32_t kTransposeA = 8;
constexpr uint32_t kTransposeB = 16;
constexpr uint32_t kRegistersA = 32;

struct Descriptor {
  // In bytes; base counts rows of 128 bytes.
  uint32_t start = 0, leading = 0, stride = 0, base = 0, swizzle = 0;
};

Descriptor decodeDescriptor(uint64_t bits) {
  constexpr uint32_t swizzles[] = {0, 128, 64, 32};
  auto field = [&](int at) {
    return static_cast<uint32_t>(bits >> at & 0x3fff) << 4;
  };
  return {field(0), field(16), field(32), static_cast<uint32_t>(bits >> 49 & 7),
          swizzles[bits >> 62]};
}

// Address of element (mn, k). In a K-major tile k runs fastest. Without a
// swizzle the tile consists of pieces of 8 x 16 bytes, whose distances are
// given. With a swizzle, rows of `swizzle` bytes stand in groups of eight.
uint32_t addressOf(const Descriptor &d, uint32_t mn, uint32_t k, bool mnMajor) {
  uint32_t offset = 0;
  if (!mnMajor) {
    if (d.swizzle == 0)
      offset = mn % 8 * 16 + mn / 8 * d.stride + k % 8 * 2 + k / 8 * d.leading;
    else
      offset = mn % 8 * d.swizzle + mn / 8 * d.stride + k * 2;
  } else {
    if (d.swizzle == 0)
      offset = mn % 8 * 2 + mn / 8 * d.stride + k % 8 * 16 + k / 8 * d.leading;
    else
      offset = mn % (d.swizzle / 2) * 2 + mn / (d.swizzle / 2) * d.leading +
               k % 8 * d.swizzle + k / 8 * d.stride;
  }
  return swizzled(d.start + offset, d.swizzle, d.base);
}

// Reads rows x 16 elements from shared memory. `touch` checks and records them
// as reads of the engine.
bool touchOperand(Warp &warp, const Warp &leader, const Inst &inst,
                  const Descriptor &d, uint32_t first, uint32_t rows,
                  bool mnMajor, uint32_t time) {
  Block &block = *warp.block;
  // Eight neighbouring elements along the fast dimension are 16 bytes at an
  // address that is a multiple of 16. They move together.
  uint32_t outer = mnMajor ? 16 : rows;
  uint32_t inner = mnMajor ? rows : 16;
  for (uint32_t o = 0; o < outer; ++o)
    for (uint32_t i = 0; i < inner; i += 8) {
      uint32_t address = mnMajor ? addressOf(d, first + i, o, true)
                                 : addressOf(d, first + o, i, false);
      Block *owner = nullptr;
      uint32_t offset = 0;
      if (resolveShared(warp, inst, 0, address, 16, 16, "reads", owner,
                        offset) == nullptr ||
          !touchSharedAsync(warp, leader, inst, 0, block, offset, 16,
                            Touch::kRead, true, time))
        return false;
    }
  return true;
}

// Returns the elements as doubles, ordered by row, or by k when `byK`.
template <typename F>
void loadOperand(const Block &block, const Descriptor &d, uint32_t first,
                 uint32_t rows, bool mnMajor, bool byK, double *out) {
  auto put = [&](uint32_t mn, uint32_t k, uint16_t bits) {
    out[byK ? k * rows + mn : mn * 16 + k] = F::load(bits);
  };
  // Eight neighbours along the fast dimension are contiguous.
  uint32_t outer = mnMajor ? 16 : rows;
  uint32_t inner = mnMajor ? rows : 16;
  for (uint32_t o = 0; o < outer; ++o)
    for (uint32_t i = 0; i < inner; i += 8) {
      uint16_t bits[8];
      uint32_t at = mnMajor ? addressOf(d, first + i, o, true)
                            : addressOf(d, first + o, i, false);
      std::memcpy(bits, block.shared + at, sizeof bits);
      for (uint32_t e = 0; e < 8; ++e)
        mnMajor ? put(i + e, o, bits[e]) : put(o, i + e, bits[e]);
    }
}

// sums[n] = sum over k of a[k] * b[k][n]. Products of 16-bit floats are exact
// in double.
__attribute__((target_clones("avx2", "default"))) void
sumProducts(const double *a, const double *b, uint32_t n, double *sums) {
  for (uint32_t i = 0; i < n; ++i)
    sums[i] = 0;
  for (uint32_t k = 0; k < 16; ++k)
    for (uint32_t i = 0; i < n; ++i)
      sums[i] += a[k] * b[k * n + i];
}

// The list of registers: accumulators in list[0 .. n/2), then A's registers.
template <typename F>
void multiply(Warp &warp, const Inst &inst, uint64_t aBits, uint64_t bBits,
              Mask keep) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  uint32_t n = inst.target;
  thread_local double a[16 * 16], b[16 * 256], sums[256];
  if (inst.mode & kRegistersA) {
    for (uint32_t r = 0; r < 4; ++r)
      for (uint32_t lane = 0; lane < kLanes; ++lane)
        for (uint32_t half = 0; half < 2; ++half)
          a[(lane / 4 + r % 2 * 8) * 16 + lane % 4 * 2 + half + r / 2 * 8] =
              F::load(static_cast<uint16_t>(
                  warp.reg<uint32_t>(list[n / 2 + r])[lane] >> (16 * half)));
  } else {
    loadOperand<F>(*warp.block, decodeDescriptor(aBits), warp.index % 4 * 16,
                   16, (inst.mode & kTransposeA) != 0, false, a);
  }
  loadOperand<F>(*warp.block, decodeDescriptor(bBits), 0, n,
                 (inst.mode & kTransposeB) != 0, true, b);
  if (((inst.mode & kNegateA) != 0) != ((inst.mode & kNegateB) != 0))
    for (double &x : a)
      x = -x;
  for (uint32_t row = 0; row < 16; ++row) {
    sumProducts(a + row * 16, b, n, sums);
    for (uint32_t column = 0; column < n; ++column) {
      uint32_t lane = row % 8 * 4 + column % 8 / 2;
      float &d = warp.reg<float>(
          list[column / 8 * 4 + row / 8 * 2 + column % 2])[lane];
      double old = keep >> lane & 1 ? static_cast<double>(d) : 0.0;
      d = canonical(static_cast<float>(sums[column] + old));
    }
  }
}

Warp &leaderOf(Warp &warp) {
  return *warp.cluster->warps[warp.agent - warp.index % 4];
}

void setPending(Warp &warp, const Inst &inst) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  for (uint32_t i = 0; i < inst.listSize; ++i) {
    warp.pendingRegister[list[i] / 64] = warp.matrixGroup + 1;
  }
}

Outcome multiplyAsync(Warp &warp, const Inst &inst, Mask) {
  if (warp.index / 4 * 4 + 3 >= warp.block->warps.size())
    return fault(warp, inst, 0,
                 "a warpgroup is four whole warps; the block has " +
                     std::to_string(warp.block->warps.size()) + " warps");
  if (warp.cluster->checks && !warp.matrixFence)
    return fault(warp, inst, 0,
                 "no wgmma.fence stands before the first wgmma of the warp");
  bool fromRegisters = (inst.mode & kRegistersA) != 0;
  uint64_t aBits = fromRegisters ? 0 : warp.reg<uint64_t>(inst.a)[0];
  uint64_t bBits = warp.reg<uint64_t>(inst.b)[0];
  Mask keep = warp.predicate(inst.c);
  for (uint32_t lane = 1; lane < kLanes; ++lane)
    if (warp.reg<uint64_t>(inst.b)[lane] != bBits ||
        (!fromRegisters && warp.reg<uint64_t>(inst.a)[lane] != aBits))
      return fault(warp, inst, lane,
                   "the descriptor is not the same in all threads of the warp");
  Warp &leader = leaderOf(warp);
  auto op = std::make_unique<AsyncOp>();
  op->kind = AsyncOp::kMatrix;
  op->warp = &warp;
  op->inst = &inst;
  op->lanes = kAllLanes;
  op->group = warp.matrixGroup;
  op->time = engineTime(leader);
  if (!fromRegisters &&
      !touchOperand(warp, leader, inst, decodeDescriptor(aBits),
                    warp.index % 4 * 16, 16, (inst.mode & kTransposeA) != 0,
                    op->time))
    return Outcome::kFault;
  if (!touchOperand(warp, leader, inst, decodeDescriptor(bBits), 0, inst.target,
                    (inst.mode & kTransposeB) != 0, op->time))
    return Outcome::kFault;
  op->perform = [&warp, &inst, aBits, bBits, keep] {
    inst.mode &kBrain ? multiply<Brain>(warp, inst, aBits, bBits, keep)
                      : multiply<Half>(warp, inst, aBits, bBits, keep);
    return Outcome::kNext;
  };
  if (!warp.cluster->checks)
    return op->perform();
  // Products of one warp reach the accumulators in order, so an earlier one
  // completes first.
  uint32_t time = op->time;
  op->perform = [&warp, time, inner = std::move(op->perform)] {
    Outcome outcome = completeWhere(*warp.cluster, [&](const AsyncOp &other) {
      return other.kind == AsyncOp::kMatrix && other.warp == &warp &&
             other.time < time;
    });
    return outcome == Outcome::kNext ? inner() : outcome;
  };
  setPending(warp, inst);
  ++warp.pendingMatrix;
  return issue(warp, std::move(op));
}

Outcome fenceOperands(Warp &warp, const Inst &, Mask) {
  warp.matrixFence = true;
  return Outcome::kNext;
}

Outcome commit(Warp &warp, const Inst &, Mask) {
  ++warp.matrixGroup;
  warp.matrixClosedAt.push_back(leaderOf(warp).engineTime);
  noteChange(*warp.cluster, false);
  return Outcome::kNext;
}

// The product belongs to the warpgroup, so it is complete when the groups of
// all four warps are.
Outcome waitGroups(Warp &warp, const Inst &inst, Mask) {
  uint32_t keep = static_cast<uint32_t>(inst.offset);
  if (warp.matrixGroup <= keep)
    return Outcome::kNext;
  uint32_t group = warp.matrixGroup - keep; // waits for groups below this one
  uint32_t time = 0;
  uint32_t first = warp.agent - warp.index % 4;
  for (uint32_t i = 0; i < 4; ++i) {
    // A block may end with an incomplete warpgroup, whose warps have no
    // products.
    if (warp.index / 4 * 4 + i >= warp.block->warps.size())
      break;
    Warp &other = *warp.cluster->warps[first + i];
    if (other.live == 0)
      continue;
    if (other.matrixGroup < group) {
      warp.failedWait = &inst;
      warp.failedLane = 0;
      return Outcome::kRetry;
    }
    time = std::max(time, other.matrixClosedAt[group - 1]);
  }
  Block *block = warp.block;
  uint32_t warpgroup = warp.index / 4;
  if (completeWhere(*warp.cluster, [&](const AsyncOp &op) {
        return op.kind == AsyncOp::kMatrix && op.warp->block == block &&
               op.warp->index / 4 == warpgroup && op.group < group;
      }) == Outcome::kFault)
    return Outcome::kFault;
  seeEngine(warp, kAllLanes, leaderOf(warp), time);
  warp.matrixWaited = std::max(warp.matrixWaited, group);
  if (keep == 0)
    warp.pendingMatrix = 0;
  return Outcome::kNext;
}

// An immediate that must be one of two numbers.
bool immediate(Builder &b, size_t i, int64_t low, int64_t high, bool &isLow) {
  const Operand &operand = b.operand(i);
  auto value = static_cast<int64_t>(operand.bits);
  if (operand.kind != Operand::kInteger || (value != low && value != high)) {
    b.fail("operand " + std::to_string(i) + " is " + std::to_string(low) +
           " or " + std::to_string(high));
    return false;
  }
  isLow = value == low;
  return true;
}

void wgmma(Builder &b) {
  b.inst.isMatrix = true;
  b.inst.convergent = true;
  if (b.has("fence") || b.has("commit_group")) {
    b.allow({"fence", "commit_group", "sync", "aligned"});
    b.inst.run = b.has("fence") ? fenceOperands : commit;
    return;
  }
  if (b.has("wait_group")) {
    b.allow({"wait_group", "sync", "aligned"});
    b.inst.offset = static_cast<int64_t>(b.immediate(b.operand(0)));
    b.inst.run = waitGroups;
    return;
  }
  uint32_t n = 0;
  for (std::string_view word : b.words)
    if (word != "mma_async" && word != "sync" && word != "aligned" &&
        !word.starts_with("m64n") && parseType(word).kind == 0)
      b.fail("the modifier ." + std::string(word) + " is not supported");
  for (std::string_view word : b.words)
    if (word.starts_with("m64n") && word.ends_with("k16"))
      n = static_cast<uint32_t>(std::atoi(std::string(word.substr(4)).c_str()));
  Type d = b.type(0);
  Type a = b.type(1);
  Type bt = b.type(2);
  if (n < 8 || n > 256 || n % 8 != 0 || b.types() != 3 || d.kind != 'f' ||
      d.bits != 32 || a.bits != 16 || !a.isFloat() || bt.kind != a.kind)
    return b.fail(
        "only m64nNk16 of bf16 or f16 with f32 accumulators is supported");
  std::vector<uint32_t> list = b.vectorOf(b.operand(0), 4, true);
  if (list.size() != n / 2)
    return b.fail("there are " + std::to_string(n / 2) +
                  " registers of accumulators");
  bool fromRegisters = b.operand(1).kind == Operand::kVector;
  if (fromRegisters) {
    for (uint32_t reg : b.vectorOf(b.operand(1), 4, false))
      list.push_back(reg);
    if (list.size() != n / 2 + 4)
      return b.fail("A has four registers");
    b.inst.mode |= kRegistersA;
  } else {
    b.inst.a = b.source(b.operand(1), 8);
  }
  b.setList(list);
  b.inst.b = b.source(b.operand(2), 8);
  b.expectCount(fromRegisters ? 7 : 8, fromRegisters ? 7 : 8);
  b.inst.c = b.predicateSource(b.operand(3));
  bool isLow = false;
  if (immediate(b, 4, -1, 1, isLow) && isLow)
    b.inst.mode |= kNegateA;
  if (immediate(b, 5, -1, 1, isLow) && isLow)
    b.inst.mode |= kNegateB;
  size_t at = 6;
  if (!fromRegisters && immediate(b, at++, 0, 1, isLow) && !isLow)
    b.inst.mode |= kTransposeA;
  if (immediate(b, at, 0, 1, isLow) && !isLow)
    b.inst.mode |= kTransposeB;
  b.inst.mode |= a.kind == 'h' ? kBrain : 0;
  b.inst.target = n;
  b.inst.run = multiplyAsync;
}

} // namespace

Decoder findWarpgroupDecoder(std::string_view head) {
  return head == "wgmma" ? wgmma : nullptr;
}

} // namespace nibble::simt
