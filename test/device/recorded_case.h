// A kernel's test as files, for a machine without a compiler: program.nbl with
// a function `f`, case.json, and tensors.safetensors with argument0, ...,
// expected0, ... (float64).
#pragma once

#include "runtime/core/tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace nibble::test {

struct RecordedCase {
  std::string name;
  std::vector<Tensor> arguments;
  std::vector<Tensor>
      expected; // float64, a tensor for each result, those updated in place too
  std::vector<double> bounds; // of relative errors, one for each result; 0:
                              // exactly what is expected
  std::vector<std::pair<int, int>>
      inPlace;               // argument, and the result that it stands for
  std::vector<int> perToken; // arguments with a row for each token
  std::vector<std::pair<int64_t, int64_t>>
      parts; // rows that must come out the same by themselves

  static Result<RecordedCase> read(const std::string &folder);
  Status write(const std::string &folder) const;
};

// Every element as a double.
std::vector<double> numbersOf(const TensorView &tensor);

} // namespace nibble::test
