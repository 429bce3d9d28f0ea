// The pages of the key and value cache: which are in use, and by how many
// sequences.
#pragma once

#include <cstdint>
#include <vector>

namespace nibble {

class PagePool {
public:
  explicit PagePool(int64_t pages);

  // Takes a free page, with one holder. Returns -1 when all pages are in use.
  int32_t take();
  void retain(int32_t page) { ++holders_[page]; }
  // Removes a holder. The page is free again when the last one is gone.
  void release(int32_t page);
  int32_t holders(int32_t page) const { return holders_[page]; }

  int64_t total() const { return static_cast<int64_t>(holders_.size()); }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  int64_t peakUsed() const { return peakUsed_; }

private:
  std::vector<int32_t> holders_, free_;
  int64_t peakUsed_ = 0;
};

} // namespace nibble
