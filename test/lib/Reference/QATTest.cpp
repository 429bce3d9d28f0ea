// Quantization by qat, compared with values by hand.
#include "test/lib/Reference/Run.h"

#include "lib/Reference/Packed.h"

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

namespace {

struct QATTest : ReferenceTest {
  // One row of 16. amax is 14, so the scale is 2 and the codes are x / 2,
  // rounded half to even.
  const std::vector<double> row = {14, -14, 1, 3, 5,  -1, -3, 0,
                                   2,  4,   6, 8, 10, 12, 13, 7};
  const std::vector<int64_t> codes = {7, -7, 0, 2, 2, 0, -2, 0,
                                      1, 2,  3, 4, 5, 6, 6,  4};
  std::vector<double> values() const {
    std::vector<double> all;
    for (int64_t code : codes)
      all.push_back(2.0 * code);
    return all;
  }
};

TEST_F(QATTest, QuantizeDequantizeAndFakeQuant) {
  auto results = run(R"(func.func @f(%w: tensor<1x16xbf16>)
      -> (!qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>, tensor<1x16xbf16>, tensor<1x16xbf16>) {
    %p = qat.quantize %w : tensor<1x16xbf16> -> !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>
    %d = qat.dequantize %p : !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host> -> tensor<1x16xbf16>
    %q = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 16>} : tensor<1x16xbf16>
    return %p, %d, %q
        : !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>, tensor<1x16xbf16>, tensor<1x16xbf16>
  })",
                     {bf16({1, 16}, row)});
  ASSERT_EQ(results.size(), 3u) << errors;
  EXPECT_THAT(results[0].integers, ElementsAreArray(codes));
  EXPECT_THAT(results[0].reals, ElementsAre(2));
  EXPECT_THAT(results[1].reals, ElementsAreArray(values()));
  EXPECT_THAT(results[2].reals, ElementsAreArray(values()));
}

// The interchange layout of the row above. Element i has q + 8 in bits 4 * (i %
// 8) of word i / 8. The scale 2.0 follows.
TEST_F(QATTest, PackedBytesAreThoseOfTheLayout) {
  auto results = run(R"(func.func @f(%w: tensor<1x16xbf16>)
      -> (!qat.packed<1x16, #qat.scheme<int4, group_size = 16>, interchange>,
          !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>) {
    %p = qat.quantize %w : tensor<1x16xbf16> -> !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, interchange>
    %h = qat.repack %p : !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, interchange>
        -> !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>
    return %p, %h : !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, interchange>,
                    !qat.packed<1x16, #qat.scheme<int4, group_size = 16>, host>
  })",
                     {bf16({1, 16}, row)});
  ASSERT_EQ(results.size(), 2u) << errors;
  EXPECT_THAT(
      packedBytes(results[0]),
      ElementsAre(0x1F, 0xA8, 0x8A, 0x86, 0xA9, 0xCB, 0xED, 0xCE, 0x00, 0x40));
  for (const ReferenceValue &packed : results) {
    ReferenceValue again =
        packedValue(cast<qat::PackedType>(packed.type), packedBytes(packed));
    EXPECT_EQ(again.integers, packed.integers);
    EXPECT_EQ(again.reals, packed.reals);
  }
}

TEST_F(QATTest, PackedLinearIsLinearOfTheDequantizedWeight) {
  auto results = run(
      R"(func.func @f(%x: tensor<?x16xf32>, %dy: tensor<?x1xf32>, %w: tensor<1x16xbf16>)
      -> (tensor<?x1xf32>, tensor<?x16xf32>) {
    %p = qat.quantize %w : tensor<1x16xbf16> -> !qat.packed<1x16, #qat.scheme<int4, group_size = 0>, host>
    %y = qat.linear %x, %p : tensor<?x16xf32>, !qat.packed<1x16, #qat.scheme<int4, group_size = 0>, host>
        -> tensor<?x1xf32>
    %dx = qat.linear_input_grad %dy, %p : tensor<?x1xf32>, !qat.packed<1x16, #qat.scheme<int4, group_size = 0>, host>
        -> tensor<?x16xf32>
    return %y, %dx : tensor<?x1xf32>, tensor<?x16xf32>
  })",
      {f32({1, 16}, std::vector<double>(16, 1.0)), f32({1, 1}, {3}),
       bf16({1, 16}, row)});
  ASSERT_EQ(results.size(), 2u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(2 * 33));
  std::vector<double> threefold;
  for (double value : values())
    threefold.push_back(3 * value);
  EXPECT_THAT(results[1].reals, ElementsAreArray(threefold));
}

TEST_F(QATTest, AWeightThatIsNotFiniteIsRefused) { // N7
  std::vector<double> bad = row;
  bad[5] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(run(R"(func.func @f(%w: tensor<1x16xbf16>) -> tensor<1x16xbf16> {
    %q = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 16>} : tensor<1x16xbf16>
    return %q : tensor<1x16xbf16>
  })",
                  {bf16({1, 16}, bad)})
                  .empty());
  EXPECT_THAT(errors,
              HasSubstr("N7: element [0, 5] of a weight is not finite"));
}

TEST_F(QATTest, StraightThroughRunsItsBodyUnlessItIsToBeTheIdentity) {
  const char *text = R"(func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
    %y = qat.straight_through %x : tensor<2xf32> {
    ^bb0(%a: tensor<2xf32>):
      %r = math.roundeven %a : tensor<2xf32>
      qat.yield %r : tensor<2xf32>
    }
    return %y : tensor<2xf32>
  })";
  auto grid = run(text, {f32({2}, {2.5, -1.25})});
  ASSERT_EQ(grid.size(), 1u) << errors;
  EXPECT_THAT(grid[0].reals, ElementsAre(2, -1));
  auto identity =
      run(text, {f32({2}, {2.5, -1.25})}, ReferenceOptions::exact());
  ASSERT_EQ(identity.size(), 1u) << errors;
  EXPECT_THAT(identity[0].reals, ElementsAre(2.5, -1.25));
}

} // namespace
