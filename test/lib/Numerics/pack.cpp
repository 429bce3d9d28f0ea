// N9 and the layouts host and hopper: golden words, every byte, an oracle that
// places one bit at a time, and repacking as a permutation.
#include "lib/Numerics/pack.h"
#include "lib/Numerics/fragment.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck/gtest.h>

using namespace nibble::numerics;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes packAll(const PackedLayout &layout, const std::vector<int8_t> &codes) {
  Bytes slab(static_cast<size_t>(layout.bytes()), 0xEE);
  packCodes(layout, 0, layout.n, codes.data(), slab.data());
  return slab;
}

std::vector<int8_t> unpackAll(const PackedLayout &layout, const Bytes &slab) {
  std::vector<int8_t> codes(static_cast<size_t>(layout.n * layout.k), 99);
  unpackCodes(layout, 0, layout.n, slab.data(), codes.data());
  return codes;
}

constexpr Layout kLayouts[] = {Layout::kInterchange, Layout::kHost,
                               Layout::kHopper};

uint32_t wordAt(const Bytes &slab, size_t index) {
  uint32_t word;
  std::memcpy(&word, slab.data() + 4 * index, 4);
  return word;
}

// For each element of an instruction's 64 x 16 tile: its bit among the words of
// the step. It comes from a walk over the registers of the 128 threads, which
// follows the text of fragment.h and not its inverse.
std::vector<int64_t> fragmentBits() {
  std::vector<int64_t> bits(64 * 16, -1);
  for (int64_t thread = 0; thread < 128; ++thread)
    for (int64_t reg = 0; reg < 4; ++reg)
      for (int64_t half = 0; half < 2; ++half) {
        FragmentElement element = fragmentElement(thread, reg, half);
        bits[static_cast<size_t>(16 * element.row + element.k)] =
            8 * 16 * thread + 4 * reg + 16 * half;
      }
  return bits;
}

// The bit in the slab of the lowest bit of code (n, k).
int64_t bitOf(const PackedLayout &layout, int64_t n, int64_t k) {
  if (layout.layout == Layout::kHopper) {
    static const std::vector<int64_t> fragment = fragmentBits();
    int64_t slab = n / 64 * ((layout.k + 127) / 128) + k / 128;
    return 8 * (4096 * slab + 2048 * (k % 128 / 64) + 4 * (k % 64 / 16)) +
           fragment[static_cast<size_t>(16 * (n % 64) + k % 16)];
  }
  int64_t bit = layout.layout == Layout::kInterchange
                    ? 32 * (k / 8) + 4 * (k % 8)
                    : 32 * (16 * (k / 128) + k % 16) + 4 * (k % 128 / 16);
  return bit + 8 * n * layout.codeRowBytes();
}

// Follows the description of !qat.packed bit by bit: start with padding, then
// set each of the four bits of each code.
Bytes packBitByBit(const PackedLayout &layout,
                   const std::vector<int8_t> &codes) {
  Bytes bytes(static_cast<size_t>(layout.codeBytes()), 0x88);
  for (int64_t n = 0; n < layout.n; ++n)
    for (int64_t k = 0; k < layout.k; ++k) {
      int64_t bit = bitOf(layout, n, k);
      int code = codes[static_cast<size_t>(n * layout.k + k)] + 8;
      for (int b = 0; b < 4; ++b, ++bit) {
        uint8_t mask = static_cast<uint8_t>(1 << (bit % 8));
        uint8_t &byte = bytes[static_cast<size_t>(bit / 8)];
        byte = static_cast<uint8_t>(code >> b & 1 ? byte | mask : byte & ~mask);
      }
    }
  return bytes;
}

TEST(Pack, N9GoldenWords) {
  PackedLayout layout{1, 8, {Kind::kInt4, 0}, Layout::kInterchange};
  EXPECT_EQ(wordAt(packAll(layout, {-8, -7, -6, -5, -4, -3, -2, -1}), 0),
            0x76543210u);
  EXPECT_EQ(wordAt(packAll(layout, {0, 1, 2, 3, 4, 5, 6, 7}), 0), 0xFEDCBA98u);
  EXPECT_EQ(wordAt(packAll(layout, {0, 0, 0, 0, 0, 0, 0, 0}), 0), 0x88888888u);
}

TEST(Pack, HostGoldenWords) {
  // Lane l takes k = 16 s + l. A row that counts its step s therefore has the
  // same word in every lane.
  PackedLayout layout{1, 128, {Kind::kInt4, 32}, Layout::kHost};
  std::vector<int8_t> steps(128), lanes(128);
  for (int k = 0; k < 128; ++k) {
    steps[static_cast<size_t>(k)] = static_cast<int8_t>(k / 16);
    lanes[static_cast<size_t>(k)] = static_cast<int8_t>(k % 16 - 8);
  }
  Bytes stepSlab = packAll(layout, steps);
  Bytes laneSlab = packAll(layout, lanes);
  for (uint32_t lane = 0; lane < 16; ++lane) {
    EXPECT_EQ(wordAt(stepSlab, lane), 0xFEDCBA98u);
    EXPECT_EQ(wordAt(laneSlab, lane), 0x11111111u * lane);
  }
}

