// Counts the holders of each page.
#include "runtime/rollout/pages.h"

#include <algorithm>
#include <cassert>

namespace nibble {

PagePool::PagePool(int64_t pages) : holders_(pages) {
  for (int64_t page = pages; page-- > 0;)
    free_.push_back(static_cast<int32_t>(page)); // page 0 is taken first
}

int32_t PagePool::take() {
  if (free_.empty())
    return -1;
  int32_t page = free_.back();
  free_.pop_back();
  holders_[page] = 1;
  peakUsed_ = std::max(peakUsed_, total() - free());
  return page;
}

void PagePool::release(int32_t page) {
  assert(holders_[page] > 0 && "page released by someone who does not hold it");
  if (--holders_[page] == 0)
    free_.push_back(page);
}

} // namespace nibble
