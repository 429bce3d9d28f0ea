// What went wrong, where, why, how to mend it, and the exit code for it.
//
// Every runtime call that can fail returns Status or Result<T>. A message is
// one line of the form "<what> <where>: <why>; <how to mend>". A test program
// fails when it provokes a message of another form (test/error_texts.cpp).
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>

namespace nibble {

// The numeric value is the process exit code.
enum class Code : int {
  kOk = 0,
  kFailed = 1,   // the work failed: a check did not hold, an invariant broke
  kUsage = 2,    // the command line or configuration is wrong
  kBadInput = 3, // a file or a stream that we did not write is wrong
  kEnvironment =
      // The machine failed: cannot write, disk full, no memory, no such device.
  4,
  kInterrupted = 130, // stopped by a signal, state saved
};

class Status;

// Receives each error when it is made, and again when it gains a context. Only
// tests set it, to look at every message that they provoke
// (test/error_texts.cpp).
inline void (*errorListener)(const Status &) = nullptr;

class [[nodiscard]] Status {
public:
  Status() = default;
  Status(Code code, std::string message)
      : code_(code), message_(std::move(message)) {
    tell();
  }

  static Status ok() { return {}; }
  static Status failed(std::string message) {
    return {Code::kFailed, std::move(message)};
  }
  static Status usage(std::string message) {
    return {Code::kUsage, std::move(message)};
  }
  static Status badInput(std::string message) {
    return {Code::kBadInput, std::move(message)};
  }
  static Status environment(std::string message) {
    return {Code::kEnvironment, std::move(message)};
  }
  static Status interrupted(std::string message) {
    return {Code::kInterrupted, std::move(message)};
  }

  bool isOk() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  int exitCode() const { return static_cast<int>(code_); }
  const std::string &message() const { return message_; }

  // Puts "<context>: " before the message and keeps the code. An ok status
  // stays ok.
  Status within(const std::string &context) && {
    if (!isOk())
      message_ = context + ": " + message_;
    tell();
    return std::move(*this);
  }

private:
  void tell() const {
    if (errorListener && !isOk())
      errorListener(*this);
  }

  Code code_ = Code::kOk;
  std::string message_;
};

// A value, or the Status that says why there is none.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value)
      : value_(std::move(value)) {} // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {
    assert(!status_.isOk());
  } // NOLINT(google-explicit-constructor)

  bool isOk() const { return value_.has_value(); }
  const Status &status() const { return status_; }
  Status takeStatus() && { return std::move(status_); }

  T &operator*() & { return *value_; }
  const T &operator*() const & { return *value_; }
  T &&operator*() && { return *std::move(value_); }
  T *operator->() { return &*value_; }
  const T *operator->() const { return &*value_; }

private:
  std::optional<T> value_;
  Status status_;
};

} // namespace nibble

#define NIBBLE_CONCAT_IMPL(a, b) a##b
#define NIBBLE_CONCAT(a, b) NIBBLE_CONCAT_IMPL(a, b)

// Returns from the calling function when the Status `expr` is not ok.
#define NIBBLE_TRY(expr)                                                       \
  do {                                                                         \
    if (::nibble::Status nibble_status = (expr); !nibble_status.isOk())        \
      return nibble_status;                                                    \
  } while (false)

// NIBBLE_ASSIGN(auto x, f()): binds the value of a Result, or returns its
// Status.
#define NIBBLE_ASSIGN(lhs, expr)                                               \
  NIBBLE_ASSIGN_IMPL(NIBBLE_CONCAT(nibble_result_, __COUNTER__), lhs, expr)
#define NIBBLE_ASSIGN_IMPL(result, lhs, expr)                                  \
  auto result = (expr);                                                        \
  if (!result.isOk())                                                          \
    return std::move(result).takeStatus();                                     \
  lhs = *std::move(result)
