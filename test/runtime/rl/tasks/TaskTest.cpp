// Generated problems never change, differ between the splits, and reward right
// answers.
#include "runtime/rl/tasks/task.h"
#include "runtime/rl/rewards/reward.h"
#include "runtime/rl/tasks/expression.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

namespace nibble {
namespace {

std::unique_ptr<Task> make(std::string_view name,
                           const TaskOptions &options = {}) {
  Result<std::unique_ptr<Task>> task = Task::create(name, options);
  EXPECT_TRUE(task.isOk()) << task.status().message();
  return *std::move(task);
}

// The content of a problem, regardless of the order of its numbers.
std::multiset<std::string> contentOf(std::string text) {
  std::string target =
      text.find("->") == std::string::npos ? "" : text.substr(text.find("->"));
  text.resize(text.size() - target.size());
  std::ranges::replace_if(text, [](char c) { return c < '0' || c > '9'; }, ' ');
  std::istringstream words(text);
  std::multiset<std::string> out = {target};
  for (std::string word; words >> word;)
    out.insert(word);
  return out;
}

TEST(Task, IsAPureFunctionOfSeedSplitAndIndex) {
  for (const char *name : taskNames()) {
    auto first = make(name, {.seed = 5});
    auto again = make(name, {.seed = 5});
    auto other = make(name, {.seed = 6});
    int differ = 0;
    for (uint64_t index :
         {0ul, 1ul, 2ul, 77ul, 1ul << 31, 1ul << 33, (1ul << 63) + 5}) {
      Problem problem = first->problem(Split::kTrain, index);
      EXPECT_EQ(problem.prompt, again->problem(Split::kTrain, index).prompt);
      EXPECT_EQ(problem.reference,
                again->problem(Split::kTrain, index).reference);
      differ += problem.prompt != other->problem(Split::kTrain, index).prompt;
    }
    EXPECT_GE(differ, 5) << name;
  }
  // This is recorded, because a changed stream of problems would make old runs
  // impossible to continue.
  EXPECT_EQ(make("addition")->problem(Split::kTrain, 0).prompt, "38+30=");
  EXPECT_EQ(make("addition")->problem(Split::kHeldOut, 1).prompt, "582+31=");
  EXPECT_EQ(make("countdown")->problem(Split::kTrain, 0).prompt,
            "33 55 91 8->440:");
  EXPECT_EQ(make("sort")->problem(Split::kTrain, 0).prompt, "36 31 39 22=");
}

TEST(Task, SplitsHaveNothingInCommon) {
  struct Case {
    const char *name;
    TaskOptions options;
  };
  for (const Case &test :
       {Case{"addition", {.digits = 1}}, Case{"addition", {.digits = 2}},
        Case{"countdown", {.count = 3, .maximum = 9}},
        Case{"sort", {.count = 3, .maximum = 5}}}) {
    auto task = make(test.name, test.options);
    std::set<std::multiset<std::string>> train, heldOut;
    for (uint64_t i = 0; i < 3000; ++i) {
      train.insert(contentOf(task->problem(Split::kTrain, i).prompt));
      heldOut.insert(contentOf(task->problem(Split::kHeldOut, i).prompt));
    }
    EXPECT_GT(heldOut.size(), 1u) << test.name;
    EXPECT_GT(train.size(), heldOut.size()) << test.name;
    for (const auto &content : heldOut)
      EXPECT_FALSE(train.contains(content)) << test.name;
  }
}

TEST(Task, ReferencesAreRight) {
  for (const char *name : taskNames()) {
    auto task =
        make(name, {.promptPrefix = "Solve: 1->", .promptSuffix = " Answer:"});
    for (uint64_t i = 0; i < 1000; ++i) {
      Problem problem = task->problem(Split::kTrain, i);
      EXPECT_EQ(task->reward(problem, problem.reference), 1.0)
          << problem.prompt << problem.reference;
      EXPECT_EQ(task->reward(problem, " \n" + problem.reference + "\t "), 1.0);
      EXPECT_EQ(task->reward(problem, problem.reference + "1"), 0.0)
          << problem.prompt << problem.reference;
      EXPECT_EQ(task->reward(problem, ""), 0.0);
      EXPECT_EQ(task->reward(problem, "x" + problem.reference), 0.0);
    }
  }
}

TEST(Addition, AddsAndHasNoLeadingZeros) {
  auto task = make("addition", {.digits = 18});
  std::set<size_t> lengths;
  for (uint64_t i = 0; i < 2000; ++i) {
    Problem problem = task->problem(Split::kTrain, i);
    size_t plus = problem.prompt.find('+');
    std::string a = problem.prompt.substr(0, plus);
    std::string b = problem.prompt.substr(plus + 1);
    ASSERT_EQ(b.back(), '=');
    b.pop_back();
    for (const std::string &operand : {a, b}) {
      EXPECT_TRUE(operand == "0" || operand[0] != '0') << problem.prompt;
      lengths.insert(operand.size());
    }
    EXPECT_EQ(std::to_string(std::stoll(a) + std::stoll(b)), problem.reference)
        << problem.prompt;
  }
  EXPECT_EQ(lengths.size(), 18u);
  EXPECT_EQ(*lengths.rbegin(), 18u);
}

TEST(Countdown, TakesAnyExpressionOfTheTarget) {
  auto task = make("countdown");
  Problem problem{"3 5 7 3->22:", "3*5+7"};
  for (const char *right :
       {"3*5+7", "7+5*3", "(5*3)+7", " 7 + 3 * 5 ", "(7-3)*5+3-3/3"})
    EXPECT_EQ(task->reward(problem, right),
              std::string(right).starts_with("(7") ? 0.0 : 1.0)
        << right;
  for (const char *wrong :
       {"22", "3*5+7=22", "3*5+8-1", "5*5-3", "7*3+3/3", "3*5+7;", "3**5+7",
        "-3+25", "3*5+7+", "()", "import os", "1e9", "3*5+07.0"})
    EXPECT_EQ(task->reward(problem, wrong), 0.0) << wrong;
  // With a fraction as an intermediate value.
  EXPECT_EQ(task->reward({"2 3 8->12:", ""}, "8/(2/3)"), 1.0);
  EXPECT_EQ(task->reward({"3 3->6:", ""}, "3+3"), 1.0);
  EXPECT_EQ(task->reward({"3 4->6:", ""}, "3+3"), 0.0);
}

TEST(Expression, IsExactAndBounded) {
  auto value = [](std::string_view text) {
    return evaluate(text) ? std::optional(evaluate(text)->value) : std::nullopt;
  };
  EXPECT_EQ(value("1/3+1/6"), (Rational{1, 2}));
  EXPECT_EQ(value("10-4-3"), (Rational{3, 1}));
  EXPECT_EQ(value("2-3*4"), (Rational{-10, 1}));
  EXPECT_EQ(value("8/4/2"), (Rational{1, 1}));
  EXPECT_EQ(value("0*7"), (Rational{0, 1}));
  EXPECT_EQ(value("1/(2-2)"), std::nullopt);
  EXPECT_EQ(value("9223372036854775807"), (Rational{INT64_MAX, 1}));
  EXPECT_EQ(value("9223372036854775808"), std::nullopt);
  EXPECT_EQ(value("9223372036854775807+1"), std::nullopt);
  EXPECT_EQ(value("9223372036854775807*9223372036854775807"), std::nullopt);
  EXPECT_EQ(value("1/9223372036854775807+1/9223372036854775806"), std::nullopt);
  EXPECT_EQ(value(std::string(60, '(') + "1" + std::string(60, ')')),
            (Rational{1, 1}));
  EXPECT_EQ(value(std::string(70, '(') + "1" + std::string(70, ')')),
            std::nullopt);
  EXPECT_EQ(value(std::string(100000, '(')), std::nullopt);
  std::string longSum = "1";
  for (int i = 0; i < 600; ++i)
    longSum += "+1";
  EXPECT_EQ(value(longSum), std::nullopt);
}

TEST(Task, IsARewardFunction) {
  auto task = make("addition");
  std::vector<RewardRequest> requests = {{"2+3=", "5", "5"},
                                         {"2+3=", "6", "5"}};
  Result<std::vector<RewardOutcome>> outcomes =
      TaskReward(*task).score(requests);
  ASSERT_TRUE(outcomes.isOk());
  ASSERT_EQ(outcomes->size(), 2u);
  EXPECT_EQ((*outcomes)[0].reward, 1.0);
  EXPECT_EQ((*outcomes)[1].reward, 0.0);
  EXPECT_FALSE((*outcomes)[1].isFailed);
}

TEST(Task, RefusesOptionsOutOfRange) {
  auto expectUsage = [](std::string_view name, const TaskOptions &options,
                        const char *reason) {
    Result<std::unique_ptr<Task>> task = Task::create(name, options);
    ASSERT_FALSE(task.isOk()) << reason;
    EXPECT_EQ(task.status().code(), Code::kUsage);
    EXPECT_NE(task.status().message().find(reason), std::string::npos)
        << task.status().message();
  };
  expectUsage("chess", {}, "known are addition, countdown, sort");
  expectUsage("addition", {.digits = 0}, "digits");
  expectUsage("addition", {.digits = 19}, "digits");
  expectUsage("addition", {.digits = 2, .minDigits = 3}, "min_digits");
  expectUsage("addition", {.digits = 2, .minDigits = 0}, "min_digits");
  expectUsage("countdown", {.count = 1}, "count");
  expectUsage("countdown", {.maximum = 0}, "maximum");
  expectUsage("sort", {.count = 65}, "count");
  expectUsage("sort", {.heldOutOneIn = 1}, "held_out_one_in");
  expectUsage("sort", {.count = 1, .maximum = 1, .heldOutOneIn = 1000},
              "too few different");
}

} // namespace
} // namespace nibble
