// Times of kernels are added up and printed.
#include "runtime/core/program/profile.h"

#include "include/nibble/ABI.h"

#include <gtest/gtest.h>

namespace nibble {
namespace {

TEST(ProfileTest, AddsCallsOfOneLabelAndForgetsWhatWasTaken) {
  takeProfile();
  int64_t now = nibble_profile_begin();
  nibble_profile_end("quick", now);
  nibble_profile_end("slow", now - 5'000'000'000); // started five seconds ago
  nibble_profile_end("slow", now - 3'000'000'000);
  std::vector<KernelTime> kernels = takeProfile();
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].label, "slow");
  EXPECT_EQ(kernels[0].calls, 2);
  EXPECT_GE(kernels[0].seconds, 8.0);
  EXPECT_GE(kernels[0].fastest, 3.0);
  EXPECT_LT(kernels[0].fastest, 5.0);
  EXPECT_EQ(kernels[1].label, "quick");
  EXPECT_EQ(kernels[1].calls, 1);
  EXPECT_TRUE(takeProfile().empty());
}

TEST(ProfileTest, TableHasALineForEachKernel) {
  std::string text = describeProfile(
      {{"nn.rms_norm", 4, 0.002, 0.0004}, {"nn.rope", 2, 0.002, 0.001}});
  EXPECT_NE(
      text.find(
          " 50.0%   0.002000        4     500.00     400.00  nn.rms_norm\n"),
      std::string::npos)
      << text;
  EXPECT_NE(
      text.find(" 50.0%   0.002000        2    1000.00    1000.00  nn.rope\n"),
      std::string::npos)
      << text;
}

} // namespace
} // namespace nibble
