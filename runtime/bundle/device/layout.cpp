// Gives each buffer of a call an offset in the arena according to its lifetime.
#include "runtime/bundle/device/layout.h"

#include <map>
#include <queue>
#include <set>
#include <vector>

namespace nibble {

namespace {

constexpr int64_t kMostBytes = int64_t{1} << 62;

// The free pieces below `top`, sorted by place and by size. Adjacent pieces are
// merged.
class FreeList {
public:
  int64_t top = 0;

  int64_t take(int64_t bytes) {
    auto fit = bySize_.lower_bound({bytes, 0});
    if (fit != bySize_.end()) {
      auto [size, offset] = *fit;
      erase(offset, size);
      if (size > bytes)
        insert(offset + bytes, size - bytes);
      return offset;
    }
    // A free piece at the very end can grow.
    int64_t offset = top;
    if (!byPlace_.empty() &&
        byPlace_.rbegin()->first + byPlace_.rbegin()->second == top) {
      offset = byPlace_.rbegin()->first;
      erase(offset, byPlace_.rbegin()->second);
    }
    top = offset + bytes;
    return offset;
  }

  void giveBack(int64_t offset, int64_t bytes) {
    auto next = byPlace_.lower_bound(offset);
    if (next != byPlace_.end() && next->first == offset + bytes) {
      bytes += next->second;
      erase(next->first, next->second);
    }
    auto previous = byPlace_.lower_bound(offset);
    if (previous != byPlace_.begin() &&
        (--previous)->first + previous->second == offset) {
      auto [place, size] = *previous;
      erase(place, size);
      offset = place;
      bytes += size;
    }
    insert(offset, bytes);
  }

private:
  void insert(int64_t offset, int64_t bytes) {
    byPlace_[offset] = bytes;
    bySize_.insert({bytes, offset});
  }
  void erase(int64_t offset, int64_t bytes) {
    byPlace_.erase(offset);
    bySize_.erase({bytes, offset});
  }

  std::map<int64_t, int64_t> byPlace_;           // offset to bytes
  std::set<std::pair<int64_t, int64_t>> bySize_; // bytes, offset
};

} // namespace

int64_t layOut(std::span<Lifetime> items) {
  FreeList free;
  using End = std::pair<int64_t, size_t>; // step, item
  std::priority_queue<End, std::vector<End>, std::greater<>> alive;
  for (size_t i = 0; i < items.size(); ++i) {
    Lifetime &item = items[i];
    auto rounded = [](int64_t bytes) {
      return (bytes + kBufferAlignment - 1) / kBufferAlignment *
             kBufferAlignment;
    };
    for (; !alive.empty() && alive.top().first <= item.begin; alive.pop())
      free.giveBack(items[alive.top().second].offset,
                    rounded(items[alive.top().second].bytes));
    item.offset = 0;
    if (item.bytes == 0)
      continue;
    if (item.bytes > kMostBytes - free.top - kBufferAlignment)
      return -1;
    item.offset = free.take(rounded(item.bytes));
    alive.push({item.end, i});
  }
  return free.top;
}

} // namespace nibble
