// Problems whose answers can be checked. They are generated, each a pure
// function of (seed, split, index), or rows of a dataset.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

enum class Split { kTrain, kHeldOut };

struct Problem {
  std::string prompt;
  // One right answer. Other responses may be right too.
  std::string reference;
};

struct TaskOptions {
  uint64_t seed = 0;
  // For addition: operands have `minDigits` to `digits` decimal digits (1 ..
  // 18), without leading zeros.
  int digits = 3;
  int minDigits = 1;
  // For countdown and sort: the count of numbers in a problem (countdown 2 ..
  // 6, sort 1 .. 64).
  int count = 4;
  // Each number is between 1 (countdown) or 0 (sort) and this maximum (1 ..
  // 999999).
  int64_t maximum = 99;
  // One in this many problems is held out and never trained on, selected by the
  // hash of its content; 2 .. 1000.
  int heldOutOneIn = 8;
  // Text put before and after every prompt, for a model that needs instructions
  // in words.
  std::string promptPrefix = {};
  std::string promptSuffix = {};
};

class Task {
public:
  virtual ~Task() = default;

  // Creates a task. `name` is "addition" ("12+7=" -> "19"), "countdown" ("3 5
  // 7->22:" -> "3*5+7") or "sort" ("7 3 5=" -> "3 5 7"). Usage error for
  // another name, listing these (taskNames), and for options out of range.
  static Result<std::unique_ptr<Task>> create(std::string_view name,
                                              const TaskOptions &options);

  // Returns the same problem for equal arguments on every machine. The two
  // splits never share a question: its content selects the split, and the order
  // of numbers is not part of the content.
  virtual Problem problem(Split split, uint64_t index) const = 0;

  // The number of distinct places in a split; nullopt when it is unlimited.
  // Later places start over.
  virtual std::optional<uint64_t> count(Split) const { return std::nullopt; }

  // A fingerprint of the data behind the problems, to compare when a run is
  // resumed. Empty when options and seed determine everything.
  virtual std::string fingerprint() const { return {}; }

  // The reward, in [0, 1]. White space around the response does not count.
  virtual double reward(const Problem &problem,
                        std::string_view response) const = 0;
};

// The generated tasks, in alphabetical order.
std::vector<const char *> taskNames();

// 1 when response and reference are equal up to surrounding white space, else
// 0.
double exactMatch(std::string_view response, std::string_view reference);

} // namespace nibble
