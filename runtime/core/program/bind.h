// Binds a function's arguments by the names and roles in its table.
#pragma once

#include "runtime/core/program/program.h"

#include <functional>
#include <string_view>
#include <vector>

namespace nibble {

// Returns the tensor for a parameter or state argument, or an error with the
// reason why there is none.
using TensorLookup =
    std::function<Result<TensorView>(const nibble_value_info &)>;

// Binds every argument of role PARAMETER or STATE to the tensor that `lookup`
// returns. Errors name the function.
Status bindTensors(Function &function, const TensorLookup &lookup);

// Binds the input of that name if the function has it. A function takes only
// the inputs that its objective uses.
Status bindIfTaken(Function &function, std::string_view name,
                   const TensorView &tensor);

// Views a vector as a one-dimensional tensor, or as [rows, columns].
template <typename T> TensorView viewOf(std::vector<T> &values) {
  constexpr DType kDType = std::is_same_v<T, float>     ? DType::kF32
                           : std::is_same_v<T, double>  ? DType::kF64
                           : std::is_same_v<T, int32_t> ? DType::kI32
                                                        : DType::kI64;
  static_assert(std::is_floating_point_v<T> || std::is_same_v<T, int32_t> ||
                std::is_same_v<T, int64_t>);
  return {kDType,
          {static_cast<int64_t>(values.size())},
          reinterpret_cast<std::byte *>(values.data())};
}

} // namespace nibble
