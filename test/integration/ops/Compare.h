// Differential tests: one program compiled for the host and run through
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

  // Compiles function @f of `text` once, then for every T runs it and the
  // reference with `arguments(T)`. Results of a float type are close
  // (numerics.md, "Tolerances": by norm, 1e-5 for f32 and 4e-3 for bf16),
  // integers and packed weights equal. With `exactly` floats are equal too.
  void compare(std::string text, const std::vector<int64_t> &tokens,
               const std::function<Arguments(int64_t)> &arguments,
               bool exactly = false);

  // What the reference makes of @f, for arguments that are another op's
  // results.
  std::vector<ReferenceValue> reference(std::string text,
                                        const Arguments &arguments);

  // Random numbers about `center`, of the size `scale`, rounded to the type.
  ReferenceValue numbers(llvm::ArrayRef<int64_t> shape, mlir::Type element,
                         double scale = 1.0, double center = 0.0);
  // Random integers of [0, bound).
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

// The first `few` of the cases, all of them with NIBBLE_LONG=1: most of the
// time here goes into compiling.
template <typename Range> auto someOf(const Range &cases, size_t few) {
  const char *isLong = std::getenv("NIBBLE_LONG");
  llvm::ArrayRef all(std::data(cases), std::size(cases));
  return isLong && std::string(isLong) == "1" ? all : all.take_front(few);
}

// The bytes of a value as a program holds it, and back.
Tensor tensorOf(const ReferenceValue &value);
ReferenceValue valueOf(const TensorView &view, mlir::Type type);

} // namespace nibble
