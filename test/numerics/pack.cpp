// N9 and the host layout: golden words, every byte, an oracle that places one bit at a time, and repack as a
// permutation.
#include "lib/Numerics/pack.h"

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

uint32_t wordAt(const Bytes &slab, size_t index) {
  uint32_t word;
  std::memcpy(&word, slab.data() + 4 * index, 4);
  return word;
}

// The text of !qat.packed, bit by bit: start with padding, then set each of the four bits of each code.
Bytes packBitByBit(const PackedLayout &layout, const std::vector<int8_t> &codes) {
  Bytes bytes(static_cast<size_t>(layout.codeBytes()), 0x88);
  for (int64_t n = 0; n < layout.n; ++n)
    for (int64_t k = 0; k < layout.k; ++k) {
      int64_t bit = layout.layout == Layout::kInterchange ? 32 * (k / 8) + 4 * (k % 8)
                                                          : 32 * (16 * (k / 128) + k % 16) + 4 * (k % 128 / 16);
      bit += 8 * n * layout.codeRowBytes();
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
  EXPECT_EQ(wordAt(packAll(layout, {-8, -7, -6, -5, -4, -3, -2, -1}), 0), 0x76543210u);
  EXPECT_EQ(wordAt(packAll(layout, {0, 1, 2, 3, 4, 5, 6, 7}), 0), 0xFEDCBA98u);
  EXPECT_EQ(wordAt(packAll(layout, {0, 0, 0, 0, 0, 0, 0, 0}), 0), 0x88888888u);
}

TEST(Pack, HostGoldenWords) {
  // Lane l takes k = 16 s + l: a row that counts its step s has the same word in every lane.
  PackedLayout layout{1, 128, {Kind::kInt4, 32}, Layout::kHost};
  std::vector<int8_t> steps(128), lanes(128);
  for (int k = 0; k < 128; ++k) {
    steps[static_cast<size_t>(k)] = static_cast<int8_t>(k / 16);
    lanes[static_cast<size_t>(k)] = static_cast<int8_t>(k % 16 - 8);
  }
  Bytes stepSlab = packAll(layout, steps), laneSlab = packAll(layout, lanes);
  for (uint32_t lane = 0; lane < 16; ++lane) {
    EXPECT_EQ(wordAt(stepSlab, lane), 0xFEDCBA98u);
    EXPECT_EQ(wordAt(laneSlab, lane), 0x11111111u * lane);
  }
}

TEST(Pack, EveryByteOfBothLayoutsDecodesAndEncodesBack) {
  for (Layout order : {Layout::kInterchange, Layout::kHost}) {
    PackedLayout layout{4, 128, {Kind::kInt4, 32}, order}; // 256 code bytes
    Bytes slab(static_cast<size_t>(layout.bytes()));
    std::iota(slab.begin(), slab.begin() + 256, uint8_t{0});
    auto codes = unpackAll(layout, slab);
    EXPECT_EQ(*std::min_element(codes.begin(), codes.end()), -8);
    EXPECT_EQ(*std::max_element(codes.begin(), codes.end()), 7);
    Bytes again = packAll(layout, codes);
    EXPECT_TRUE(std::equal(slab.begin(), slab.begin() + 256, again.begin())) << nameOf(order);
  }
  std::printf("pack(unpack(byte)) for all 256 bytes in 2 layouts\n");
}

TEST(Pack, EveryCodeAtEveryPlace) {
  for (Layout order : {Layout::kInterchange, Layout::kHost}) {
    PackedLayout layout{1, 128, {Kind::kInt4, 32}, order};
    for (int8_t code = -8; code <= 7; ++code)
      for (size_t place = 0; place < 128; ++place) {
        std::vector<int8_t> codes(128, 0);
        codes[place] = code;
        ASSERT_EQ(unpackAll(layout, packAll(layout, codes)), codes) << int(code) << " at " << place;
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
  int64_t k = group == 0 ? *rc::gen::inRange<int64_t>(1, 300) : group * *rc::gen::inRange<int64_t>(1, 20);
  return {n, k, {Kind::kInt4, group}, order};
}

std::vector<int8_t> arbitraryCodes(const PackedLayout &layout) {
  return *rc::gen::container<std::vector<int8_t>>(static_cast<size_t>(layout.n * layout.k),
                                                  rc::gen::inRange<int8_t>(-8, 8));
}

RC_GTEST_PROP(PackProperty, UnpackUndoesPackAndBitsAreWhereTheTextSays, ()) {
  for (Layout order : {Layout::kInterchange, Layout::kHost}) {
    PackedLayout layout = arbitraryLayout(order);
    auto codes = arbitraryCodes(layout);
    Bytes slab = packAll(layout, codes);
    RC_ASSERT(unpackAll(layout, slab) == codes);
    Bytes oracle = packBitByBit(layout, codes);
    RC_ASSERT(std::equal(oracle.begin(), oracle.end(), slab.begin()));
    RC_ASSERT(std::all_of(slab.begin() + layout.codeBytes(), slab.end(), [](uint8_t b) { return b == 0xEE; }));
  }
}

RC_GTEST_PROP(PackProperty, RepackIsAPermutationWithAnExactInverse, ()) {
  PackedLayout interchange = arbitraryLayout(Layout::kInterchange), host = interchange;
  host.layout = Layout::kHost;
  auto codes = arbitraryCodes(interchange);
  Bytes slab = packAll(interchange, codes);
  for (size_t i = static_cast<size_t>(interchange.codeBytes()); i < slab.size(); ++i)
    slab[i] = static_cast<uint8_t>(i * 37);
  Bytes moved(static_cast<size_t>(host.bytes()), 0x55), back(slab.size(), 0x55);
  repack(interchange, slab.data(), Layout::kHost, moved.data());
  repack(host, moved.data(), Layout::kInterchange, back.data());
  RC_ASSERT(back == slab);
  RC_ASSERT(unpackAll(host, moved) == codes);
  Bytes scales(slab.begin() + interchange.codeBytes(), slab.end());
  RC_ASSERT(std::equal(scales.begin(), scales.end(), moved.begin() + host.codeBytes()));
}

TEST(Repack, OtherKindsAreTheSameInBothLayouts) {
  for (Kind kind : {Kind::kInt8, Kind::kFp8}) {
    PackedLayout layout{5, 256, {kind, 128}, Layout::kInterchange};
    Bytes slab(static_cast<size_t>(layout.bytes())), out(slab.size());
    std::iota(slab.begin(), slab.end(), uint8_t{1});
    repack(layout, slab.data(), Layout::kHost, out.data());
    EXPECT_EQ(slab, out) << nameOf(kind);
  }
}

} // namespace
