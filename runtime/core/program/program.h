// A compiled program as the runtime sees it. Functions and arguments have
// names, and calls check every shape.
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

// Runs the functions of a program whose code is not in this process's memory.
class ProgramBackend {
public:
  virtual ~ProgramBackend() = default;
  // Gives a parameter or state argument a place where `call` finds it.
  // Environment error when there is no room.
  virtual Status bind(const nibble_value_info &argument,
                      const TensorView &tensor) = 0;
  // Calls function number `function` of the table. Results lie in host memory
  // and belong to the arena. The results listed in `kept` (ascending) stay on
  // the device instead (Function::keepOnDevice).
  virtual Result<std::vector<TensorView>>
  call(int function, std::span<const TensorView> arguments,
       std::span<const int> kept, Arena &arena) = 0;
  virtual std::shared_ptr<Residence> residence() const = 0;
  // A table of the kernel times of a call, measured over `repeats` runs. State
  // advances from run to run.
  virtual Result<std::string>
  profile(int function, std::span<const TensorView> arguments, int repeats) = 0;
  // Bytes of the arena for a call whose open extents are all `extent`: inputs,
  // and temporaries at their peak.
  virtual Result<int64_t> planBytes(int function, int64_t extent) const = 0;
};

// One function of a program with its arguments bound by name. The caller binds
// parameters and state once, and inputs before each call.
class Function {
public:
  const nibble_function &info() const { return *info_; }
  // Where its parameters and state live. Null means that they live in the bound
  // tensors.
  std::shared_ptr<Residence> residence() const {
    return backend_ ? backend_->residence() : nullptr;
  }
  // Index of the argument of that name, or -1 when the function has none.
  int argument(std::string_view name) const;
  int result(std::string_view name) const;

  // Binds a tensor. Usage error with function and argument when no argument has
  // that name, or when dtype or shape do not fit.
  Status bind(std::string_view name, const TensorView &tensor);
  Status bind(int index, const TensorView &tensor);

  // From now on `call` leaves this result on the device: its view has
  // TensorView::device and no data. It can be bound as an input of another
  // function there. It is valid until this function is called again. A host
  // program returns the result as before.
  void keepOnDevice(int result);

  // Runs the function. The memory of the results belongs to the arena until
  // Arena::reset. Failed when an argument is unbound (named), or when a result
  // differs from its table entry. Environment error when the machine has no
  // memory left; state updated in place is then half updated
  // (runtime/core/guarded_call.h).
  Result<std::vector<TensorView>> call(Arena &arena);
  // The profile of a device program (ProgramBackend::profile). Usage error for
  // a host program, which is compiled to be timed instead.
  Result<std::string> profile(int repeats);
  // See ProgramBackend::planBytes. No argument has to be bound.
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
  std::vector<int> kept_; // numbers of results, ascending
};

class Program {
public:
  // Keeps `owner` alive: the JIT or the loaded library that contains `table`.
  // Environment error when the ABI version differs.
  static Result<Program> create(const nibble_program &table,
                                std::shared_ptr<void> owner);
  // Creates a program whose table has no entry points; `backend` runs its
  // functions.
  static Result<Program> create(const nibble_program &table,
                                std::shared_ptr<void> owner,
                                std::shared_ptr<ProgramBackend> backend);

  // Returns a function, or a usage error that lists the existing functions.
  Result<Function> function(std::string_view name) const;
  bool has(std::string_view name) const;
  std::span<const nibble_function> functions() const;
  // Where parameters and state live. Null means that they live in the bound
  // tensors.
  std::shared_ptr<Residence> residence() const {
    return backend_ ? backend_->residence() : nullptr;
  }

private:
  const nibble_program *table_ = nullptr;
  std::shared_ptr<void> owner_;
  std::shared_ptr<ProgramBackend> backend_;
};

} // namespace nibble
