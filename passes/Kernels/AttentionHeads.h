// The heads of an attention op, as the kernels of every target use them.
#pragma once

#include <cstdint>

namespace nibble::kernels {

struct AttentionHeads {
  int64_t heads = 0;   // query heads
  int64_t kvHeads = 0; // key and value heads
  int64_t group = 0;   // query heads that read one key head
  int64_t size = 0;    // elements of a head
  int64_t block = 0;   // positions of a key block (N14)
  int64_t window = 0;  // 0: a query sees all positions up to its own
  double scale = 0;    // factor of the scores, a float32 number

  // `op` is the adaptor of nn.attention, its gradient or nn.paged_attention.
  template <typename Adaptor>
  static AttentionHeads of(Adaptor op, int64_t size) {
    return {static_cast<int64_t>(op.getHeads()),
            static_cast<int64_t>(op.getKvHeads()),
            static_cast<int64_t>(op.getHeads() / op.getKvHeads()),
            size,
            static_cast<int64_t>(op.getKvBlock()),
            static_cast<int64_t>(op.getWindow()),
            op.getScale().convertToDouble()};
  }
};

} // namespace nibble::kernels
