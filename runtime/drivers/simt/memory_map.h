// The live allocations of a device, and the state of their bytes.
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
    void *owned = nullptr; // memory to free
    // One flag per byte; null when all bytes are written.
    std::unique_ptr<uint8_t[], Freed> written;
    // For each four bytes: launch, block that wrote, block that read. May be
    // null.
    std::unique_ptr<std::atomic<uint64_t>[], Freed> last;
    // One flag per byte that the current launch has touched; null when nobody
    // counts.
    std::unique_ptr<uint8_t[], Freed> touched;
    bool readOnly = false;
    bool isVariable = false; // whether it is a variable of a module
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
  // Does nothing when no allocation begins at `begin`.
  void remove(uint64_t begin);
  // The allocation that contains all of [address, address + bytes), or null.
  const Entry *find(uint64_t address, uint64_t bytes) const;
  // For example "12 bytes behind the end of 'x' (1024 bytes at 0x...)".
  std::string nearest(uint64_t address, uint64_t bytes) const;
  uint64_t liveBytes() const { return liveBytes_; }
  uint64_t peakBytes() const { return peakBytes_; } // the maximum of live bytes
  // `beginTouching` starts to count touched bytes, each once, and
  // `touchedBytes` returns the count. Variables of modules do not count.
  Status beginTouching();
  uint64_t touchedBytes() const;

private:
  std::map<uint64_t, Entry> entries_; // keyed by begin
  uint64_t liveBytes_ = 0, peakBytes_ = 0;
};

std::string hex(uint64_t value);

} // namespace nibble::simt
