// Compares Philox and XXH3 with known answers.
#include "runtime/core/hash.h"
#include "runtime/core/philox.h"

#include <gtest/gtest.h>

#include <set>

using namespace nibble;

namespace {

// Known answers that the authors of Philox publish with their library
// (kat_vectors, philox4x32 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                   {0xffffffff, 0xffffffff}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                   {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, EveryPartOfTheKeyCounts) {
  std::set<uint64_t> seen;
  for (uint64_t seed : {0ull, 1ull, 1ull << 32})
    for (auto stream : {RandomStream::kSampler, RandomStream::kTask})
      for (uint64_t step : {0ull, 1ull, 1ull << 32})
        for (uint64_t sample : {0, 1})
          for (uint64_t token : {0, 1})
            seen.insert(randomBits(seed, stream, step, sample, token));
  EXPECT_EQ(seen.size(), 3u * 2 * 3 * 2 * 2);
}

TEST(Philox, UnitAndBelowStayInRange) {
  EXPECT_EQ(toUnit(0), 0.0);
  EXPECT_LT(toUnit(~0ull), 1.0);
  EXPECT_EQ(toBelow(~0ull, 10), 9u);
  EXPECT_EQ(toBelow(0, 10), 0u);
  std::array<int, 10> counts{};
  for (uint64_t i = 0; i < 100000; ++i)
    ++counts[toBelow(randomBits(1, RandomStream::kTask, 0, 0, i), 10)];
  // The tolerance is 5 standard deviations.
  for (int count : counts)
    EXPECT_NEAR(count, 10000, 500);
}

TEST(Hash, IsXXH3With128Bits) {
  // Published value for empty input.
  EXPECT_EQ(hash128(std::string_view("")), "99aa06d3014798d86001c324468d497f");
  std::string text(100000, 'x');
  Hasher hasher;
  for (size_t i = 0; i < text.size(); i += 777)
    hasher.add(std::as_bytes(
        std::span(text).subspan(i, std::min<size_t>(777, text.size() - i))));
  EXPECT_EQ(hasher.digest(), hash128(text));
  text[5] ^= 1;
  EXPECT_NE(hasher.digest(), hash128(text));
}

} // namespace
