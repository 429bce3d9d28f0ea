// The linears as one loop for each output, in the order of N10 and N11. Plain
// scalar C++, written from the rules.
#pragma once

#include "runtime/core/tensor.h"

#include <vector>

namespace nibble::test {

// Row-major values. Every product and its addition round together (std::fma).
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;

  Matrix(int64_t rows, int64_t columns)
      : rows(rows), columns(columns), values(rows * columns) {}
  explicit Matrix(const Tensor &tensor);
  float &at(int64_t row, int64_t column) {
    return values[row * columns + column];
  }
  float at(int64_t row, int64_t column) const {
    return values[row * columns + column];
  }
};

// y = E(x wT), then E(y + bias) and E(y + residual) when given. `bf16` says
// whether E rounds to bf16 or is float32.
Matrix linear(const Matrix &x, const Matrix &w, const Matrix *bias,
              const Matrix *residual, bool bf16);
Matrix linearInputGrad(const Matrix &dy, const Matrix &w, bool bf16);
Matrix linearWeightGrad(const Matrix &dy, const Matrix &x, const Matrix &init);

// Converts to a tensor of this dtype. The matrix already holds values that the
// dtype can represent.
Tensor tensorOf(const Matrix &matrix, DType dtype);

} // namespace nibble::test
