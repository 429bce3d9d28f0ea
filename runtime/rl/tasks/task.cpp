// The generated tasks: addition, sort and countdown.
#include "runtime/rl/tasks/task.h"

#include "runtime/rl/tasks/expression.h"
#include "runtime/rl/tasks/task_random.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace nibble {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Shared by the generated tasks: tries to draw a problem until one falls into
// the split.
class GeneratedTask : public Task {
public:
  explicit GeneratedTask(const TaskOptions &options) : options_(options) {}

  Problem problem(Split split, uint64_t index) const final {
    // checkSplits has ensured that this ends.
    return *tryProblem(split, index, kAttemptsAtMost);
  }

  // Usage error when one of the splits gets almost no problems.
  Status checkSplits() const {
    for (Split split : {Split::kTrain, Split::kHeldOut})
      for (uint64_t index = 0; index < 64; ++index)
        if (!tryProblem(split, index, 4096))
          return Status::usage(
              fmt::format("cannot hold out one of {} problems: the task has "
                          "too few different ones; raise "
                          "digits, count or maximum",
                          options_.heldOutOneIn));
    return Status::ok();
  }

protected:
  // Draws one problem, without prefix and suffix, and its content, which
  // ignores the order of numbers. nullopt asks for another draw.
  virtual std::optional<Problem> draw(ProblemRandom &random,
                                      ContentHash &content) const = 0;

  TaskOptions options_;

private:
  // The random words have room for this many attempts.
  static constexpr uint32_t kAttemptsAtMost = 1 << 24;

  std::optional<Problem> tryProblem(Split split, uint64_t index,
                                    uint32_t attempts) const {
    for (uint32_t attempt = 0; attempt < attempts; ++attempt) {
      ProblemRandom random(options_.seed, split == Split::kTrain ? 0 : 1, index,
                           attempt);
      ContentHash content;
      std::optional<Problem> drawn = draw(random, content);
      bool isHeldOut =
          content.value() % static_cast<uint64_t>(options_.heldOutOneIn) == 0;
      if (!drawn || isHeldOut != (split == Split::kHeldOut))
        continue;
      drawn->prompt =
          options_.promptPrefix + drawn->prompt + options_.promptSuffix;
      return drawn;
    }
    return std::nullopt;
  }
};

class Addition final : public GeneratedTask {
public:
  using GeneratedTask::GeneratedTask;

  double reward(const Problem &problem,
                std::string_view response) const override {
    return exactMatch(response, problem.reference);
  }

private:
  int64_t drawOperand(ProblemRandom &random) const {
    int64_t digits = random.between(options_.minDigits, options_.digits);
    int64_t least = 1;
    for (int64_t i = 1; i < digits; ++i)
      least *= 10;
    return random.between(digits == 1 ? 0 : least, 10 * (least - 1) + 9);
  }

  std::optional<Problem> draw(ProblemRandom &random,
                              ContentHash &content) const override {
    int64_t a = drawOperand(random), b = drawOperand(random);
    content.add(std::min(a, b));
    content.add(std::max(a, b));
    return Problem{fmt::format("{}+{}=", a, b), std::to_string(a + b)};
  }
};

class Sort final : public GeneratedTask {
public:
  using GeneratedTask::GeneratedTask;

  double reward(const Problem &problem,
                std::string_view response) const override {
    return exactMatch(response, problem.reference);
  }

private:
  std::optional<Problem> draw(ProblemRandom &random,
                              ContentHash &content) const override {
    std::vector<int64_t> numbers(options_.count);
    for (int64_t &number : numbers)
      number = random.between(0, options_.maximum);
    std::string prompt = fmt::format("{}=", fmt::join(numbers, " "));
    std::ranges::sort(numbers);
    for (int64_t number : numbers)
      content.add(number);
    return Problem{std::move(prompt),
                   fmt::format("{}", fmt::join(numbers, " "))};
  }
};

class Countdown final : public GeneratedTask {
public:
  using GeneratedTask::GeneratedTask;

