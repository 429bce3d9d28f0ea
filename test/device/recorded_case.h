// A kernel's test as files, for a machine without a compiler. The files are
// program.nbl with a function `f`, case.json, and tensors.safetensors with
// argument0, ..., expected0, ... (float64).
#pragma once

#include "runtime/core/tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace nibble::test {

struct RecordedCase {
  std::string name;
  std::vector<Tensor> arguments;
  // float64, one tensor for each result, including those updated in place.
  std::vector<Tensor> expected;
  // Bounds of relative errors, one for each result; 0 requires equality.
  std::vector<double> bounds;
  // Argument, and the result that it holds.
  std::vector<std::pair<int, int>> inPlace;
  std::vector<int> perToken; // arguments with one row for each token
  // Ranges of rows that must give the same bits alone.
  std::vector<std::pair<int64_t, int64_t>> parts;

  static Result<RecordedCase> read(const std::string &folder);
  Status write(const std::string &folder) const;
};

// Every element, converted to double.
std::vector<double> numbersOf(const TensorView &tensor);

} // namespace nibble::test
