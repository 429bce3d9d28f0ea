// Keeps the failures of checks until the caller takes them.
#include "runtime/core/program/check.h"

#include "include/nibble/ABI.h"
#include "lib/Numerics/bf16.h"
#include "lib/Numerics/ulp.h"
#include "runtime/core/tensor.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

namespace nibble {
namespace {

struct Log {
  std::mutex mutex;
  std::vector<std::string> failures;
};

Log &theLog() {
  static Log log;
  return log;
}

void record(const char *where, const std::string &what) {
  Log &log = theLog();
  std::lock_guard lock(log.mutex);
  log.failures.push_back(fmt::format("{}: {}", where, what));
}

// The two operands of a check.
struct Operands {
  DType dtype;
  Shape shape;
  const char *actual, *expected;
  int64_t elements, bytesEach;

  double number(const char *data, int64_t index) const {
    auto read = [&]<typename T>(T value) {
      std::memcpy(&value, data + index * sizeof(T), sizeof(T));
      return value;
    };
    switch (dtype) {
    case DType::kF32:
      return read(float());
    case DType::kBF16:
      return numerics::floatFromBf16(read(uint16_t()));
    case DType::kF64:
      return read(double());
    case DType::kI64:
      return static_cast<double>(read(int64_t()));
    case DType::kI32:
      return read(int32_t());
    default:
      return read(int8_t()); // i8 and i1
    }
  }

  // Row-major index in the form "[1, 2]".
  std::string indexOf(int64_t flat) const {
    Shape index(shape.size());
    for (size_t d = shape.size(); d-- > 0; flat /= shape[d])
      index[d] = flat % shape[d];
    return toString(index);
  }
};

DType dtypeOf(bool isFloat, int64_t bits) {
  if (isFloat)
    return bits == 16 ? DType::kBF16 : bits == 32 ? DType::kF32 : DType::kF64;
  return bits <= 8 ? DType::kI8 : bits == 32 ? DType::kI32 : DType::kI64;
}

// Empty when the shapes differ; the failure is then recorded.
std::optional<Operands> operandsOf(const char *where, bool isFloat,
                                   int64_t bits, int64_t rank,
                                   const int64_t *actualShape,
                                   const int64_t *expectedShape,
                                   const void *actual, const void *expected) {
  Shape shape(actualShape, actualShape + rank);
  Shape other(expectedShape, expectedShape + rank);
  if (shape != other) {
    record(where, fmt::format("shapes differ: actual {}, expected {}",
                              toString(shape), toString(other)));
    return std::nullopt;
  }
  int64_t elements = elementCount(shape).value_or(0);
  DType dtype = dtypeOf(isFloat, bits);
  return Operands{dtype,
                  std::move(shape),
                  static_cast<const char *>(actual),
                  static_cast<const char *>(expected),
                  elements,
                  bitsOf(dtype) / 8};
}

// Distance in units in the last place. Float64 values are rounded to float32
// first.
int64_t ulpsBetween(const Operands &both, int64_t i) {
  float a = static_cast<float>(both.number(both.actual, i));
  float e = static_cast<float>(both.number(both.expected, i));
  if (both.dtype == DType::kBF16)
    return numerics::ulpDistanceBf16(numerics::bf16FromFloat(a),
                                     numerics::bf16FromFloat(e));
  return numerics::ulpDistance(a, e);
}

} // namespace

std::vector<std::string> takeCheckFailures() {
  Log &log = theLog();
  std::lock_guard lock(log.mutex);
  return std::exchange(log.failures, {});
}

} // namespace nibble

using namespace nibble;

extern "C" void nibble_check_expect_eq(const char *where, int64_t is_float,
                                       int64_t bits, int64_t rank,
                                       const int64_t *actual_shape,
                                       const int64_t *expected_shape,
                                       const void *actual,
                                       const void *expected) {
  auto both = operandsOf(where, is_float, bits, rank, actual_shape,
                         expected_shape, actual, expected);
  if (!both)
    return;
  int64_t first = -1;
  int64_t count = 0;
  for (int64_t i = 0; i < both->elements; ++i)
    if (std::memcmp(both->actual + i * both->bytesEach,
                    both->expected + i * both->bytesEach,
                    both->bytesEach) != 0) {
      first = count == 0 ? i : first;
      ++count;
    }
  if (count > 0)
    record(where,
           fmt::format(
               "{} of {} elements differ, first {}: actual {}, expected {}",
               count, both->elements, both->indexOf(first),
               both->number(both->actual, first),
               both->number(both->expected, first)));
}

extern "C" void
nibble_check_expect_close(const char *where, int64_t is_float, int64_t bits,
                          int64_t rank, const int64_t *actual_shape,
                          const int64_t *expected_shape, const void *actual,
                          const void *expected, int64_t ulp, double relative) {
  auto both = operandsOf(where, is_float, bits, rank, actual_shape,
                         expected_shape, actual, expected);
  if (!both)
    return;
  int64_t furthest = -1, distance = -1;
  double difference = 0.0, norm = 0.0;
  for (int64_t i = 0; i < both->elements; ++i) {
    double a = both->number(both->actual, i);
    double e = both->number(both->expected, i);
    difference += (a - e) * (a - e);
    norm += e * e;
    if (int64_t steps = ulp >= 0 ? ulpsBetween(*both, i) : -1;
        steps > distance) {
      furthest = i;
      distance = steps;
    }
  }
  if (distance > ulp)
    record(where,
           fmt::format("{} ulp apart at {}, allowed {}: actual {}, expected {}",
                       distance == numerics::kUlpNever
                           ? "infinitely many"
                           : std::to_string(distance),
                       both->indexOf(furthest), ulp,
                       both->number(both->actual, furthest),
                       both->number(both->expected, furthest)));
  // This form of the comparison makes NaN fail.
  double error = difference == 0.0 ? 0.0 : std::sqrt(difference / norm);
  if (relative >= 0 && !(error <= relative))
    record(where, fmt::format("relative error {:.3e}, allowed {:.3e}", error,
                              relative));
}