TEST(Pack, FragmentsAreAPermutation) {
  for (int64_t thread = 0; thread < 128; ++thread)
    for (int64_t reg = 0; reg < 4; ++reg)
      for (int64_t half = 0; half < 2; ++half) {
        FragmentElement element = fragmentElement(thread, reg, half);
        FragmentPlace place = fragmentPlace(element.row, element.k);
        EXPECT_TRUE(place.thread == thread && place.reg == reg &&
                    place.half == half)
            << thread << " " << reg << " " << half;
      }
  std::vector<bool> taken(8192, false);
  for (int64_t row = 0; row < 64; ++row)
    for (int64_t k = 0; k < 128; ++k) {
      NibblePlace place = nibblePlace(row, k);
      size_t nibble = static_cast<size_t>(2 * place.byte + place.shift / 4);
      ASSERT_LT(nibble, taken.size());
      EXPECT_FALSE(taken[nibble]) << row << " " << k;
      taken[nibble] = true;
    }
}

// Thread 0 of a warpgroup holds rows 0 and 8 and columns 0, 1, 8 and 9 of each
// step of sixteen.
TEST(Pack, HopperGoldenWords) {
  PackedLayout layout{64, 128, {Kind::kInt4, 128}, Layout::kHopper};
  std::vector<int8_t> codes(64 * 128, 0);
  auto set = [&](int row, int k, int8_t code) {
    codes[static_cast<size_t>(row * 128 + k)] = code;
  };
  set(0, 0, -7), set(0, 1, -3), set(8, 0, -6), set(8, 1, -2), set(0, 8, -5),
      set(0, 9, -1), set(8, 8, -4), set(8, 9, 1);
  set(63, 127, 7); // thread 127, register 3, upper half, step 7
  Bytes slab = packAll(layout, codes);
  EXPECT_EQ(wordAt(slab, 0), 0x97654321u);
  EXPECT_EQ(wordAt(slab, 1023), 0xF8888888u);
  EXPECT_EQ(wordAt(slab, 1), 0x88888888u);
}

// Rows and columns of padding have codes of 8 and scales of 0.
TEST(Pack, HopperPadding) {
  for (int64_t group : {0, 16, 32, 64, 128}) {
    PackedLayout layout{65,
                        group == 0 ? 130 : group * 3,
                        {Kind::kInt4, group},
                        Layout::kHopper};
    int64_t across = (layout.k + 127) / 128;
    int64_t perRow = group == 0 ? 1 : 128 / group;
    Bytes slab(static_cast<size_t>(layout.bytes()), 0xEE);
    packCodes(
        layout, 0, layout.n,
        std::vector<int8_t>(static_cast<size_t>(layout.n * layout.k), 7).data(),
        slab.data());
    for (int64_t index = 0; index < layout.scaleCount(); ++index)
      storeScale(layout, slab.data(), index, 0x3F80);
    for (int64_t n = 0; n < 128; ++n)
      for (int64_t k = 0; k < 128 * across; ++k) {
        int64_t bit = bitOf(layout, n, k);
        int code = slab[static_cast<size_t>(bit / 8)] >> (bit % 8) & 0xF;
        ASSERT_EQ(code, n < layout.n && k < layout.k ? 15 : 8)
            << n << " " << k << " group " << group;
      }
    for (int64_t n = 0; n < 128; ++n)
      for (int64_t i = 0; i < across * perRow; ++i) {
        int64_t place =
            ((n / 64 * across + i / perRow) * 64 + n % 64) * perRow +
            i % perRow;
        uint16_t scale;
        std::memcpy(&scale, slab.data() + layout.codeBytes() + 2 * place, 2);
        bool exists = n < layout.n && (group == 0 || i < layout.groupsPerRow());
        ASSERT_EQ(scale, exists ? 0x3F80 : 0)
            << n << " " << i << " group " << group;
      }
  }
}

TEST(Pack, EveryByteOfEveryLayoutDecodesAndEncodesBack) {
  for (Layout order : kLayouts) {
    PackedLayout layout{64, 128, {Kind::kInt4, 32}, order}; // 4096 code bytes
    Bytes slab(static_cast<size_t>(layout.bytes()));
    std::iota(slab.begin(), slab.begin() + 4096, uint8_t{0});
    auto codes = unpackAll(layout, slab);
    EXPECT_EQ(*std::min_element(codes.begin(), codes.end()), -8);
    EXPECT_EQ(*std::max_element(codes.begin(), codes.end()), 7);
    Bytes again = packAll(layout, codes);
    EXPECT_TRUE(std::equal(slab.begin(), slab.begin() + 4096, again.begin()))
        << nameOf(order);
  }
  std::printf("pack(unpack(byte)) for all 256 bytes in 3 layouts\n");
}

