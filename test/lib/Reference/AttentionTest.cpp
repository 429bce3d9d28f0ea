// Compares attention over the batch with torch, and attention over pages with
// attention over the batch.
#include "test/lib/Reference/Run.h"
#include "test/lib/Reference/torch_values.inc"

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct AttentionTest : ReferenceTest {
  std::string text(int window) {
    std::string attributes = "{heads = 4, kv_heads = 2, scale = 0.5 : f32, "
                             "kv_block = 64, window = " +
                             std::to_string(window) + "}";
    return R"(func.func @f(%q: tensor<?x12xf32>, %k: tensor<?x6xf32>, %v: tensor<?x6xf32>, %p: tensor<?xi32>,
        %s: tensor<?xi32>, %dy: tensor<?x12xf32>)
        -> (tensor<?x12xf32>, tensor<?x4xf32>, tensor<?x12xf32>, tensor<?x6xf32>, tensor<?x6xf32>) {
      %y, %lse = nn.attention %q, %k, %v, %p, %s )" +
           attributes +
           R"( : tensor<?x12xf32>, tensor<?x6xf32>, tensor<?xi32>, tensor<?xi32> -> tensor<?x4xf32>
      %dq, %dk, %dv = nn.attention_grad %dy, %q, %k, %v, %y, %lse, %p, %s )" +
           attributes +
           R"( : tensor<?x12xf32>, tensor<?x6xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>
      return %y, %lse, %dq, %dk, %dv
          : tensor<?x12xf32>, tensor<?x4xf32>, tensor<?x12xf32>, tensor<?x6xf32>, tensor<?x6xf32>
    })";
  }

  std::vector<ReferenceValue> arguments() {
    using namespace torch_values;
    return {f32({5, 12}, att_q), f32({5, 6}, att_k),
            f32({5, 6}, att_v),  i32({5}, {0, 1, 2, 0, 1}),
            i32({3}, {0, 3, 5}), f32({5, 12}, att_dy)};
  }
};

TEST_F(AttentionTest, AttentionAndGradientAreTorchs) {
  using namespace torch_values;
  auto results = run(text(0), arguments(), ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 5u) << errors;
  expectClose(results[0], att_y);
  expectClose(results[1], att_lse);
  expectClose(results[2], att_dq);
  expectClose(results[3], att_dk);
  expectClose(results[4], att_dv);
}

TEST_F(AttentionTest, AWindowHidesWhatIsFurtherBack) {
  using namespace torch_values;
  auto results = run(text(2), arguments(), ReferenceOptions::exact());
  ASSERT_EQ(results.size(), 5u) << errors;
  expectClose(results[0], att_window_y);
  expectClose(results[2], att_window_dq);
  expectClose(results[3], att_window_dk);
  expectClose(results[4], att_window_dv);
}

TEST_F(AttentionTest, SequencesMustCoverTheBatch) {
  std::vector<ReferenceValue> wrong = arguments();
  wrong[4] = i32({3}, {0, 3, 6});
  EXPECT_TRUE(run(text(0), wrong).empty());
  EXPECT_THAT(
      errors,
      HasSubstr("sequences do not rise from 0 to the number of tokens, 5"));
}

// Two steps over pages of four slots. The first has two tokens of one sequence
// and one of another, the second one more of each. The outputs must equal those
// of attention over the whole sequences.
TEST_F(AttentionTest, PagesHoldWhatTheBatchHeld) {
  using namespace torch_values;
  std::string paged =
      R"(func.func @f(%q: tensor<?x12xf32>, %k: tensor<?x6xf32>, %v: tensor<?x6xf32>,
      %kc: tensor<?x2x3x4xf32>, %vc: tensor<?x2x4x3xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %pages: tensor<?x?xi32>)
      -> (tensor<?x12xf32>, tensor<?x2x3x4xf32>, tensor<?x2x4x3xf32>) {
    %kc1, %vc1 = nn.cache_write %k, %v, %kc, %vc, %p, %s, %pages
        : tensor<?x6xf32>, tensor<?x2x3x4xf32>, tensor<?x2x4x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>
    %y = "nn.paged_attention"(%q, %kc1, %vc1, %p, %s, %pages)
        {heads = 4 : i64, kv_heads = 2 : i64, scale = 0.5 : f32, kv_block = 16 : i64, window = 0 : i64}
        : (tensor<?x12xf32>, tensor<?x2x3x4xf32>, tensor<?x2x4x3xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>)
        -> tensor<?x12xf32>
    return %y, %kc1, %vc1 : tensor<?x12xf32>, tensor<?x2x3x4xf32>, tensor<?x2x4x3xf32>
  })";
  // A page of the op has a multiple of kv_block = 16 slots, so the text above
  // is widened.
  for (size_t at; (at = paged.find("x3x4x")) != std::string::npos;)
    paged.replace(at, 5, "x3x16x");
  for (size_t at; (at = paged.find("x4x3x")) != std::string::npos;)
    paged.replace(at, 5, "x16x3x");

  auto rows = [](const std::vector<double> &all, int64_t width,
                 std::vector<int> which) {
    std::vector<double> chosen;
    for (int row : which)
      chosen.insert(chosen.end(), all.begin() + row * width,
                    all.begin() + (row + 1) * width);
    return chosen;
  };
  ReferenceValue keys = f32({3, 2, 3, 16}, std::vector<double>(288, 7.0));
  ReferenceValue values = keys;
  values = f32({3, 2, 16, 3}, std::vector<double>(288, 7.0));
  ReferenceValue pages = i32({2, 1}, {2, 0});
  // Tokens 0 and 1 belong to the first sequence, token 3 to the second.
  auto first = run(paged,
                   {f32({3, 12}, rows(att_q, 12, {0, 1, 3})),
                    f32({3, 6}, rows(att_k, 6, {0, 1, 3})),
                    f32({3, 6}, rows(att_v, 6, {0, 1, 3})), keys, values,
                    i32({3}, {0, 1, 0}), i32({3}, {0, 2, 3}), pages},
                   ReferenceOptions::exact());
  ASSERT_EQ(first.size(), 3u) << errors;
  expectClose(first[0], rows(att_y, 12, {0, 1, 3}));
  // No sequence owns page 1.
  EXPECT_EQ(first[1].reals[96], 7.0);
  // Now both continue by one token each. The second sequence comes first in the
  // batch.
  auto second = run(paged,
                    {f32({2, 12}, rows(att_q, 12, {2, 4})),
                     f32({2, 6}, rows(att_k, 6, {2, 4})),
                     f32({2, 6}, rows(att_v, 6, {2, 4})), first[1], first[2],
                     i32({2}, {2, 1}), i32({3}, {0, 1, 2}), pages},
                    ReferenceOptions::exact());
  ASSERT_EQ(second.size(), 3u) << errors;
  expectClose(second[0], rows(att_y, 12, {2, 4}));

  auto outside = run(paged, {f32({1, 12}, rows(att_q, 12, {0})),
                             f32({1, 6}, rows(att_k, 6, {0})),
                             f32({1, 6}, rows(att_v, 6, {0})), keys, values,
                             i32({1}, {16}), i32({2}, {0, 1}), pages});
  EXPECT_TRUE(outside.empty());
  EXPECT_THAT(errors, HasSubstr("sequence 0 has no page for position 16"));
}

} // namespace
