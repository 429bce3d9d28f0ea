// The live allocations of a device, and what is known of their bytes.
#pragma once

#include "runtime/core/status.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace nibble::simt {

class AllocationMap {
public:
  struct Freed {
    void operator()(void *memory) const;
  };
  struct Entry {
    uint64_t begin = 0, end = 0;
    std::string what;
    void *owned = nullptr; // to be freed
    // A byte per byte; null: all are.
    std::unique_ptr<uint8_t[], Freed> written;
    // Per four bytes: launch, block that wrote, block that read; may be null.
    std::unique_ptr<std::atomic<uint64_t>[], Freed> last;
    // A byte per byte that the launch at hand has touched; null: nobody counts
    // them.
    std::unique_ptr<uint8_t[], Freed> touched;
    bool readOnly = false;
    bool isVariable = false; // of a module
    uint64_t bytes() const { return end - begin; }
    uint8_t *writtenAt(uint64_t address) const {
      return written.get() + (address - begin);
    }
  };

  ~AllocationMap();
  // Environment error when the host has no memory.
  Result<Entry *> allocate(uint64_t bytes, std::string_view what, bool checks);
  Result<Entry *> adopt(uint64_t begin, uint64_t bytes, std::string_view what,
                        bool checks);
  // Nothing when `begin` begins no allocation.
  void remove(uint64_t begin);
  // The allocation that holds all of [address, address + bytes), or null.
  const Entry *find(uint64_t address, uint64_t bytes) const;
  // "12 bytes behind the end of 'x' (1024 bytes at 0x...)"
  std::string nearest(uint64_t address, uint64_t bytes) const;
  uint64_t liveBytes() const { return liveBytes_; }
  uint64_t peakBytes() const {
    return peakBytes_;
  } // the most that were live at a time
  // From now on what is touched is counted anew; and how many bytes were, each
  // once. Variables of modules do not count.
  Status beginTouching();
  uint64_t touchedBytes() const;

private:
  std::map<uint64_t, Entry> entries_; // by begin
  uint64_t liveBytes_ = 0, peakBytes_ = 0;
};

std::string hex(uint64_t value);

} // namespace nibble::simt