  // Any expression is right that has the target's value and uses each number at
  // most once.
  double reward(const Problem &problem,
                std::string_view response) const override {
    std::string_view question = problem.prompt;
    question.remove_prefix(
        std::min(options_.promptPrefix.size(), question.size()));
    std::vector<int64_t> numbers;
    int64_t target = 0;
    if (!parseQuestion(question, numbers, target))
      return 0;
    std::optional<ExpressionValue> evaluation = evaluate(trim(response));
    if (!evaluation || evaluation->value != Rational{target, 1})
      return 0;
    std::ranges::sort(numbers);
    std::ranges::sort(evaluation->numbers);
    return std::ranges::includes(numbers, evaluation->numbers) ? 1 : 0;
  }

private:
  // Parses "3 5 7->22:".
  static bool parseQuestion(std::string_view text,
                            std::vector<int64_t> &numbers, int64_t &target) {
    size_t arrow = text.find("->");
    size_t end = text.find(':');
    if (arrow == std::string_view::npos || end == std::string_view::npos ||
        end < arrow)
      return false;
    auto goal = evaluate(text.substr(arrow + 2, end - arrow - 2));
    // "3 5 7" is a list. It is converted to a sum, so that the same careful
    // parser can read it.
    std::string sum(text.substr(0, arrow));
    std::ranges::replace(sum, ' ', '+');
    auto list = evaluate(sum);
    if (!goal || goal->value.denominator != 1 || !list)
      return false;
    numbers = std::move(list->numbers);
    target = goal->value.numerator;
    return true;
  }

  // Draws a reachable target. Numbers are joined one by one in random order,
  // while the value stays an integer from 1 to 10 times the maximum.
  std::optional<Problem> draw(ProblemRandom &random,
                              ContentHash &content) const override {
    std::vector<int64_t> numbers(options_.count);
    for (int64_t &number : numbers)
      number = random.between(1, options_.maximum);
    int64_t used = random.between(2, options_.count);
    int64_t value = numbers[0];
    std::string expression = std::to_string(value);
    bool isSum = false;
    for (int64_t i = 1; i < used; ++i) {
      int64_t number = numbers[i];
      char operation = "+-*/"[random.between(0, 3)];
      if (operation == '*' || operation == '/') {
        if (operation == '/' && value % number != 0)
          return std::nullopt;
        value = operation == '*' ? value * number : value / number;
        if (isSum)
          expression = "(" + expression + ")";
        isSum = false;
      } else {
        value += operation == '+' ? number : -number;
        isSum = true;
      }
      if (value < 1 || value > 10 * options_.maximum)
        return std::nullopt;
      expression += operation + std::to_string(number);
    }
    // Shuffle, so that the order of the numbers does not give away the answer.
    for (size_t i = numbers.size() - 1; i > 0; --i)
      std::swap(numbers[i],
                numbers[random.between(0, static_cast<int64_t>(i))]);
    Problem problem{fmt::format("{}->{}:", fmt::join(numbers, " "), value),
                    std::move(expression)};
    std::ranges::sort(numbers);
    for (int64_t number : numbers)
      content.add(number);
    content.add(value);
    return problem;
  }
};

Status checkRange(const char *option, int64_t value, int64_t least,
                  int64_t most) {
  if (value >= least && value <= most)
    return Status::ok();
  return Status::usage(fmt::format("option {} of the task is {}: want {} to {}",
                                   option, value, least, most));
}

Status checkAddition(const TaskOptions &options) {
  NIBBLE_TRY(checkRange("digits", options.digits, 1, 18));
  return checkRange("min_digits", options.minDigits, 1, options.digits);
}

Status checkSort(const TaskOptions &options) {
  NIBBLE_TRY(checkRange("count", options.count, 1, 64));
  return checkRange("maximum", options.maximum, 1, 999999);
}

Status checkCountdown(const TaskOptions &options) {
  NIBBLE_TRY(checkRange("count", options.count, 2, 6));
  return checkRange("maximum", options.maximum, 1, 999999);
}

template <typename T>
Result<std::unique_ptr<Task>> make(const TaskOptions &options) {
  auto task = std::make_unique<T>(options);
  NIBBLE_TRY(task->checkSplits());
  return std::unique_ptr<Task>(std::move(task));
}

struct TaskRow {
  const char *name;
  Status (*check)(const TaskOptions &options);
  Result<std::unique_ptr<Task>> (*make)(const TaskOptions &options);
};

constexpr TaskRow kTasks[] = {
    {"addition", checkAddition, make<Addition>},
    {"countdown", checkCountdown, make<Countdown>},
    {"sort", checkSort, make<Sort>},
};

} // namespace

std::vector<const char *> taskNames() {
  std::vector<const char *> names;
  for (const TaskRow &row : kTasks)
    names.push_back(row.name);
  return names;
}

double exactMatch(std::string_view response, std::string_view reference) {
  return trim(response) == trim(reference) ? 1.0 : 0.0;
}

Result<std::unique_ptr<Task>> Task::create(std::string_view name,
                                           const TaskOptions &options) {
  NIBBLE_TRY(checkRange("held_out_one_in", options.heldOutOneIn, 2, 1000));
  for (const TaskRow &row : kTasks)
    if (name == row.name) {
      NIBBLE_TRY(row.check(options));
      return row.make(options);
    }
  return Status::usage(fmt::format("no task '{}': known are {}", name,
                                   fmt::join(taskNames(), ", ")));
}

} // namespace nibble
