// The random numbers of one problem (N16).
#pragma once

#include "runtime/core/philox.h"

#include <cstdint>
#include <string_view>

namespace nibble {

// A sequence of draws. Each is a function of (seed, split, index, attempt,
// number of the draw).
class ProblemRandom {
public:
  ProblemRandom(uint64_t seed, uint32_t split, uint64_t index, uint32_t attempt)
      : seed_(seed), step_(index & 0xFFFFFFFF),
        sample_((index >> 32) << 1 | split), attempt_(attempt) {}

  // Uniform in least .. most.
  int64_t between(int64_t least, int64_t most) {
    // The token word holds attempt and draw, so an attempt takes fewer than 256
    // draws.
    uint64_t bits = randomBits(seed_, RandomStream::kTask, step_, sample_,
                               uint64_t{attempt_} << 8 | draw_++);
    return least + static_cast<int64_t>(
                       toBelow(bits, static_cast<uint64_t>(most - least) + 1));
  }

private:
  uint64_t seed_, step_, sample_;
  uint32_t attempt_;
  uint32_t draw_ = 0;
};

// A hash of a problem's content, equal on every machine. It selects the split
// of the problem.
class ContentHash {
public:
  void add(int64_t value) {
    PhiloxCounter words = philox(
        {static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32),
         static_cast<uint32_t>(state_), static_cast<uint32_t>(state_ >> 32)},
        {0x6E696262, 0x6C650000});
    state_ = uint64_t{words[1]} << 32 | words[0];
  }
  // Adds the length and the bytes, eight at a time in little-endian order.
  void add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    for (size_t begin = 0; begin < text.size(); begin += 8) {
      uint64_t word = 0;
      for (size_t i = begin; i < text.size() && i < begin + 8; ++i)
        word |= uint64_t{static_cast<uint8_t>(text[i])} << (8 * (i - begin));
      add(static_cast<int64_t>(word));
    }
  }
  uint64_t value() const { return state_; }

private:
  uint64_t state_ = 0;
};

} // namespace nibble
