// What cp.async.bulk and cp.async.bulk.tensor share.
#pragma once

#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/ptx/builder.h"

namespace nibble::simt {

// Inst::mode of a bulk copy.
inline constexpr uint32_t kToGlobal = 1;
inline constexpr uint32_t kMulticast = 2;
inline constexpr uint32_t kFromShared = 4;

// Shared memory that an engine's copy covers, in order: pieces of one block.
struct SharedPiece {
  Block *block = nullptr;
  uint32_t offset = 0, bytes = 0;
};

// Checks and records the engine's accesses to the pieces. False: the launch
// failed.
bool touchPieces(Warp &warp, const Inst &inst, uint32_t lane,
                 const std::vector<SharedPiece> &pieces, Touch touch,
                 uint32_t time);

// A bulk operation of one lane, in the group that the lane is filling.
std::unique_ptr<AsyncOp> newBulkOp(Warp &warp, const Inst &inst, uint32_t lane,
                                   bool grouped);

// Blocks that a copy to shared memory goes to: its own (the address's) or those
// of the multicast mask (inst.c, 16 bits). False: the launch failed.
bool targetBlocks(Warp &warp, const Inst &inst, uint32_t lane, uint32_t address,
                  std::vector<Block *> &blocks, uint32_t &offset);

// The mbarrier at the same offset in every target block.
bool targetBarriers(Warp &warp, const Inst &inst, uint32_t lane,
                    uint32_t barrierRegister,
                    const std::vector<Block *> &blocks,
                    std::vector<MBarrier *> &barriers);

void decodeBulkTensor(Builder &b);

} // namespace nibble::simt
