// The memory of the paged key and value cache: one tensor per state argument of
// the rollout's `forward` function. It lies where the program runs, and the
// host never reads it.
#pragma once

#include "runtime/core/program/program.h"

#include <cstdint>
#include <vector>

namespace nibble {

class KeyValueCache {
public:
  // Derives the layout from the function's state arguments. They are
  // `key_cache:<layer>` [pages, kv_heads, head_dim, page_size] and
  // `value_cache:<layer>` [pages, kv_heads, page_size, head_dim]. Failed when
  // they have another form or disagree.
  static Result<KeyValueCache> describe(const Function &forward);

  // Number of tokens in a page.
  int64_t pageSize() const { return pageSize_; }
  // Bytes of one page over all layers, keys and values.
  int64_t bytesPerPage() const { return bytesPerPage_; }

  // Allocates the memory and binds it.
  Status allocate(int64_t pages, Function &forward);
  // Copies a page in all layers, keys and values.
  Status copyPage(int32_t from, int32_t to);

private:
  struct Layout {
    int argument;
    DType dtype;
    Shape page; // shape without the leading dimension
  };
  std::vector<Layout> layouts_;
  std::vector<ResidentTensor> tensors_;
  int64_t pageSize_ = 0, bytesPerPage_ = 0;
};

} // namespace nibble
