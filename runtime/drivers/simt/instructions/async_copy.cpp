// cp.async and cp.async.bulk (PTX ISA, "Data Movement and Conversion
// Instructions: Asynchronous copy").
#include "runtime/drivers/simt/instructions/async_copy.h"

#include <algorithm>
#include <cstring>

namespace nibble::simt {

namespace {

// --- cp.async ---

Outcome copyLanes(Warp &warp, const Inst &inst, Mask mask) {
  struct Piece {
    uint8_t *to;
    const uint8_t *from;
    uint32_t bytes, whole;
  };
  // Lanes with the same open group form one operation.
  for (Mask rest = mask; rest != 0;) {
    uint32_t group = warp.copyGroups.open[__builtin_ctz(rest)];
    Mask same = 0;
    forLanes(rest, [&](uint32_t i) {
      same |= static_cast<Mask>(warp.copyGroups.open[i] == group) << i;
    });
    rest &= ~same;
    auto op = std::make_unique<AsyncOp>();
    op->kind = AsyncOp::kCopy;
    op->warp = &warp;
    op->inst = &inst;
    op->lanes = same;
    op->group = group;
    op->time = engineTime(warp);
    std::vector<Piece> pieces;
    for (Mask lanes = same; lanes != 0; lanes &= lanes - 1) {
      uint32_t i = static_cast<uint32_t>(__builtin_ctz(lanes));
      uint32_t bytes = inst.width;
      if (inst.c != kNone)
        bytes = inst.mode == 1 ? (warp.predicate(inst.c) >> i & 1 ? 0 : bytes)
                               : warp.reg<uint32_t>(inst.c)[i];
      if (bytes > inst.width)
        return fault(warp, inst, i,
                     "copies " + std::to_string(bytes) + " bytes of " +
                         std::to_string(inst.width));
      Block *block = nullptr;
      uint32_t offset = 0;
      uint8_t *to = resolveShared(
          warp, inst, i, static_cast<uint32_t>(laneAddress(warp, inst, i)),
          inst.width, inst.width, "copies to", block, offset);
      if (to == nullptr ||
          !touchSharedAsync(warp, warp, inst, i, *block, offset, inst.width,
                            Touch::kWrite, false, op->time))
        return Outcome::kFault;
      const uint8_t *from = nullptr;
      if (bytes != 0) {
        uint64_t address = warp.reg<uint64_t>(inst.b)[i] +
                           static_cast<uint64_t>(static_cast<int64_t>(
                               static_cast<int32_t>(inst.target)));
        from = resolve(warp, inst, i, Space::kGlobal, address, bytes, 1,
                       Touch::kRead);
        if (from == nullptr)
          return Outcome::kFault;
        if (address % inst.width != 0)
          return fault(warp, inst, i,
                       "copies from " + hex(address) +
                           ", which is not a multiple of " +
                           std::to_string(inst.width));
      }
      pieces.push_back({to, from, bytes, inst.width});
    }
    op->perform = [pieces = std::move(pieces)] {
      for (const Piece &piece : pieces) {
        if (piece.bytes != 0)
          std::memcpy(piece.to, piece.from, piece.bytes);
        std::memset(piece.to + piece.bytes, 0, piece.whole - piece.bytes);
      }
      return Outcome::kNext;
    };
    if (issue(warp, std::move(op)) == Outcome::kFault)
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

void closeGroups(Warp &warp, GroupCounter &groups, Mask mask) {
  forLanes(mask, [&](uint32_t i) {
    uint32_t group = groups.open[i]++;
    if (groups.closedAt.size() <= group)
      groups.closedAt.resize(group + 1, 0);
    groups.closedAt[group] = std::max(groups.closedAt[group], warp.engineTime);
  });
}

// Waits until all groups of the lanes except the last `keep` are complete.
Outcome waitGroups(Warp &warp, GroupCounter &groups, AsyncOp::Kind kind,
                   Mask mask, uint32_t keep) {
  Outcome outcome = completeWhere(*warp.cluster, [&](const AsyncOp &op) {
    if (op.kind != kind || op.warp != &warp || !op.grouped ||
        (op.lanes & mask) == 0)
      return false;
    uint32_t first = static_cast<uint32_t>(__builtin_ctz(op.lanes & mask));
    return op.group + keep < groups.open[first];
  });
  uint32_t time = 0;
  forLanes(mask, [&](uint32_t i) {
    if (groups.open[i] > keep)
      time = std::max(time, groups.closedAt[groups.open[i] - keep - 1]);
  });
  seeEngine(warp, mask, warp, time);
  return outcome;
}

Outcome commitCopies(Warp &warp, const Inst &inst, Mask mask) {
  closeGroups(warp, inst.mode == 0 ? warp.copyGroups : warp.bulkGroups, mask);
  return Outcome::kNext;
}

Outcome waitCopies(Warp &warp, const Inst &inst, Mask mask) {
  return waitGroups(warp, warp.copyGroups, AsyncOp::kCopy, mask,
                    static_cast<uint32_t>(inst.offset));
}

Outcome waitBulk(Warp &warp, const Inst &inst, Mask mask) {
  return waitGroups(warp, warp.bulkGroups, AsyncOp::kBulk, mask,
                    static_cast<uint32_t>(inst.offset));
}

Outcome waitAllCopies(Warp &warp, const Inst &, Mask mask) {
  Outcome outcome = completeWhere(*warp.cluster, [&](const AsyncOp &op) {
    return op.kind == AsyncOp::kCopy && op.warp == &warp && op.grouped &&
           (op.lanes & mask) != 0;
  });
  seeEngine(warp, mask, warp, warp.engineTime);
  return outcome;
}

// Arrives when all previous copies of the thread are complete. Without .noinc,
// the phase first expects one more arrival.
Outcome arriveAfterCopies(Warp &warp, const Inst &inst, Mask mask) {
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    MBarrier *barrier =
        findMBarrier(warp, inst, i, laneAddress(warp, inst, i), false);
    if (barrier == nullptr)
      return Outcome::kFault;
    if (inst.mode == 0)
      ++barrier->pending;
    auto op = std::make_unique<AsyncOp>();
    op->kind = AsyncOp::kCopy;
    op->grouped = false;
    op->warp = &warp;
    op->inst = &inst;
    op->lanes = Mask{1} << i;
    op->time = warp.engineTime;
    op->perform = [&warp, &inst, i, barrier, time = op->time] {
      Outcome outcome = completeWhere(*warp.cluster, [&](const AsyncOp &other) {
        return other.kind == AsyncOp::kCopy && other.warp == &warp &&
               other.grouped && (other.lanes >> i & 1) != 0 &&
               other.time <= time;
      });
      return outcome == Outcome::kNext &&
                     engineArrives(warp, inst, i, *barrier, time)
                 ? Outcome::kNext
                 : Outcome::kFault;
    };
    if (issue(warp, std::move(op)) == Outcome::kFault)
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

// --- cp.async.bulk ---

Outcome bulkLanes(Warp &warp, const Inst &inst, Mask mask) {
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    uint32_t bytes = warp.reg<uint32_t>(inst.dst)[i];
    if (bytes == 0 || bytes % 16 != 0)
      return fault(warp, inst, i,
                   "copies " + std::to_string(bytes) +
                       " bytes; a multiple of 16 is possible");
    bool toGlobal = (inst.mode & kToGlobal) != 0;
    uint64_t toAddress = laneAddress(warp, inst, i);
    uint64_t fromAddress = (inst.width == 4 ? warp.reg<uint32_t>(inst.b)[i]
                                            : warp.reg<uint64_t>(inst.b)[i]) +
                           static_cast<uint64_t>(static_cast<int64_t>(
                               static_cast<int32_t>(inst.target)));
    auto op = newBulkOp(warp, inst, i, toGlobal);
    std::vector<SharedPiece> pieces;
    if (toGlobal || inst.mode & kFromShared) {
      SharedPiece piece{nullptr, 0, bytes};
      if (resolveShared(warp, inst, i, static_cast<uint32_t>(fromAddress),
                        bytes, 16, "copies from", piece.block,
                        piece.offset) == nullptr)
        return Outcome::kFault;
      pieces.push_back(piece);
      if (!touchPieces(warp, inst, i, pieces, Touch::kRead, op->time))
        return Outcome::kFault;
    }
    if (toGlobal) {
      uint8_t *to = resolve(warp, inst, i, Space::kGlobal, toAddress, bytes, 16,
                            Touch::kWrite);
      if (to == nullptr)
        return Outcome::kFault;
      const uint8_t *from = pieces[0].block->shared + pieces[0].offset;
      op->perform = [to, from, bytes] {
        std::memcpy(to, from, bytes);
        return Outcome::kNext;
      };
    } else {
      const uint8_t *from = inst.mode & kFromShared
                                ? pieces[0].block->shared + pieces[0].offset
                                : resolve(warp, inst, i, Space::kGlobal,
                                          fromAddress, bytes, 16, Touch::kRead);
      if (from == nullptr)
        return Outcome::kFault;
      std::vector<Block *> blocks;
      std::vector<MBarrier *> barriers;
      uint32_t offset = 0;
      if (!targetBlocks(warp, inst, i, static_cast<uint32_t>(toAddress), blocks,
                        offset) ||
          !targetBarriers(warp, inst, i, inst.dst2, blocks, barriers))
        return Outcome::kFault;
      pieces.clear();
      for (Block *block : blocks) {
        uint32_t at = 0;
        if (resolveShared(warp, inst, i, (block->rank + 1) << 24 | offset,
                          bytes, 16, "copies to", block, at) == nullptr)
          return Outcome::kFault;
        pieces.push_back({block, offset, bytes});
      }
      if (!touchPieces(warp, inst, i, pieces, Touch::kWrite, op->time))
        return Outcome::kFault;
      op->perform = [&warp, from, bytes, pieces, barriers, time = op->time] {
        for (size_t j = 0; j < pieces.size(); ++j) {
          std::memcpy(pieces[j].block->shared + pieces[j].offset, from, bytes);
          completeTransactions(warp, *barriers[j], bytes, time);
        }
        return Outcome::kNext;
      };
    }
    if (issue(warp, std::move(op)) == Outcome::kFault)
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

uint32_t offsetOf(const Operand &operand) {
  return operand.kind == Operand::kAddress &&
                 operand.elements[0].kind == Operand::kRegister
             ? static_cast<uint32_t>(operand.elements[0].offset)
             : 0;
}

void bulk(Builder &b) {
  b.allow({"async", "bulk", "commit_group", "wait_group", "read",
           "shared::cluster", "shared::cta", "global", "bulk_group",
           "mbarrier::complete_tx::bytes", "multicast::cluster",
           "L2::cache_hint", "prefetch", "L2"});
  if (b.has("commit_group")) {
    b.inst.mode = 1;
    b.inst.run = commitCopies;
  } else if (b.has("wait_group")) {
    b.inst.offset = static_cast<int64_t>(b.immediate(b.operand(0)));
    b.inst.run = waitBulk;
  } else if (b.has("prefetch")) {
    b.address(b.operand(0), Space::kGlobal);
    b.inst.run = [](Warp &, const Inst &, Mask) { return Outcome::kNext; };
  } else {
    bool toGlobal = b.words.size() > 3 && b.words[2] == "global";
    bool multicast = b.has("multicast::cluster");
    b.address(b.operand(0), Space::kGeneric);
    int64_t ignored = 0;
    b.inst.b = b.addressRegister(b.operand(1), ignored);
    b.inst.width =
        static_cast<uint8_t>(b.operand(1).kind == Operand::kAddress
                                 ? b.widthOf(b.operand(1).elements[0], 8)
                                 : 8);
    b.inst.target = offsetOf(b.operand(1));
    b.inst.dst = b.source(b.operand(2), 4); // bytes
    size_t at = 3;
    if (!toGlobal) {
      b.inst.dst2 = b.addressRegister(b.operand(at), ignored);
      b.inst.lanesWidth = static_cast<uint8_t>(
          b.widthOf(b.operand(at).elements.empty() ? b.operand(at)
                                                   : b.operand(at).elements[0],
                    8));
      b.setList({static_cast<uint32_t>(ignored)});
      ++at;
      if (multicast)
        b.inst.c = b.source(b.operand(at++), 2);
    }
    at += b.has("L2::cache_hint");
    b.expectCount(at, at);
    b.inst.mode =
        (toGlobal ? kToGlobal : 0) | (multicast ? kMulticast : 0) |
        (!toGlobal && b.words.size() > 3 && b.words[3] == "shared::cta"
             ? kFromShared
             : 0);
    b.inst.run = bulkLanes;
  }
}

void copy(Builder &b) {
  if (!b.has("async"))
    return b.fail("this form of cp is not supported");
  if (b.has("tensor"))
    return decodeBulkTensor(b);
  if (b.has("bulk"))
    return bulk(b);
  b.allow({"async", "ca", "cg", "shared", "shared::cta", "global",
           "L2::cache_hint", "L2::64B", "L2::128B", "L2::256B", "commit_group",
           "wait_group", "wait_all", "mbarrier", "arrive", "noinc"});
  if (b.has("commit_group")) {
    b.inst.run = commitCopies;
  } else if (b.has("wait_all")) {
    b.inst.run = waitAllCopies;
  } else if (b.has("wait_group")) {
    b.inst.offset = static_cast<int64_t>(b.immediate(b.operand(0)));
    b.inst.run = waitCopies;
  } else if (b.has("mbarrier")) {
    b.address(b.operand(0), b.hasAny({"shared", "shared::cta"})
                                ? Space::kShared
                                : Space::kGeneric);
    b.inst.mode = b.has("noinc");
    b.inst.run = arriveAfterCopies;
  } else {
    b.expectCount(3, 5);
    b.address(b.operand(0), Space::kShared);
    int64_t ignored = 0;
    b.inst.b = b.addressRegister(b.operand(1), ignored);
    b.inst.target = offsetOf(b.operand(1));
    uint64_t bytes = b.operand(2).bits;
    if (b.operand(2).kind != Operand::kInteger ||
        (bytes != 4 && bytes != 8 && bytes != 16) ||
        (b.has("cg") && bytes != 16))
      b.fail("it copies 4, 8 or 16 bytes (.cg: 16)");
    b.inst.width = static_cast<uint8_t>(bytes);
    size_t extra = b.count() - (b.has("L2::cache_hint") ? 1 : 0);
    if (extra == 4) {
      bool isPredicate = b.widthOf(b.operand(3), 4) == 0;
      b.inst.mode = isPredicate;
      b.inst.c = isPredicate ? b.predicateSource(b.operand(3))
                             : b.source(b.operand(3), 4);
    }
    b.inst.run = copyLanes;
  }
}

} // namespace

bool touchPieces(Warp &warp, const Inst &inst, uint32_t lane,
                 const std::vector<SharedPiece> &pieces, Touch touch,
                 uint32_t time) {
  for (const SharedPiece &piece : pieces)
    if (!touchSharedAsync(warp, warp, inst, lane, *piece.block, piece.offset,
                          piece.bytes, touch, true, time))
      return false;
  return true;
}

std::unique_ptr<AsyncOp> newBulkOp(Warp &warp, const Inst &inst, uint32_t lane,
                                   bool grouped) {
  auto op = std::make_unique<AsyncOp>();
  op->kind = AsyncOp::kBulk;
  op->grouped = grouped;
  op->warp = &warp;
  op->inst = &inst;
  op->lanes = Mask{1} << lane;
  op->group = warp.bulkGroups.open[lane];
  op->time = engineTime(warp);
  return op;
}

bool targetBlocks(Warp &warp, const Inst &inst, uint32_t lane, uint32_t address,
                  std::vector<Block *> &blocks, uint32_t &offset) {
  if (!(inst.mode & kMulticast)) {
    Block *block = sharedBlock(warp, address, offset);
    if (block == nullptr) {
      fault(
          warp, inst, lane,
          "copies to shared memory of a block that is not in the cluster, at " +
              hex(address));
      return false;
    }
    blocks.push_back(block);
    return true;
  }
  offset = address & 0xffffff;
  uint32_t mask = warp.reg<uint16_t>(inst.c)[lane];
  for (uint32_t rank = 0; rank < 16; ++rank) {
    if ((mask >> rank & 1) == 0)
      continue;
    if (rank >= warp.cluster->blocks.size()) {
      fault(warp, inst, lane,
            "the multicast mask " + hex(mask) + " names block " +
                std::to_string(rank) + " of a cluster of " +
                std::to_string(warp.cluster->blocks.size()));
      return false;
    }
    blocks.push_back(warp.cluster->blocks[rank].get());
  }
  return true;
}

bool targetBarriers(Warp &warp, const Inst &inst, uint32_t lane,
                    uint32_t barrierRegister,
                    const std::vector<Block *> &blocks,
                    std::vector<MBarrier *> &barriers) {
  uint64_t address = inst.lanesWidth == 4
                         ? warp.reg<uint32_t>(barrierRegister)[lane]
                         : warp.reg<uint64_t>(barrierRegister)[lane];
  address += static_cast<uint64_t>(static_cast<int64_t>(
      static_cast<int32_t>(warp.cluster->launch->code->lists[inst.list])));
  for (Block *block : blocks) {
    uint64_t at = inst.mode & kMulticast ? (address & ~uint64_t{0xff000000u}) |
                                               uint64_t{block->rank + 1} << 24
                                         : address;
    MBarrier *barrier = findMBarrier(warp, inst, lane, at, true);
    if (barrier == nullptr)
      return false;
    barriers.push_back(barrier);
  }
  return true;
}

Decoder findAsyncDecoder(std::string_view head) {
  return head == "cp" ? copy : nullptr;
}

} // namespace nibble::simt
