// Allocates memory of the device, and finds the allocation of an address.
#include "runtime/drivers/simt/memory_map.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace nibble::simt {

std::string hex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

namespace {
// Zeroed memory that takes no space before it is accessed.
template <typename T> T *zeroes(uint64_t count) {
  static_assert(std::is_trivially_destructible_v<T>);
  return static_cast<T *>(std::calloc(count, sizeof(T)));
}
} // namespace

void AllocationMap::Freed::operator()(void *memory) const { std::free(memory); }

AllocationMap::~AllocationMap() {
  for (auto &[begin, entry] : entries_)
    std::free(entry.owned);
}

Result<AllocationMap::Entry *> AllocationMap::adopt(uint64_t begin,
                                                    uint64_t bytes,
                                                    std::string_view what,
                                                    bool checks) {
  uint64_t end = begin + (bytes == 0 ? 1 : bytes);
  if (begin == 0 || end < begin)
    return Status::usage("simt: '" + std::string(what) + "' is no memory: " +
                         hex(begin) + "; give memory of the host");
  auto next = entries_.lower_bound(begin);
  if ((next != entries_.end() && next->second.begin < end) ||
      (next != entries_.begin() && std::prev(next)->second.end > begin))
    return Status::usage("simt: '" + std::string(what) +
                         "' overlaps memory of the device: " +
                         nearest(begin, bytes) + "; release the other first");
  Entry &entry = entries_[begin];
  entry.begin = begin;
  entry.end = begin + bytes;
  entry.what = what;
  if (checks)
    entry.last.reset(zeroes<std::atomic<uint64_t>>(bytes / 4 + 1));
  liveBytes_ += bytes;
  peakBytes_ = std::max(peakBytes_, liveBytes_);
  return &entry;
}

Result<AllocationMap::Entry *>
AllocationMap::allocate(uint64_t bytes, std::string_view what, bool checks) {
  auto noMemory = [&] {
    return Status::environment(
        "no memory on the host for '" + std::string(what) + "': " +
        std::to_string(bytes) + " bytes; " + std::to_string(liveBytes_) +
        " bytes are allocated on simt; use a smaller model or batch");
  };
  if (bytes > uint64_t{1} << 46)
    return noMemory();
  // Leave a gap behind the allocation, so that no neighbour begins where it
  // ends.
  void *memory = std::aligned_alloc(256, (bytes + 511) / 256 * 256);
  if (memory == nullptr)
    return noMemory();
  auto entry = adopt(reinterpret_cast<uint64_t>(memory), bytes, what, checks);
  if (!entry.isOk()) {
    std::free(memory);
    return entry;
  }
  (*entry)->owned = memory;
  if (checks) {
    (*entry)->written.reset(zeroes<uint8_t>(bytes + 1));
    if ((*entry)->written == nullptr) {
      remove(reinterpret_cast<uint64_t>(memory));
      return noMemory();
    }
    // Fill with ones, so that unwritten memory does not pass for a valid value.
    std::memset(memory, 0xff, bytes);
  }
  return entry;
}

void AllocationMap::remove(uint64_t begin) {
  auto found = entries_.find(begin);
  if (found == entries_.end())
    return;
  liveBytes_ -= found->second.bytes();
  std::free(found->second.owned);
  entries_.erase(found);
}

const AllocationMap::Entry *AllocationMap::find(uint64_t address,
                                                uint64_t bytes) const {
  auto next = entries_.upper_bound(address);
  if (next == entries_.begin())
    return nullptr;
  const Entry &entry = std::prev(next)->second;
  return address >= entry.begin && address <= entry.end &&
                 bytes <= entry.end - address
             ? &entry
             : nullptr;
}

Status AllocationMap::beginTouching() {
  for (auto &[begin, entry] : entries_) {
    if (entry.isVariable)
      continue;
    if (entry.touched != nullptr)
      std::memset(entry.touched.get(), 0, entry.bytes());
    else if (entry.touched.reset(zeroes<uint8_t>(entry.bytes() + 1));
             entry.touched == nullptr)
      return Status::environment(
          "no memory on the host to count what is touched of '" + entry.what +
          "'; use a smaller model or batch");
  }
  return Status::ok();
}

uint64_t AllocationMap::touchedBytes() const {
  uint64_t bytes = 0;
  for (const auto &[begin, entry] : entries_)
    if (entry.touched != nullptr)
      bytes += static_cast<uint64_t>(std::count(
          entry.touched.get(), entry.touched.get() + entry.bytes(), 1));
  return bytes;
}

std::string AllocationMap::nearest(uint64_t address, uint64_t bytes) const {
  if (entries_.empty())
    return "nothing is allocated";
  auto describe = [](const Entry &entry) {
    return "'" + entry.what + "' (" + std::to_string(entry.bytes()) +
           " bytes at " + hex(entry.begin) + ")";
  };
  auto next = entries_.upper_bound(address);
  const Entry *below =
      next == entries_.begin() ? nullptr : &std::prev(next)->second;
  const Entry *above = next == entries_.end() ? nullptr : &next->second;
  if (below != nullptr && address < below->end)
    return std::to_string(bytes - (below->end - address)) +
           " bytes reach beyond the end of " + describe(*below);
  uint64_t behind = below != nullptr ? address - below->end : ~uint64_t{0};
  uint64_t before = above != nullptr ? above->begin - address : ~uint64_t{0};
  if (behind <= before)
    return std::to_string(behind) + " bytes behind the end of " +
           describe(*below);
  return std::to_string(before) + " bytes before the beginning of " +
         describe(*above);
}

} // namespace nibble::simt
