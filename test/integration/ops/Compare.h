// Differential tests: one program is compiled for the host and also run through
// lib/Reference, on the same numbers.
#pragma once

#include "lib/Driver/Session.h"
#include "lib/Reference/Reference.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

namespace nibble {

// Programs are templates: $E is the element type of weights and activations.
class OpTest : public ::testing::TestWithParam<const char *> {
protected:
  Session session;
  mlir::Builder b{&session.context()};
  std::mt19937_64 random{20};
  mlir::Type f32 = b.getF32Type();
  // The type of weights and activations in this run.
  mlir::Type E =
      std::string(GetParam()) == "bf16" ? mlir::Type(b.getBF16Type()) : f32;

  using Arguments = std::vector<ReferenceValue>;

  // Compiles function @f of `text` once. For every T it runs @f and the
  // reference with `arguments(T)`. Float results must be close by norm, 1e-5
  // for f32 and 4e-3 for bf16 (numerics.md, "Tolerances"). Integers and packed
  // weights must be equal, and with `exactly` floats too.
  void compare(std::string text, const std::vector<int64_t> &tokens,
               const std::function<Arguments(int64_t)> &arguments,
               bool exactly = false);

  // The reference's results of @f, to be used as arguments of another op.
  std::vector<ReferenceValue> reference(std::string text,
                                        const Arguments &arguments);

  // Random numbers around `center` with deviation `scale`, rounded to the type.
  ReferenceValue numbers(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                         double scale = 1.0, double center = 0.0);
  // Random integers in [0, bound).
  ReferenceValue indices(llvm::ArrayRef<int64_t> shape, int64_t bound);
  ReferenceValue integers(llvm::ArrayRef<int64_t> elements);

private:
  mlir::OwningOpRef<mlir::ModuleOp> parse(std::string &text);
};

// Runs each test of the suite with both element types.
#define NIBBLE_FOR_EACH_TYPE(suite)                                            \
  INSTANTIATE_TEST_SUITE_P(                                                    \
      Types, suite, ::testing::Values("f32", "bf16"),                          \
      [](const auto &info) { return std::string(info.param); })

// The first `few` of the cases, or all with NIBBLE_LONG=1. Compilation takes
// most of the time here.
template <typename Range> auto someOf(const Range &cases, size_t few) {
  const char *isLong = std::getenv("NIBBLE_LONG");
  llvm::ArrayRef all(std::data(cases), std::size(cases));
  return isLong && std::string(isLong) == "1" ? all : all.take_front(few);
}

// Convert between a value and the bytes in a program.
Tensor tensorOf(const ReferenceValue &value);
ReferenceValue valueOf(const TensorView &view, mlir::Type type);

} // namespace nibble
