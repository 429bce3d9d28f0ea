// Converts floating-point tensors of files to the dtypes of programs, and back.
#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"
#include "runtime/formats/checkpoint/checkpoint.h"

#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace nibble {

namespace {

// Calls visit(load), where load(i) is element i as float32. Returns false for
// dtypes that are not floating-point.
template <typename Visit> bool withFloats(const Tensor &tensor, Visit visit) {
  switch (tensor.dtype()) {
  case DType::kF64:
    visit([data = tensor.as<double>()](int64_t i) {
      return static_cast<float>(data[i]);
    });
    return true;
  case DType::kF32:
    visit([data = tensor.as<float>()](int64_t i) { return data[i]; });
    return true;
  case DType::kBF16:
    visit([data = tensor.as<uint16_t>()](int64_t i) {
      return numerics::floatFromBf16(data[i]);
    });
    return true;
  case DType::kF16:
    visit([data = tensor.as<uint16_t>()](int64_t i) {
      return numerics::floatFromHalf(data[i]);
    });
    return true;
  default:
    return false;
  }
}

} // namespace

Result<Tensor> convert(const Tensor &tensor, DType dtype) {
  Status refused =
      Status::usage(fmt::format("cannot convert {} to {}; use F32, BF16 or F16 "
                                "of a floating-point tensor",
                                nameOf(tensor.dtype()), nameOf(dtype)));
  if (dtype != DType::kF32 && dtype != DType::kBF16 && dtype != DType::kF16)
    return refused;
  NIBBLE_ASSIGN(Tensor out, Tensor::create(dtype, tensor.shape()));
  int64_t count = tensor.elements();
  bool isFloat = withFloats(tensor, [&](auto load) {
    for (int64_t i = 0; i < count; ++i)
      if (dtype == DType::kF32)
        out.as<float>()[i] = load(i);
      else if (dtype == DType::kF16)
        out.as<uint16_t>()[i] = numerics::halfFromFloat(load(i));
      else
        out.as<uint16_t>()[i] = numerics::bf16FromFloat(load(i));
  });
  if (!isFloat)
    return refused;
  return out;
}

WeightScan scanWeights(const Tensor &tensor) {
  WeightScan scan;
  withFloats(tensor, [&](auto load) {
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      float value = load(i);
      switch (std::fpclassify(value)) {
      case FP_NAN:
        ++scan.nans;
        break;
      case FP_INFINITE:
        ++scan.infinities;
        break;
      case FP_SUBNORMAL:
        ++scan.denormals;
        continue;
      default:
        continue;
      }
      if (scan.firstNotFinite < 0)
        scan.firstNotFinite = i;
    }
  });
  return scan;
}

} // namespace nibble
