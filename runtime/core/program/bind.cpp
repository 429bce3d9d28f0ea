// Binds tensors to a function's arguments by name.
#include "runtime/core/program/bind.h"

#include <fmt/format.h>

namespace nibble {

Status bindTensors(Function &function, const TensorLookup &lookup) {
  const nibble_function &info = function.info();
  for (int i = 0; i < info.argument_count; ++i) {
    if (info.arguments[i].role == NIBBLE_ROLE_INPUT)
      continue;
    auto tensor = lookup(info.arguments[i]);
    if (!tensor.isOk())
      return std::move(tensor).takeStatus().within(
          fmt::format("program function '{}'", info.name));
    NIBBLE_TRY(function.bind(i, *tensor));
  }
  return Status::ok();
}

Status bindIfTaken(Function &function, std::string_view name,
                   const TensorView &tensor) {
  int index = function.argument(name);
  return index < 0 ? Status::ok() : function.bind(index, tensor);
}

} // namespace nibble