TEST(Pack, EveryCodeAtEveryPlace) {
  for (Layout order : kLayouts) {
    PackedLayout layout{1, 128, {Kind::kInt4, 32}, order};
    for (int8_t code = -8; code <= 7; ++code)
      for (size_t place = 0; place < 128; ++place) {
        std::vector<int8_t> codes(128, 0);
        codes[place] = code;
        ASSERT_EQ(unpackAll(layout, packAll(layout, codes)), codes)
            << int(code) << " at " << place;
      }
  }
}

TEST(Pack, PaddingIsEight) {
  PackedLayout host{1, 16, {Kind::kInt4, 16}, Layout::kHost};
  Bytes slab = packAll(host, std::vector<int8_t>(16, 7));
  for (size_t lane = 0; lane < 16; ++lane)
    EXPECT_EQ(wordAt(slab, lane), 0x8888888Fu);
  PackedLayout interchange{1, 3, {Kind::kInt4, 0}, Layout::kInterchange};
  EXPECT_EQ(wordAt(packAll(interchange, {1, 2, 3}), 0), 0x88888BA9u);
}

PackedLayout arbitraryLayout(Layout order) {
  int64_t group = *rc::gen::element<int64_t>(0, 16, 32, 64, 128);
  int64_t n = *rc::gen::inRange<int64_t>(1, 6);
  // A slab has 64 rows, whatever n is.
  int64_t most = order == Layout::kHopper ? 5 : 20;
  int64_t k = group == 0 ? *rc::gen::inRange<int64_t>(1, 300)
                         : group * *rc::gen::inRange<int64_t>(1, most);
  return {n, k, {Kind::kInt4, group}, order};
}

std::vector<int8_t> arbitraryCodes(const PackedLayout &layout) {
  return *rc::gen::container<std::vector<int8_t>>(
      static_cast<size_t>(layout.n * layout.k),
      rc::gen::inRange<int8_t>(-8, 8));
}

RC_GTEST_PROP(PackProperty, UnpackUndoesPackAndBitsAreWhereTheTextSays, ()) {
  for (Layout order : kLayouts) {
    PackedLayout layout = arbitraryLayout(order);
    auto codes = arbitraryCodes(layout);
    Bytes slab = packAll(layout, codes);
    RC_ASSERT(unpackAll(layout, slab) == codes);
    Bytes oracle = packBitByBit(layout, codes);
    RC_ASSERT(std::equal(oracle.begin(), oracle.end(), slab.begin()));
    // Scales do not change, except those of padding rows.
    int64_t written =
        std::count_if(slab.begin() + layout.codeBytes(), slab.end(),
                      [](uint8_t b) { return b != 0xEE; });
    int64_t zeros =
        std::count(slab.begin() + layout.codeBytes(), slab.end(), uint8_t{0});
    int64_t padding =
        layout.inSlabs() ? layout.scaleBytes() / 64 * (64 - layout.n) : 0;
    RC_ASSERT(written == padding);
    RC_ASSERT(zeros == padding);
  }
}

RC_GTEST_PROP(PackProperty, RepackIsAPermutationWithAnExactInverse, ()) {
  PackedLayout from = arbitraryLayout(*rc::gen::elementOf(
      std::vector<Layout>(std::begin(kLayouts), std::end(kLayouts))));
  PackedLayout to = from;
  to.layout = *rc::gen::elementOf(
      std::vector<Layout>(std::begin(kLayouts), std::end(kLayouts)));
  auto codes = arbitraryCodes(from);
  Bytes slab = packAll(from, codes);
  for (int64_t index = 0; index < from.scaleCount(); ++index)
    storeScale(from, slab.data(), index,
               static_cast<uint32_t>(index * 37 + 1) & 0x7F7F);
  Bytes moved(static_cast<size_t>(to.bytes()), 0x55);
  Bytes back(slab.size(), 0x55);
  repack(from, slab.data(), to.layout, moved.data());
  repack(to, moved.data(), from.layout, back.data());
  RC_ASSERT(back == slab);
  RC_ASSERT(unpackAll(to, moved) == codes);
  for (int64_t index = 0; index < from.scaleCount(); ++index)
    RC_ASSERT(loadScale(from, slab.data(), index) ==
              loadScale(to, moved.data(), index));
}

TEST(Repack, CodesOfEightBitsAreTheSameInEveryLayout) {
  for (const SchemeRow &row : schemeTable()) {
    if (row.codeBits != 8)
      continue;
    PackedLayout layout{5, 256, schemeOf(row.kind, 128, Convention::kNibble),
                        Layout::kInterchange};
    for (Layout other : kLayouts) {
      Bytes slab(static_cast<size_t>(layout.bytes()));
      Bytes out(slab.size());
      std::iota(slab.begin(), slab.end(), uint8_t{1});
      repack(layout, slab.data(), other, out.data());
      EXPECT_EQ(slab, out) << row.name << " " << nameOf(other);
    }
  }
}

} // namespace
