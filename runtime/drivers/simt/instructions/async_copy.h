// Shared by cp.async.bulk and cp.async.bulk.tensor.
#pragma once

#include "runtime/drivers/simt/access.h"
#include "runtime/drivers/simt/ptx/builder.h"

namespace nibble::simt {

// Inst::mode of a bulk copy.
inline constexpr uint32_t kToGlobal = 1;
inline constexpr uint32_t kMulticast = 2;
inline constexpr uint32_t kFromShared = 4;

// One piece of the shared memory that an engine's copy covers. The pieces of
// one block are in order.
struct SharedPiece {
  Block *block = nullptr;
  uint32_t offset = 0, bytes = 0;
};

// Checks and records the engine's accesses to the pieces. Returns false when
// the launch failed.
bool touchPieces(Warp &warp, const Inst &inst, uint32_t lane,
                 const std::vector<SharedPiece> &pieces, Touch touch,
                 uint32_t time);

// Creates a bulk operation of one lane in the lane's open group.
std::unique_ptr<AsyncOp> newBulkOp(Warp &warp, const Inst &inst, uint32_t lane,
                                   bool grouped);

// Blocks that a copy to shared memory targets: the block of the address, or
// those of the multicast mask (inst.c, 16 bits). Returns false when the launch
// failed.
bool targetBlocks(Warp &warp, const Inst &inst, uint32_t lane, uint32_t address,
                  std::vector<Block *> &blocks, uint32_t &offset);

// The mbarrier at the same offset in every target block.
bool targetBarriers(Warp &warp, const Inst &inst, uint32_t lane,
                    uint32_t barrierRegister,
                    const std::vector<Block *> &blocks,
                    std::vector<MBarrier *> &barriers);

void decodeBulkTensor(Builder &b);

} // namespace nibble::simt
