// A program compiled for this machine from a few lines of IR, and tensors to
// call it with.
#pragma once

#include "lib/Numerics/bf16.h"
#include "runtime/core/program/program.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

namespace nibble::test {

// Tensors from plain numbers, rounded to the element type.
Tensor makeTensor(DType dtype, Shape shape, const std::vector<double> &values);
Tensor makeIndices(Shape shape, const std::vector<int> &values);
Tensor copyOf(const TensorView &view);
inline Tensor copyOf(const Tensor &tensor) { return copyOf(tensor.view()); }
// Rows [first, last) of the first dimension.
Tensor rowsOf(const Tensor &tensor, int64_t first, int64_t last);

// Elements converted to float64, which is exact.
std::vector<double> valuesOf(const Tensor &tensor);
bool sameBits(const Tensor &a, const Tensor &b);
// Returns text such as "differs first at 17: 0.5 and 0.25", or "the same".
std::string difference(const Tensor &a, const Tensor &b);

// Standard normal numbers from a fixed seed.
class Random {
public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  Tensor normal(DType dtype, Shape shape, double scale = 1.0,
                double mean = 0.0);
  Tensor indices(Shape shape, int bound);
  int below(int bound) {
    return static_cast<int>(engine_() % static_cast<uint32_t>(bound));
  }

private:
  std::mt19937 engine_;
};

class HostProgram {
public:
  // Throws with the diagnostics when the module does not compile, because a
  // test that cannot run must fail. `pipeline` runs first.
  explicit HostProgram(const std::string &source,
                       const std::string &cpu = "host");

  // Calls the function and returns its results. Arguments that are state are
  // updated in place.
  std::vector<Tensor> call(const std::string &function,
                           const std::vector<const Tensor *> &arguments,
                           int threads = 2);
  Program &program() { return *program_; }

private:
  std::unique_ptr<mlir::MLIRContext> context_;
  std::unique_ptr<Program> program_;
};

} // namespace nibble::test
