// Creates, rounds, compares and prints the values of the reference.
#include "lib/Reference/Value.h"

#include "dialects/QAT/QAT.h"
#include "lib/Numerics/bf16.h"

#include "llvm/Support/raw_ostream.h"

#include <cassert>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace nibble;

int64_t ReferenceValue::countFrom(size_t first) const {
  int64_t product = 1;
  for (size_t i = first; i < shape.size(); ++i)
    product *= shape[i];
  return product;
}

int64_t ReferenceValue::count() const { return countFrom(0); }

ReferenceValue ReferenceValue::tensor(ArrayRef<int64_t> shape, Type element,
                                      ArrayRef<double> elements) {
  ReferenceValue value = zero(RankedTensorType::get(shape, element));
  assert(elements.size() == value.reals.size() &&
         "as many elements as the shape has");
  for (auto [to, from] : llvm::zip(value.reals, elements))
    to = roundTo(from, element);
  return value;
}

ReferenceValue ReferenceValue::integerTensor(ArrayRef<int64_t> shape,
                                             Type element,
                                             ArrayRef<int64_t> elements) {
  ReferenceValue value = zero(RankedTensorType::get(shape, element));
  assert(elements.size() == value.integers.size() &&
         "as many elements as the shape has");
  for (auto [to, from] : llvm::zip(value.integers, elements))
    to = wrapTo(from, element);
  return value;
}

ReferenceValue ReferenceValue::zero(Type type, ArrayRef<int64_t> shape) {
  ReferenceValue value;
  value.type = type;
  if (auto packed = dyn_cast<qat::PackedType>(type)) {
    value.shape = {packed.getN(), packed.getK()};
    value.integers.assign(value.count(), 0);
    value.reals.assign(packed.getScaleCount(), 0.0);
    return value;
  }
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    value.shape.assign(tensor.hasStaticShape() ? tensor.getShape() : shape);
  if (value.isReal())
    value.reals.assign(value.count(), 0.0);
  else
    value.integers.assign(value.count(), 0);
  return value;
}

double nibble::roundTo(double value, Type element) {
  if (element.isF32())
    return static_cast<float>(value);
  if (element.isBF16())
    return numerics::roundToBf16(static_cast<float>(value));
  if (element.isF16())
    return static_cast<double>(
        static_cast<_Float16>(static_cast<float>(value)));
  return value;
}

int64_t nibble::wrapTo(int64_t value, Type element) {
  auto integer = dyn_cast<IntegerType>(element);
  if (!integer || integer.getWidth() >= 64)
    return value;
  if (integer.getWidth() == 1)
    return value & 1;
  unsigned unused = 64 - integer.getWidth();
  return static_cast<int64_t>(static_cast<uint64_t>(value) << unused) >> unused;
}

double nibble::relativeError(ArrayRef<double> actual,
                             ArrayRef<double> expected) {
  const double never = std::numeric_limits<double>::infinity();
  if (actual.size() != expected.size())
    return never;
  double difference = 0.0, norm = 0.0;
  for (auto [a, e] : llvm::zip(actual, expected)) {
    if (!std::isfinite(a) || !std::isfinite(e))
      return never;
    difference += (a - e) * (a - e);
    norm += e * e;
  }
  if (difference == 0.0)
    return 0.0;
  return norm == 0.0 ? never : std::sqrt(difference / norm);
}

double nibble::relativeError(const ReferenceValue &actual,
                             const ReferenceValue &expected) {
  if (actual.shape != expected.shape || actual.integers != expected.integers)
    return std::numeric_limits<double>::infinity();
  return relativeError(actual.reals, expected.reals);
}

std::string nibble::toString(const ReferenceValue &value, int64_t limit) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (auto tensor = dyn_cast<RankedTensorType>(value.type))
    out << RankedTensorType::get(value.shape, tensor.getElementType());
  else
    out << value.type;
  out << " [";
  auto print = [&](const auto &elements) {
    for (auto [i, element] : llvm::enumerate(elements)) {
      if (static_cast<int64_t>(i) == limit) {
        out << ", ...";
        break;
      }
      out << (i ? ", " : "") << element;
    }
  };
  print(value.integers);
  if (!value.integers.empty() && !value.reals.empty())
    out << "; scales ";
  print(value.reals);
  out << "]";
  return text;
}
