// cp.async.bulk.tensor in tile mode copies boxes of a tensor between global and
// shared memory.
#include "runtime/drivers/simt/instructions/async_copy.h"
#include "runtime/drivers/simt/instructions/swizzle.h"
#include "runtime/drivers/simt/tensor_map.h"

#include <cstring>

namespace nibble::simt {

namespace {

// Up to 16 bytes of a box, with their places in the box and in global memory.
struct Chunk {
  uint32_t at = 0; // offset in the box before swizzling
  uint32_t bytes = 16;
  uint64_t address = 0; // 0: all beyond the extents
};

// Cuts the rows of a box into 16-byte chunks, the unit that swizzling moves.
std::vector<Chunk> chunksOf(const TensorMapBytes &map, const int64_t *start) {
  std::vector<Chunk> chunks;
  uint32_t rowBytes = uint32_t{map.box[0]} * map.elementBytes;
  uint32_t rows = 1;
  for (uint32_t d = 1; d < map.rank; ++d)
    rows *= map.box[d];
  int64_t rowEnd = static_cast<int64_t>(map.extents[0]) * map.elementBytes;
  for (uint32_t row = 0; row < rows; ++row) {
    uint64_t address = map.address;
    bool inside = true;
    for (uint32_t d = 1, rest = row; d < map.rank; rest /= map.box[d], ++d) {
      int64_t at = start[d] + rest % map.box[d];
      inside &= at >= 0 && at < static_cast<int64_t>(map.extents[d]);
      address += static_cast<uint64_t>(at) * map.strides[d - 1];
    }
    for (uint32_t byte = 0; byte < rowBytes; byte += 16) {
      int64_t begin = start[0] * map.elementBytes + byte;
      Chunk chunk;
      chunk.at = row * rowBytes + byte;
      // A chunk that begins before the tensor loses its front, element by
      // element.
      if (inside && begin < rowEnd && begin + 16 > 0) {
        if (begin < 0 || begin + 16 > rowEnd) {
          for (uint32_t e = 0; e < 16; e += map.elementBytes) {
            int64_t at = begin + e;
            bool in = at >= 0 && at < rowEnd;
            chunks.push_back({chunk.at + e, map.elementBytes,
                              in ? address + static_cast<uint64_t>(at) : 0});
          }
          continue;
        }
        chunk.address = address + static_cast<uint64_t>(begin);
      }
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

bool readMap(Warp &warp, const Inst &inst, uint32_t lane, TensorMapBytes &map,
             uint32_t rank) {
  uint64_t address =
      warp.reg<uint64_t>(inst.a)[lane] + static_cast<uint64_t>(inst.offset);
  const uint8_t *host = resolve(warp, inst, lane, Space::kGeneric, address,
                                sizeof map, 64, Touch::kRead);
  if (host == nullptr)
    return false;
  std::memcpy(&map, host, sizeof map);
  if (map.magic != kTensorMapMagic) {
    fault(warp, inst, lane, "there is no tensor map at " + hex(address));
    return false;
  }
  if (map.rank != rank) {
    fault(warp, inst, lane,
          "the tensor map has rank " + std::to_string(map.rank) +
              ", the instruction " + std::to_string(rank));
    return false;
  }
  if (map.swizzle != 0 &&
      uint32_t{map.box[0]} * map.elementBytes != map.swizzle) {
    fault(warp, inst, lane,
          "rows of " + std::to_string(uint32_t{map.box[0]} * map.elementBytes) +
              " bytes under a swizzle of " + std::to_string(map.swizzle) +
              " are not supported on simt: make them equal");
    return false;
  }
  return true;
}

// Inst: a and offset address the map, b (of width bytes) the shared memory. The
// list holds the mbarrier's offset, then the coordinates.
Outcome tensorLanes(Warp &warp, const Inst &inst, Mask mask) {
  const uint32_t *list = &warp.cluster->launch->code->lists[inst.list];
  uint32_t rank = inst.count;
  for (Mask rest = mask; rest != 0; rest &= rest - 1) {
    uint32_t i = static_cast<uint32_t>(__builtin_ctz(rest));
    TensorMapBytes map;
    if (!readMap(warp, inst, i, map, rank))
      return Outcome::kFault;
    int64_t start[5] = {};
    for (uint32_t d = 0; d < rank; ++d)
      start[d] = warp.reg<int32_t>(list[1 + d])[i];
    // The published text does not say so, but an H200 reports an illegal
    // instruction here.
    if (rank == 1 &&
        start[0] * static_cast<int64_t>(map.elementBytes) % 16 != 0)
      return fault(warp, inst, i,
                   "a copy of one dimension begins at element " +
                       std::to_string(start[0]) +
                       ", which is no multiple of 16 bytes");
    bool toGlobal = (inst.mode & kToGlobal) != 0;
    uint32_t address = static_cast<uint32_t>(
        (inst.width == 4 ? warp.reg<uint32_t>(inst.b)[i]
                         : warp.reg<uint64_t>(inst.b)[i]) +
        static_cast<uint64_t>(
            static_cast<int64_t>(static_cast<int32_t>(inst.target))));
    uint32_t boxBytes = map.elementBytes;
    for (uint32_t d = 0; d < rank; ++d)
      boxBytes *= map.box[d];
    std::vector<Block *> blocks;
    std::vector<MBarrier *> barriers;
    uint32_t offset = 0;
    if (!targetBlocks(warp, inst, i, address, blocks, offset))
      return Outcome::kFault;
    if (!toGlobal &&
        !targetBarriers(warp, inst, i, inst.dst2, blocks, barriers))
      return Outcome::kFault;
    auto op = newBulkOp(warp, inst, i, toGlobal);
    std::vector<SharedPiece> pieces;
    for (Block *block : blocks) {
      uint32_t at = 0;
      if (resolveShared(warp, inst, i, (block->rank + 1) << 24 | offset,
                        boxBytes, 128, toGlobal ? "copies from" : "copies to",
                        block, at) == nullptr)
        return Outcome::kFault;
      pieces.push_back({block, offset, boxBytes});
    }
    if (!touchPieces(warp, inst, i, pieces,
                     toGlobal ? Touch::kRead : Touch::kWrite, op->time))
      return Outcome::kFault;
    std::vector<Chunk> chunks = chunksOf(map, start);
    for (const Chunk &chunk : chunks)
      if (chunk.address != 0 &&
          resolve(warp, inst, i, Space::kGlobal, chunk.address, chunk.bytes, 1,
                  toGlobal ? Touch::kWrite : Touch::kRead) == nullptr)
        return Outcome::kFault;
    uint32_t swizzle = map.swizzle;
    op->perform = [&warp, chunks = std::move(chunks), pieces, barriers,
                   boxBytes, swizzle, toGlobal, time = op->time] {
      for (size_t j = 0; j < pieces.size(); ++j) {
        for (const Chunk &chunk : chunks) {
          uint8_t *shared = pieces[j].block->shared +
                            swizzled(pieces[j].offset + chunk.at, swizzle);
          auto *global = reinterpret_cast<uint8_t *>(chunk.address);
          if (toGlobal) {
            if (chunk.address != 0)
              std::memcpy(global, shared, chunk.bytes);
            continue;
          }
          if (chunk.address != 0)
            std::memcpy(shared, global, chunk.bytes);
          else
            std::memset(shared, 0, chunk.bytes);
        }
        if (!toGlobal)
          completeTransactions(warp, *barriers[j], boxBytes, time);
      }
      return Outcome::kNext;
    };
    if (issue(warp, std::move(op)) == Outcome::kFault)
      return Outcome::kFault;
  }
  return Outcome::kNext;
}

int64_t offsetOf(const Operand &operand) {
  return operand.kind == Operand::kAddress &&
                 operand.elements[0].kind == Operand::kRegister
             ? operand.elements[0].offset
             : 0;
}

} // namespace

// cp.async.bulk.tensor.Nd.<to>.<from>{.tile}.<completion>...
void decodeBulkTensor(Builder &b) {
  b.allow({"async", "bulk", "tensor", "prefetch", "1d", "2d", "3d", "4d", "5d",
           "shared::cluster", "shared::cta", "global", "tile",
           "mbarrier::complete_tx::bytes", "multicast::cluster", "bulk_group",
           "L2::cache_hint", "L2"});
  uint32_t rank = b.has("1d")   ? 1
                  : b.has("2d") ? 2
                  : b.has("3d") ? 3
                  : b.has("4d") ? 4
                  : b.has("5d") ? 5
                                : 0;
  if (rank == 0)
    return b.fail("it names no rank");
  if (b.has("prefetch")) {
    b.inst.run = noEffect;
    return;
  }
  bool toGlobal = b.words.size() > 4 && b.words[4] == "global";
  bool multicast = b.has("multicast::cluster");
  const Operand &tensor = b.operand(toGlobal ? 0 : 1);
  const Operand &shared = b.operand(toGlobal ? 1 : 0);
  if (tensor.kind != Operand::kAddress || tensor.elements.size() != 2 ||
      shared.kind != Operand::kAddress)
    return b.fail("it takes [shared] and [map, {coordinates}]");
  b.address(tensor, Space::kGeneric);
  if (b.inst.d != 8)
    b.fail("the address of a tensor map has 64 bits");
  int64_t barrierOffset = 0, ignored = 0;
  b.inst.b = b.addressRegister(shared, ignored);
  b.inst.width = static_cast<uint8_t>(b.widthOf(shared.elements[0], 8));
  b.inst.target = static_cast<uint32_t>(offsetOf(shared));
  size_t at = 2;
  if (!toGlobal) {
    const Operand &barrier = b.operand(at++);
    b.inst.dst2 = b.addressRegister(barrier, barrierOffset);
    b.inst.lanesWidth = static_cast<uint8_t>(
        b.widthOf(barrier.elements.empty() ? barrier : barrier.elements[0], 8));
    if (multicast)
      b.inst.c = b.source(b.operand(at++), 2);
  }
  at += b.has("L2::cache_hint");
  b.expectCount(at, at);
  std::vector<uint32_t> list{static_cast<uint32_t>(barrierOffset)};
  for (uint32_t coordinate : b.vectorOf(tensor.elements[1], 4, false))
    list.push_back(coordinate);
  if (list.size() != rank + 1)
    b.fail("the number of coordinates is not the rank");
  b.setList(list);
  b.inst.count = static_cast<uint8_t>(rank);
  b.inst.mode = (toGlobal ? kToGlobal : 0) | (multicast ? kMulticast : 0);
  b.inst.run = tensorLanes;
}

} // namespace nibble::simt
