// Element types at the border between MLIR and the runtime.
#pragma once

#include "include/nibble/ABI.h"

#include "mlir/IR/BuiltinTypes.h"

#include <optional>

namespace nibble {

// Knows f32, bf16, f16, f64, i1, i8, i32 and i64; nullopt for any other type.
inline std::optional<nibble_dtype> dtypeOf(mlir::Type type) {
  if (type.isF32())
    return NIBBLE_DTYPE_F32;
  if (type.isBF16())
    return NIBBLE_DTYPE_BF16;
  if (type.isF16())
    return NIBBLE_DTYPE_F16;
  if (type.isF64())
    return NIBBLE_DTYPE_F64;
  if (type.isInteger(1))
    return NIBBLE_DTYPE_I1;
  if (type.isInteger(8))
    return NIBBLE_DTYPE_I8;
  if (type.isInteger(32))
    return NIBBLE_DTYPE_I32;
  if (type.isInteger(64))
    return NIBBLE_DTYPE_I64;
  return std::nullopt;
}

} // namespace nibble
