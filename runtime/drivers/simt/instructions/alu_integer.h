// Shared by the decoders of integer instructions: the C++ types of PTX types,
// and arithmetic that wraps.
#pragma once

#include "runtime/drivers/simt/instructions/lanes.h"

#include <cstdint>
#include <type_traits>

namespace nibble::simt {

// Wrapping arithmetic uses the unsigned type of the same size; 16-bit operands
// use 32 bits.
template <typename T>
using Wrap = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <typename T> inline constexpr unsigned kBits = sizeof(T) * 8;

// Calls f(type) with a value of the C++ type that `type` names.
template <typename F> void withInteger(Builder &b, Type type, F f) {
  if (type.packed || type.isFloat() || type.kind == 'p' || type.kind == 0)
    return b.fail("this type is not supported here");
  bool isSigned = type.isSigned();
  switch (type.bits) {
  case 16:
    return isSigned ? f(int16_t{}) : f(uint16_t{});
  case 32:
    return isSigned ? f(int32_t{}) : f(uint32_t{});
  case 64:
    return isSigned ? f(int64_t{}) : f(uint64_t{});
  default:
    return b.fail("this type is not supported here");
  }
}

} // namespace nibble::simt
