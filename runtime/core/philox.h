// Counter-based random numbers (N16): Philox4x32-10 of Salmon, Moraes, Dror and
// Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11). A draw is a pure
// function of its key and counter. It never depends on earlier draws.
#pragma once

#include <array>
#include <cstdint>

namespace nibble {

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

// The four random words of a counter under a key.
constexpr PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t{0xD2511F53} * counter[0];
    uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

// The use of randomness that a draw belongs to. Two uses of one (seed, step,
// sample, token) never share a number.
enum class RandomStream : uint32_t {
  kSampler = 0,
  kTask = 1,
  kData = 2,
  kInitialize = 3
};

// 64 random bits for (seed; stream, step, sample, token), N16. step, sample and
// token contribute their low 32 bits, `stream` its low 8. Bits 32-39 of step
// fill the rest of the word of `stream`.
constexpr uint64_t randomBits(uint64_t seed, RandomStream stream, uint64_t step,
                              uint64_t sample, uint64_t token) {
  uint32_t first = (static_cast<uint32_t>(stream) & 0xFF) |
                   static_cast<uint32_t>(step >> 32) << 8;
  PhiloxCounter words =
      philox({first, static_cast<uint32_t>(step), static_cast<uint32_t>(sample),
              static_cast<uint32_t>(token)},
             {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<uint64_t>(words[1]) << 32 | words[0];
}

// Uniform in [0, 1) with 53 bits.
constexpr double toUnit(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Uniform in 0 .. bound-1 (bound > 0): the high half of bits * bound. Its bias
// is below bound / 2^64.
constexpr uint64_t toBelow(uint64_t bits, uint64_t bound) {
  return static_cast<uint64_t>(static_cast<unsigned __int128>(bits) * bound >>
                               64);
}

} // namespace nibble
