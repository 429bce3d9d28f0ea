// A compiled program, seen from the runtime: functions by name, arguments by name, calls that check every shape.
#pragma once

#include "include/nibble/ABI.h"
#include "runtime/core/arena.h"
#include "runtime/core/status.h"
#include "runtime/core/tensor.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

class Program;

// One function of a program with its arguments bound by name. Bind parameters and state once, inputs before each call.
class Function {
public:
  const nibble_function &info() const { return *info_; }
  // Index of the argument of that name, -1 when the function has none.
  int argument(std::string_view name) const;
  int result(std::string_view name) const;

  // Usage error naming function and argument when there is none of that name or dtype or shape do not fit.
  Status bind(std::string_view name, const TensorView &tensor);
  Status bind(int index, const TensorView &tensor);

  // Runs with what is bound; the memory of the results belongs to the arena until Arena::reset.
  // Failed when an argument is unbound (named), or a result is not what the table says. Environment error when the machine has no memory
  // left: what the function updates in place is then half updated (runtime/core/guarded_call.h).
  Result<std::vector<TensorView>> call(Arena &arena);

private:
  friend class Program;
  Function(const nibble_function &info, std::shared_ptr<void> owner);
  const nibble_function *info_;
  std::shared_ptr<void> owner_; // keeps the code in memory
  std::vector<TensorView> bound_;
  std::vector<bool> isBound_;
};

class Program {
public:
  // Keeps `owner` (the JIT or the loaded library that `table` lives in) alive. Environment error when the ABI version
  // differs.
  static Result<Program> create(const nibble_program &table, std::shared_ptr<void> owner);

  // Usage error listing the functions there are.
  Result<Function> function(std::string_view name) const;
  bool has(std::string_view name) const;
  std::span<const nibble_function> functions() const;

private:
  const nibble_program *table_ = nullptr;
  std::shared_ptr<void> owner_;
};

} // namespace nibble
