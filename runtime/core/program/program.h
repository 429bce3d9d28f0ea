// A compiled program, seen from the runtime: functions by name, arguments by
// name, calls that check every shape.
#pragma once

#include "include/nibble/ABI.h"
#include "runtime/core/arena.h"
#include "runtime/core/program/residence.h"
#include "runtime/core/status.h"
#include "runtime/core/tensor.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nibble {

class Program;

// What runs the functions of a program that is not code in this process's
// memory.
class ProgramBackend {
public:
  virtual ~ProgramBackend() = default;
  // A parameter or state argument gets a place where `call` finds it.
  // Environment error when there is no room.
  virtual Status bind(const nibble_value_info &argument,
                      const TensorView &tensor) = 0;
  // Function number `function` of the table. Results lie in the host's memory
  // and belong to the arena, but for those whose numbers are in `kept`,
  // ascending: they stay on the device (Function::keepOnDevice).
  virtual Result<std::vector<TensorView>>
  call(int function, std::span<const TensorView> arguments,
       std::span<const int> kept, Arena &arena) = 0;
  virtual std::shared_ptr<Residence> residence() const = 0;
  // A table of what the kernels of a call take, from `repeats` runs; state goes
  // on from run to run.
  virtual Result<std::string>
  profile(int function, std::span<const TensorView> arguments, int repeats) = 0;
  // Bytes of the arena of a call whose open extents are all `extent`: inputs,
  // and temporaries at their peak.
  virtual Result<int64_t> planBytes(int function, int64_t extent) const = 0;
};

// One function of a program with its arguments bound by name. Bind parameters
// and state once, inputs before each call.
class Function {
public:
  const nibble_function &info() const { return *info_; }
  // Where its parameters and state live; null: in the tensors that are bound.
  std::shared_ptr<Residence> residence() const {
    return backend_ ? backend_->residence() : nullptr;
  }
  // Index of the argument of that name, -1 when the function has none.
  int argument(std::string_view name) const;
  int result(std::string_view name) const;

  // Usage error naming function and argument when there is none of that name or
  // dtype or shape do not fit.
  Status bind(std::string_view name, const TensorView &tensor);
  Status bind(int index, const TensorView &tensor);

  // From now on `call` leaves that result where it was made: its view has
  // TensorView::device and no data. It can be bound as an input of another
  // function there, and is good until this one is called again. A program of
  // the host returns it as before.
  void keepOnDevice(int result);

  // Runs with what is bound; the memory of the results belongs to the arena
  // until Arena::reset. Failed when an argument is unbound (named), or a result
  // is not what the table says. Environment error when the machine has no
  // memory left: what the function updates in place is then half updated
  // (runtime/core/guarded_call.h).
  Result<std::vector<TensorView>> call(Arena &arena);
  // The profile of a program on a device: see ProgramBackend. Usage error for
  // one of this machine, which is compiled to be timed instead.
  Result<std::string> profile(int repeats);
  // Likewise: see ProgramBackend. Nothing has to be bound.
  Result<int64_t> planBytes(int64_t extent) const;

private:
  friend class Program;
  Function(const nibble_function &info, int index, std::shared_ptr<void> owner,
           std::shared_ptr<ProgramBackend> backend);
  const nibble_function *info_;
  int index_;
  std::shared_ptr<void> owner_; // keeps the code in memory
  std::shared_ptr<ProgramBackend> backend_;
  std::vector<TensorView> bound_;
  std::vector<bool> isBound_;
  std::vector<int> kept_; // results, ascending
};

class Program {
public:
  // Keeps `owner` (the JIT or the loaded library that `table` lives in) alive.
  // Environment error when the ABI version differs.
  static Result<Program> create(const nibble_program &table,
                                std::shared_ptr<void> owner);
  // The table's functions have no entries: `backend` runs them.
  static Result<Program> create(const nibble_program &table,
                                std::shared_ptr<void> owner,
                                std::shared_ptr<ProgramBackend> backend);

  // Usage error listing the functions there are.
  Result<Function> function(std::string_view name) const;
  bool has(std::string_view name) const;
  std::span<const nibble_function> functions() const;
  // Where parameters and state live; null: in the tensors that are bound.
  std::shared_ptr<Residence> residence() const {
    return backend_ ? backend_->residence() : nullptr;
  }

private:
  const nibble_program *table_ = nullptr;
  std::shared_ptr<void> owner_;
  std::shared_ptr<ProgramBackend> backend_;
};

} // namespace nibble
