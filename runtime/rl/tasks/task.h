// Problems whose answers can be checked: generated ones, each a pure function
// of (seed, split, index), and rows of a dataset.
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
  // One right answer; a response may be right without being it.
  std::string reference;
};

struct TaskOptions {
  uint64_t seed = 0;
  // addition: operands have `minDigits` to `digits` decimal digits (1 .. 18),
  // no leading zeros.
  int digits = 3;
  int minDigits = 1;
  // countdown, sort: numbers in a problem (countdown 2 .. 6, sort 1 .. 64) ...
  int count = 4;
  // ... each from 1 (countdown) or 0 (sort) to this (1 .. 999999).
  int64_t maximum = 99;
  // One problem of this many (by hash of what it asks) is held out and never
  // trained on; 2 .. 1000.
  int heldOutOneIn = 8;
  // Text put before and behind every prompt, for a model that wants to be asked
  // in words.
  std::string promptPrefix = {};
  std::string promptSuffix = {};
};

class Task {
public:
  virtual ~Task() = default;

  // `name` is "addition" ("12+7=" -> "19"), "countdown" ("3 5 7->22:" ->
  // "3*5+7") or "sort" ("7 3 5=" -> "3 5 7"). Usage error for another name,
  // naming these (taskNames), and for options out of range.
  static Result<std::unique_ptr<Task>> create(std::string_view name,
                                              const TaskOptions &options);

  // The same for equal arguments on every machine. The two splits never ask the
  // same: a question is in one of them by its content, and the order of numbers
  // is no part of the content.
  virtual Problem problem(Split split, uint64_t index) const = 0;

  // How many different places of a split there are; nullopt: no end of them.
  // Later places begin anew.
  virtual std::optional<uint64_t> count(Split) const { return std::nullopt; }

  // A fingerprint of the data that problems come from, for a run that goes on
  // later; empty: options and seed say it all.
  virtual std::string fingerprint() const { return {}; }

  // In [0, 1]. White space around the response does not count.
  virtual double reward(const Problem &problem,
                        std::string_view response) const = 0;
};

// The generated tasks, in alphabetical order.
std::vector<const char *> taskNames();

// 1 for a response that is the reference but for white space around either,
// else 0.
double exactMatch(std::string_view response, std::string_view reference);

} // namespace nibble
