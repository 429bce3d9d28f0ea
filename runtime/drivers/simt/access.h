// Translates the addresses of an instruction's lanes to host memory, with all
// checks of an ordinary access.
#pragma once

#include "runtime/drivers/simt/machine.h"

namespace nibble::simt {

// Inst::mode of memory instructions: the access is atomic or pairs with a
// fence, so race checks skip it.
inline constexpr uint32_t kStrong = 1u << 31;

inline uint64_t laneAddress(Warp &warp, const Inst &inst, uint32_t lane) {
  uint64_t base = inst.d == 4 ? warp.reg<uint32_t>(inst.a)[lane]
                              : warp.reg<uint64_t>(inst.a)[lane];
  return base + static_cast<uint64_t>(inst.offset);
}

// Resolves one lane's access of `bytes` bytes at `address` of `space`, aligned
// to `align`. Null when the launch failed.
uint8_t *resolve(Warp &warp, const Inst &inst, uint32_t lane, Space space,
                 uint64_t address, uint32_t bytes, uint32_t align, Touch touch);

// Checks bounds and tracks written bytes of global memory, for ordinary and for
// asynchronous accesses.
uint8_t *resolveGlobal(Warp &warp, const Inst &inst, uint32_t lane,
                       uint64_t address, uint64_t bytes, Touch touch);

// Checks the bounds of shared memory but not its history. `block` and `offset`
// return the place. Null when the launch failed.
uint8_t *resolveShared(Warp &warp, const Inst &inst, uint32_t lane,
                       uint32_t address, uint32_t bytes, uint32_t align,
                       const char *verb, Block *&block, uint32_t &offset);

} // namespace nibble::simt
