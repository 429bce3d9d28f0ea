// The spelling of schemes and packed types, and the refused ones (N2).
#include "lib/Numerics/pack.h"

#include <gtest/gtest.h>

using namespace nibble::numerics;

namespace {

TEST(Scheme, SpellingIsReadBack) {
  size_t count = 0;
  size_t wanted = 0;
  for (const SchemeRow &row : schemeTable()) {
    wanted += 2 * row.groupSizes.size() * row.conventions.size();
    for (int64_t group : {0, 16, 32, 64, 128})
      for (const ConventionRow &convention : conventionTable())
        for (Layout layout : {Layout::kInterchange, Layout::kHost}) {
          PackedLayout packed{
              256, 1024, {row.kind, group, convention.convention}, layout};
          if (!packed.problem().empty())
            continue;
          EXPECT_EQ(parseScheme(toString(packed.scheme)), packed.scheme)
              << toString(packed.scheme);
          EXPECT_EQ(parsePacked(toString(packed)), packed) << toString(packed);
          ++count;
        }
  }
  EXPECT_EQ(count, wanted);
  EXPECT_GE(count, 2u * (3 * 5 + 5 + 1)) << "of int4, int8 and fp8 alone";
  EXPECT_EQ(toString(PackedLayout{2048, 1024, {}, Layout::kHost}),
            "!qat.packed<2048x1024, <int4, group_size = 32>, host>");
  EXPECT_EQ(toString(Scheme{Kind::kInt4, 128, Convention::kSlime}),
            "<int4, group_size = 128, convention = slime>");
  EXPECT_TRUE(parsePacked(
      "!qat.packed<64x128, #qat.scheme<int4, group_size = 32>, interchange>"));
}

TEST(Scheme, TablesSayWhatThereIs) {
  for (const SchemeRow &row : schemeTable()) {
    EXPECT_EQ(kindNamed(row.name), row.kind);
    EXPECT_EQ(&rowOf(row.kind), &row);
    EXPECT_FALSE(row.groupSizes.empty());
    EXPECT_EQ(row.conventions.front(), Convention::kNibble);
    EXPECT_NE(describeSchemes().find(row.summary), std::string::npos);
    for (int64_t size : row.groupSizes)
      EXPECT_EQ(problemOf({row.kind, size}), "");
    int64_t only = row.groupSizes.front();
    EXPECT_EQ(schemeOf(row.kind, 64, Convention::kNibble).groupSize,
              row.groupSizes.size() == 1 ? only : 64);
  }
  for (const ConventionRow &row : conventionTable()) {
    EXPECT_EQ(conventionNamed(row.name), row.convention);
    EXPECT_EQ(conventionSpelled(row.name), row.convention);
    EXPECT_EQ(conventionSpelled(row.spelling), row.convention);
    EXPECT_NE(describeSchemes().find(row.summary), std::string::npos);
  }
  EXPECT_TRUE(schemeChoices(" and ").starts_with("int4, int8, fp8"));
  EXPECT_TRUE(schemeChoices(" and ").ends_with(" and none"));
  EXPECT_EQ(schemeChoices(", "),
            schemeChoices(", ", /*withNone=*/false) + ", none");
  EXPECT_EQ(conventionChoices(" and "), "nibble, slime and compressed-tensors");
  EXPECT_EQ(groupSizeChoices(), "16, 32, 64, 128");
  EXPECT_EQ(groupSizes(), (std::vector<int64_t>{0, 16, 32, 64, 128}));
  EXPECT_TRUE(fixedGroupSizes().starts_with("fp8 always 128x128"));
  EXPECT_EQ(problemOf({Kind::kInt4, 48}),
            "N2: group_size is 16, 32, 64, 128 or 0 for the whole row, not 48");
  EXPECT_EQ(problemOf({Kind::kFp8, 32}),
            "N2: the block of fp8 is 128x128, so group_size is 128, not 32");
  EXPECT_EQ(problemOf({Kind::kMxfp4, 64}),
            "N2: the group of mxfp4 is 32, so group_size is 32, not 64");
  EXPECT_EQ(problemOf({Kind::kInt8, 32, Convention::kSlime}),
            "convention slime exists for int4 only, not for int8");
}

TEST(Scheme, WrongTextIsRefused) {
  for (const char *text :
       {"", "<>", "<int4>", "int4, group_size = 32", "<int5, group_size = 32>",
        "<int4, group_size = >", "<int4, group_size = 3x>", "<int4, size = 32>",
        "<int4, group_size = 32, convention = other>",
        "<int4, group_size = 32, convention = slime, more>",
        "<int4, group_size = 99999999999999999999>"})
    EXPECT_FALSE(parseScheme(text)) << text;
  for (const char *text :
       {"", "!qat.packed<>", "!qat.packed<64, <int4, group_size = 32>, host>",
        "!qat.packed<64x, <int4, group_size = 32>, host>",
        "!qat.packed<64x100, <int4, group_size = 32>, host>",
        "!qat.packed<64x128, <int4, group_size = 32>, gpu>",
        "!qat.packed<64x128, <int4, group_size = 32>>",
        "!qat.packed<-1x128, <int4, group_size = 32>, host>"})
    EXPECT_FALSE(parsePacked(text)) << text;
}

TEST(Scheme, N2GroupsDivideK) {
  auto problem = [](int64_t n, int64_t k, Scheme scheme) {
    return PackedLayout{n, k, scheme, Layout::kHost}.problem();
  };
  EXPECT_EQ(problem(8, 96, {Kind::kInt4, 32}), "");
  EXPECT_EQ(problem(8, 100, {Kind::kInt4, 32}),
            "N2: K = 100 does not divide by group_size = 32");
  EXPECT_EQ(problem(8, 100, {Kind::kInt4, 0}), "")
      << "a whole row always divides";
  EXPECT_EQ(problem(8, 100, {Kind::kFp8, 128}), "")
      << "blocks at the edge are smaller";
  EXPECT_NE(problem(8, 96, {Kind::kInt4, 24}), "");
  EXPECT_NE(problem(8, 96, {Kind::kInt4, -32}), "");
  EXPECT_NE(problem(8, 96, {Kind::kFp8, 32}), "");
  EXPECT_NE(problem(8, 96, {Kind::kInt8, 32, Convention::kSlime}), "");
  EXPECT_NE(problem(0, 96, {}), "");
  EXPECT_NE(problem(8, -32, {}), "");
  EXPECT_NE(problem(int64_t{1} << 40, int64_t{1} << 40, {}), "")
      << "2^80 elements fit nowhere";
}

TEST(Scheme, BytesOfTheSlab) {
  PackedLayout interchange{3, 160, {Kind::kInt4, 32}, Layout::kInterchange};
  EXPECT_EQ(interchange.codeBytes(), 3 * 20 * 4);
  EXPECT_EQ(interchange.scaleBytes(), 3 * 5 * 2);
  PackedLayout host{3, 160, {Kind::kInt4, 32}, Layout::kHost};
  EXPECT_EQ(host.codeBytes(), 3 * 2 * 64);
  EXPECT_EQ(host.bytes(), 3 * 2 * 64 + 3 * 5 * 2);
  PackedLayout row{3, 13, {Kind::kInt4, 0}, Layout::kInterchange};
  EXPECT_EQ(row.codeBytes(), 3 * 2 * 4);
  EXPECT_EQ(row.scaleBytes(), 3 * 2);
  PackedLayout int8{3, 160, {Kind::kInt8, 32}, Layout::kHost};
  EXPECT_EQ(int8.codeBytes(), 480);
  PackedLayout fp8{129, 160, {Kind::kFp8, 128}, Layout::kHost};
  EXPECT_EQ(fp8.codeBytes(), 129 * 160);
  EXPECT_EQ(fp8.scaleBytes(), 2 * 2 * 4);
}

} // namespace
