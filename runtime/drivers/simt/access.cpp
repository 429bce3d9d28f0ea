// Translates the addresses of lanes to host memory and checks bounds, alignment
// and races.
#include "runtime/drivers/simt/access.h"

#include <cstring>

namespace nibble::simt {

namespace {

const char *verbOf(Touch touch) {
  return touch == Touch::kRead    ? "reads"
         : touch == Touch::kWrite ? "writes"
                                  : "updates";
}

// The history of four bytes of global memory within a launch: the block (or
// cluster) that wrote them and the one that read them.
constexpr uint64_t kSeveral = 0xffffff;
uint64_t packCell(uint64_t serial, uint64_t writer, uint64_t reader) {
  return serial << 48 | writer << 24 | reader;
}

// Detects a race: two blocks of one launch access the same bytes, at least one
// writes, and nothing orders them. Accesses to parts of the four bytes are
// checked against the history but not recorded. Blocks that write neighbouring
// halves are therefore no race.
bool judgeGlobal(Warp &warp, const Inst &inst, uint32_t lane,
                 const AllocationMap::Entry &entry, uint64_t address,
                 uint64_t bytes, Touch touch) {
  Cluster &cluster = *warp.cluster;
  if (entry.last == nullptr || cluster.ordersGlobal ||
      touch == Touch::kAtomic || cluster.index >= kSeveral - 2)
    return true;
  uint64_t serial = cluster.launch->serial & 0xffff;
  uint64_t self = cluster.index + 1;
  uint64_t begin = address - entry.begin;
  uint64_t end = begin + bytes;
  for (uint64_t cell = begin / 4; cell * 4 < end; ++cell) {
    std::atomic<uint64_t> &slot = entry.last[cell];
    bool whole = cell * 4 >= begin && cell * 4 + 4 <= end;
    uint64_t old = slot.load(std::memory_order_relaxed);
    uint64_t now = 0;
    // When two blocks race on this cell, one of them sees the other's entry.
    do {
      uint64_t writer = 0, reader = 0;
      if (old >> 48 == serial) {
        writer = old >> 24 & kSeveral;
        reader = old & kSeveral;
      }
      bool conflict = (writer != 0 && writer != self) ||
                      (touch == Touch::kWrite && reader != 0 && reader != self);
      if (conflict) {
        uint64_t other = writer != 0 && writer != self ? writer : reader;
        std::string who =
            other == kSeveral
                ? "several blocks"
                : (cluster.launch->clusterSize > 1 ? "cluster " : "block ") +
                      std::to_string(other - 1);
        fault(warp, inst, lane,
              std::string("race between blocks: ") + verbOf(touch) +
                  " global memory at " + hex(entry.begin + cell * 4) + " of '" +
                  entry.what + "', which " + who +
                  (writer != 0 && writer != self ? " wrote" : " read") +
                  " in the same launch");
        return false;
      }
      if (!whole)
        break;
      if (touch == Touch::kWrite)
        writer = self;
      else
        reader = reader == 0 || reader == self ? self : kSeveral;
      now = packCell(serial, writer, reader);
    } while (now != old &&
             !slot.compare_exchange_weak(old, now, std::memory_order_relaxed));
  }
  return true;
}

// The marks of `bytes` bytes, in the widest words that fit. A mark is 1 when
// its byte was written. Blocks on other host threads set and read marks
// concurrently. The synchronization that passes on the data also passes on the
// marks.
template <typename Word, typename F>
bool forMarks(uint8_t *written, uint64_t bytes, F f) {
  for (uint64_t i = 0; i < bytes; i += sizeof(Word))
    if (!f(reinterpret_cast<Word *>(written + i),
           static_cast<Word>(0x0101010101010101u)))
      return false;
  return true;
}

template <typename F> bool forMarks(uint8_t *written, uint64_t bytes, F f) {
  uint64_t bits = reinterpret_cast<uintptr_t>(written) | bytes;
  return bits % 8 == 0   ? forMarks<uint64_t>(written, bytes, f)
         : bits % 4 == 0 ? forMarks<uint32_t>(written, bytes, f)
                         : forMarks<uint8_t>(written, bytes, f);
}

void markWritten(uint8_t *written, uint64_t bytes) {
  forMarks(written, bytes, [](auto *word, auto marks) {
    __atomic_store_n(word, marks, __ATOMIC_RELAXED);
    return true;
  });
}

bool isWritten(uint8_t *written, uint64_t bytes) {
  return forMarks(written, bytes, [](auto *word, auto marks) {
    return __atomic_load_n(word, __ATOMIC_RELAXED) == marks;
  });
}

// A function apart from resolveGlobal, which is short when checks are off.
[[gnu::noinline]] uint8_t *checkGlobal(Warp &warp, const Inst &inst,
                                       uint32_t lane, uint64_t address,
                                       uint64_t bytes, Touch touch) {
  const AllocationMap::Entry *entry = warp.lastAllocation;
  if (entry == nullptr || address < entry->begin || address >= entry->end ||
      bytes > entry->end - address) {
    entry = warp.cluster->launch->memory->find(address, bytes);
    if (entry == nullptr) {
      fault(warp, inst, lane,
            std::string(verbOf(touch)) + " " + std::to_string(bytes) +
                " bytes of global memory at " + hex(address) + ": " +
                warp.cluster->launch->memory->nearest(address, bytes));
      return nullptr;
    }
    warp.lastAllocation = entry;
  }
  if (touch != Touch::kRead && entry->readOnly) {
    fault(warp, inst, lane,
          "writes constant memory at " + hex(address) + ", in '" + entry->what +
              "'");
    return nullptr;
  }
  if (entry->written != nullptr) {
    uint8_t *written = entry->written.get() + (address - entry->begin);
    if (touch != Touch::kWrite) {
      if (!isWritten(written, bytes)) {
        uint64_t at = address;
        while (at + 1 < address + bytes &&
               isWritten(written + (at - address), 1))
          ++at;
        fault(warp, inst, lane,
              "reads global memory that nothing wrote: " + hex(at) + ", byte " +
                  std::to_string(at - entry->begin) + " of '" + entry->what +
                  "'");
        return nullptr;
      }
    } else {
      markWritten(written, bytes);
    }
  }
  if (!judgeGlobal(warp, inst, lane, *entry, address, bytes, touch))
    return nullptr;
  if (entry->touched != nullptr)
    std::memset(entry->touched.get() + (address - entry->begin), 1, bytes);
  return reinterpret_cast<uint8_t *>(address);
}

} // namespace

Block *sharedBlock(Warp &warp, uint32_t address, uint32_t &offset) {
  offset = address & 0xffffffu;
  uint32_t rank = address >> 24;
  if (rank == 0)
    return warp.block;
  return rank <= warp.cluster->blocks.size()
             ? warp.cluster->blocks[rank - 1].get()
             : nullptr;
}

uint8_t *resolveGlobal(Warp &warp, const Inst &inst, uint32_t lane,
                       uint64_t address, uint64_t bytes, Touch touch) {
  warp.cluster->looksOutside = true;
  return warp.cluster->checks
             ? checkGlobal(warp, inst, lane, address, bytes, touch)
             : reinterpret_cast<uint8_t *>(address);
}

uint8_t *resolveShared(Warp &warp, const Inst &inst, uint32_t lane,
                       uint32_t address, uint32_t bytes, uint32_t align,
                       const char *verb, Block *&block, uint32_t &offset) {
  block = sharedBlock(warp, address, offset);
  if (block == nullptr) {
    fault(warp, inst, lane,
          std::string(verb) + " shared memory of block " +
              std::to_string((address >> 24) - 1) +
              ", which is not in the cluster");
    return nullptr;
  }
  if (offset % align != 0) {
    fault(warp, inst, lane,
          std::string(verb) + " " + std::to_string(bytes) +
              " bytes of shared memory at " + hex(offset) +
              ", which is not a multiple of " + std::to_string(align));
    return nullptr;
  }
  if (offset < kSharedBase || offset > block->sharedEnd ||
      bytes > block->sharedEnd - offset) {
    fault(warp, inst, lane,
          std::string(verb) + " " + std::to_string(bytes) +
              " bytes of shared memory at " + hex(offset) +
              ", outside the block's memory from " + hex(kSharedBase) + " to " +
              hex(block->sharedEnd) + " (" +
              std::to_string(warp.cluster->launch->code->staticSharedBytes) +
              " bytes static, " +
              std::to_string(warp.cluster->launch->shape.sharedBytes) +
              " dynamic)");
    return nullptr;
  }
  return block->shared + offset;
}

uint8_t *resolve(Warp &warp, const Inst &inst, uint32_t lane, Space space,
                 uint64_t address, uint32_t bytes, uint32_t align,
                 Touch touch) {
  uint64_t window = address >> kWindowBits;
  if (space == Space::kGeneric || space == Space::kParam)
    space = window == kSharedWindow >> kWindowBits  ? Space::kSharedCluster
            : window == kLocalWindow >> kWindowBits ? Space::kLocal
            : window == kParamWindow >> kWindowBits ? Space::kParam
                                                    : Space::kGlobal;
  switch (space) {
  case Space::kShared:
  case Space::kSharedCluster: {
    if (window != 0 && window != kSharedWindow >> kWindowBits) {
      fault(warp, inst, lane,
            std::string(verbOf(touch)) + " shared memory at " + hex(address) +
                ", which is no shared address");
      return nullptr;
    }
    Block *block = nullptr;
    uint32_t offset = 0;
    uint8_t *host =
        resolveShared(warp, inst, lane, static_cast<uint32_t>(address), bytes,
                      align, verbOf(touch), block, offset);
    if (host == nullptr ||
        (warp.cluster->checks &&
         !touchShared(warp, inst, lane, *block, offset, bytes, touch)))
      return nullptr;
    return host;
  }
  case Space::kLocal: {
    uint64_t offset = address & ((uint64_t{1} << kWindowBits) - 1);
    uint64_t size = warp.cluster->launch->code->localBytes;
    if (offset > size || bytes > size - offset || offset % align != 0) {
      fault(warp, inst, lane,
            std::string(verbOf(touch)) + " " + std::to_string(bytes) +
                " bytes of local memory at " + hex(offset) + ": a thread has " +
                std::to_string(size) + " bytes, accesses are aligned");
      return nullptr;
    }
    return warp.local.data() + lane * size + offset;
  }
  case Space::kParam: {
    uint64_t offset = address & ((uint64_t{1} << kWindowBits) - 1);
    std::vector<uint8_t> &parameters = warp.cluster->launch->parameters;
    if (window != kParamWindow >> kWindowBits || offset > parameters.size() ||
        bytes > parameters.size() - offset || touch != Touch::kRead) {
      fault(warp, inst, lane,
            std::string(verbOf(touch)) + " " + std::to_string(bytes) +
                " bytes of the parameters at " + hex(offset) + ": they have " +
                std::to_string(parameters.size()) + " bytes and are read only");
      return nullptr;
    }
    return parameters.data() + offset;
  }
  default:
    if (address % align != 0) {
      fault(warp, inst, lane,
            std::string(verbOf(touch)) + " " + std::to_string(bytes) +
                " bytes of global memory at " + hex(address) +
                ", which is not a multiple of " + std::to_string(align) + "; " +
                warp.cluster->launch->memory->nearest(address, bytes));
      return nullptr;
    }
    return resolveGlobal(warp, inst, lane, address, bytes, touch);
  }
}

} // namespace nibble::simt
