// A compiled program without a compiler: a function table whose code is C++
// lambdas. It uses the same interface (ABI.h) as generated code. Everything
// above runtime/core/program/program.h can thus be tested without MLIR.
//
//   FakeProgram fake;
//   fake.function("double")
//       .input("x", DType::kF32, {-1})
//       .result("y", DType::kF32, {-1})
//       .body([](FakeCall &call) {
//         auto x = call.argument("x");
//         float *y = call.result("y", x.shape).as<float>();
//         ...
//       });
//   Program program = fake.program();
#pragma once

#include "runtime/core/program/program.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace nibble::test {

// The arguments and results of one call, decoded from the descriptors.
class FakeCall {
public:
  FakeCall(const nibble_function &info, void **values)
      : info_(info), values_(values) {}

  bool has(std::string_view name) const {
    return index(info_.arguments, info_.argument_count, name) >= 0;
  }
  TensorView argument(std::string_view name) const {
    return argument(index(info_.arguments, info_.argument_count, name));
  }
  TensorView argument(int i) const {
    const nibble_value_info &info = info_.arguments[i];
    auto *word =
        *static_cast<int64_t **>(values_[i + (info_.result_count > 0)]);
    TensorView view{static_cast<DType>(info.dtype),
                    Shape(word + 3, word + 3 + info.rank), nullptr};
    view.data = reinterpret_cast<std::byte *>(word[1]) +
                word[2] * bitsOf(view.dtype) / 8;
    return view;
  }
  template <typename T> T *as(std::string_view name) const {
    return argument(name).as<T>();
  }
  int64_t size(std::string_view name, int dimension = 0) const {
    return argument(name).shape[dimension];
  }
  int argumentCount() const { return info_.argument_count; }
  std::string name(int i) const { return info_.arguments[i].name; }

  // Allocates from the current arena, as generated code does, and fills the
  // result's descriptor.
  TensorView result(std::string_view name, const Shape &shape) const {
    auto *word = static_cast<int64_t *>(values_[0]);
    int target = index(info_.results, info_.result_count, name);
    for (int i = 0; i < target; ++i)
      word += 3 + 2 * info_.results[i].rank;
    TensorView view{static_cast<DType>(info_.results[target].dtype), shape,
                    nullptr};
    view.data =
        static_cast<std::byte *>(nibble_arena_allocate(64, view.bytes()));
    std::memset(view.data, 0, view.bytes());
    word[0] = word[1] = reinterpret_cast<int64_t>(view.data);
    word[2] = 0;
    int64_t stride = 1;
    for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
      word[3 + i] = shape[i];
      word[3 + shape.size() + i] = stride;
    }
    return view;
  }

private:
  static int index(const nibble_value_info *values, int count,
                   std::string_view name) {
    for (int i = 0; i < count; ++i)
      if (name == values[i].name)
        return i;
    return -1;
  }
  const nibble_function &info_;
  void **values_;
};

namespace detail {
// nibble_function.entry has no context parameter, so each fake function takes
// one of a fixed number of slots.
struct Slot {
  const nibble_function *info = nullptr;
  std::function<void(FakeCall &)> body;
};
inline constexpr int kSlots = 512;
inline std::array<Slot, kSlots> slots;
template <int I> void enterSlot(void **values) {
  FakeCall call(*slots[I].info, values);
  slots[I].body(call);
}
template <int... I>
constexpr auto slotEntries(std::integer_sequence<int, I...>) {
  return std::array<void (*)(void **), sizeof...(I)>{&enterSlot<I>...};
}
inline constexpr auto entries =
    slotEntries(std::make_integer_sequence<int, kSlots>());
} // namespace detail

class FakeFunction {
public:
  FakeFunction &input(std::string name, DType dtype, Shape shape) {
    return add(arguments_, std::move(name), NIBBLE_ROLE_INPUT, dtype, shape);
  }
  FakeFunction &parameter(std::string name, DType dtype, Shape shape,
                          const char *packed = nullptr) {
    add(arguments_, std::move(name), NIBBLE_ROLE_PARAMETER, dtype, shape);
    arguments_.back().packed = packed;
    return *this;
  }
  FakeFunction &state(std::string name, DType dtype, Shape shape,
                      const char *packed = nullptr) {
    add(arguments_, std::move(name), NIBBLE_ROLE_STATE, dtype, shape);
    arguments_.back().packed = packed;
    return *this;
  }
  FakeFunction &result(std::string name, DType dtype, Shape shape) {
    return add(results_, std::move(name), NIBBLE_ROLE_INPUT, dtype, shape);
  }
  FakeFunction &body(std::function<void(FakeCall &)> body) {
    body_ = std::move(body);
    return *this;
  }

private:
  friend class FakeProgram;
  FakeFunction &add(std::vector<nibble_value_info> &list, std::string name,
                    int role, DType dtype, const Shape &shape) {
    nibble_value_info info = {};
    info.name = names_.emplace_back(std::move(name)).c_str();
    info.role = role;
    info.dtype = static_cast<int32_t>(dtype);
    info.rank = static_cast<int32_t>(shape.size());
    for (size_t i = 0; i < shape.size(); ++i)
      info.shape[i] = shape[i];
    list.push_back(info);
    return *this;
  }
  std::string name_;
  std::deque<std::string> names_;
  std::vector<nibble_value_info> arguments_, results_;
  std::function<void(FakeCall &)> body_;
};

// Must outlive the Programs made from it.
class FakeProgram {
public:
  FakeProgram() = default;
  FakeProgram(const FakeProgram &) = delete;
  ~FakeProgram() {
    for (int slot : used_)
      detail::slots[slot] = {};
  }

  FakeFunction &function(std::string name) {
    functions_.emplace_back().name_ = std::move(name);
    return functions_.back();
  }

  const nibble_program &table() {
    if (infos_.empty()) {
      infos_.resize(functions_.size());
      int slot = 0;
      for (size_t i = 0; i < functions_.size(); ++i) {
        FakeFunction &f = functions_[i];
        while (slot < detail::kSlots && detail::slots[slot].info)
          ++slot;
        // More fake functions are alive than there are slots; raise kSlots.
        if (slot == detail::kSlots)
          std::abort();
        infos_[i] = nibble_function{f.name_.c_str(),
                                    static_cast<int32_t>(f.arguments_.size()),
                                    static_cast<int32_t>(f.results_.size()),
                                    f.arguments_.data(),
                                    f.results_.data(),
                                    detail::entries[slot]};
        detail::slots[slot] = {&infos_[i], f.body_};
        used_.push_back(slot);
      }
    }
    table_ = nibble_program{NIBBLE_ABI_VERSION,
                            static_cast<int32_t>(infos_.size()), infos_.data()};
    return table_;
  }

  Program program() { return *Program::create(table(), nullptr); }

private:
  std::deque<FakeFunction> functions_;
  std::vector<nibble_function> infos_;
  std::vector<int> used_;
  nibble_program table_ = {};
};

} // namespace nibble::test
