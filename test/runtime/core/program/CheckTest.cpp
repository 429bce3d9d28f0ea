// Checks, called as generated code calls them.
#include "runtime/core/program/check.h"

#include "include/nibble/ABI.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace nibble {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CheckTest, AFailureIsReportedOnceAndThenForgotten) {
  int64_t shape[] = {2, 2};
  int64_t a[] = {1, 2, 3, 4};
  int64_t b[] = {1, 2, 3, 5};
  nibble_check_expect_eq("here", 0, 64, 2, shape, shape, a, a);
  EXPECT_THAT(takeCheckFailures(), IsEmpty());
  nibble_check_expect_eq("here", 0, 64, 2, shape, shape, a, b);
  EXPECT_THAT(
      takeCheckFailures(),
      ElementsAre(
          "here: 1 of 4 elements differ, first [1, 1]: actual 4, expected 5"));
  EXPECT_THAT(takeCheckFailures(), IsEmpty());
}

TEST(CheckTest, ClosenessHasAnEdge) {
  int64_t shape[] = {1};
  float one = 1.0f;
  float next = 1.0f + std::numeric_limits<float>::epsilon();
  float zero = 0.0f;
  float minus = -0.0f;
  auto close = [&](const float &a, const float &b, int64_t ulp,
                   double relative) {
    nibble_check_expect_close("here", 1, 32, 1, shape, shape, &a, &b, ulp,
                              relative);
    return takeCheckFailures().empty();
  };
  EXPECT_TRUE(close(one, next, 1, -1.0));
  EXPECT_FALSE(close(one, next, 0, -1.0));
  EXPECT_TRUE(close(zero, minus, 0, -1.0));
  EXPECT_TRUE(close(one, next, -1, 1.2e-7));
  EXPECT_FALSE(close(one, next, -1, 1.1e-7));
  // Every value except zero is infinitely far from a reference of zero.
  EXPECT_TRUE(close(zero, zero, -1, 0.0));
  EXPECT_FALSE(close(one, zero, -1, 1e300));
  // Infinity minus infinity is NaN.
  float infinity = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(close(infinity, infinity, -1, 1.0));
}

TEST(CheckTest, NothingEqualsNothing) {
  int64_t shape[] = {0, 3};
  nibble_check_expect_eq("here", 1, 16, 2, shape, shape, nullptr, nullptr);
  nibble_check_expect_close("here", 1, 16, 2, shape, shape, nullptr, nullptr, 0,
                            0.0);
  EXPECT_THAT(takeCheckFailures(), IsEmpty());
}

TEST(CheckTest, ThreadsReportTogether) {
  auto fail = [] {
    int64_t shape[] = {1};
    int8_t a = 1;
    int8_t b = 2;
    for (int i = 0; i < 100; ++i)
      nibble_check_expect_eq("here", 0, 8, 1, shape, shape, &a, &b);
  };
  std::thread first(fail), second(fail);
  first.join();
  second.join();
  EXPECT_EQ(takeCheckFailures().size(), 200u);
}

} // namespace
} // namespace nibble
