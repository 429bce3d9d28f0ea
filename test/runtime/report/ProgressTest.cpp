// The line of progress that a waiting user reads.
#include "runtime/report/progress.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nibble {
namespace {

using namespace std::chrono_literals;

class ProgressOutput : public testing::Test {
protected:
  Progress::Output output(bool isTerminal, int columns = 80) {
    return {[this](std::string_view text) { written_ += text; }, isTerminal,
            columns, [this] { return now_; }};
  }
  std::string written_;
  Progress::Clock::time_point now_{1000s};
};

TEST(Duration, IsShort) {
  EXPECT_EQ(formatDuration(0), "0.00 s");
  EXPECT_EQ(formatDuration(0.256), "0.26 s");
  EXPECT_EQ(formatDuration(3.14), "3.1 s");
  EXPECT_EQ(formatDuration(9.96), "10 s");
  EXPECT_EQ(formatDuration(119.4), "119 s");
  EXPECT_EQ(formatDuration(840), "14 min");
  EXPECT_EQ(formatDuration(3599), "1 h 00 min");
  EXPECT_EQ(formatDuration(7500), "2 h 05 min");
  EXPECT_EQ(formatDuration(3 * 86400 + 4 * 3600), "3 d 4 h");
  EXPECT_EQ(formatDuration(-1), "?");
  EXPECT_EQ(formatDuration(1e300), "?");
}

TEST_F(ProgressOutput, PlainLinesAreFew) {
  {
    Progress progress("train", 0, 100, output(false), 10s);
    for (int step = 1; step <= 100; ++step) {
      now_ += 1s;
      progress.update(step, "reward 0.5");
    }
  }
  EXPECT_TRUE(written_.starts_with(
      "train  1/100  1%  reward 0.5  1.0 s/step  left 99 s\n"
      "train  11/100  11%  reward 0.5  1.0 s/step  left 89 s\n"))
      << written_;
  EXPECT_TRUE(
      written_.ends_with("train  100/100  100%  reward 0.5  1.0 s/step\n"))
      << written_;
  EXPECT_EQ(std::ranges::count(written_, '\n'), 11);
  EXPECT_EQ(written_.find('\x1b'), std::string::npos);
}

TEST_F(ProgressOutput, ATerminalHasOneLine) {
  {
    Progress progress("train", 10, 20, output(true, 24), 10s);
    progress.update(10);
    now_ += 2s;
    progress.update(
        11, "\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4");
    now_ += 1ms;
    progress.update(12); // too soon for a redraw
    progress.say("saved");
  }
  EXPECT_EQ(written_, "\r\x1b[Ktrain  10/20  50%"
                      "\r\x1b[Ktrain  11/20  55%  \u00E4\u00E4\u00E4\u00E4"
                      "\r\x1b[Ksaved\n"
                      "\r\x1b[Ktrain  12/20  60%  1.8 "
                      "\n");
}

TEST_F(ProgressOutput, NoLineIsOpenWhenNothingWasDrawn) {
  {
    Progress progress("train", 0, 1, output(true));
    progress.say("hello");
  }
  EXPECT_EQ(written_, "hello\n");
}

} // namespace
} // namespace nibble
