// The linears as one loop for each output, in the order that N10 and N11 state.
// Plain scalar C++, written from the rules.
#pragma once

#include "runtime/core/tensor.h"

#include <vector>

namespace nibble::test {

// Values row-major; every product is rounded together with its sum (std::fma).
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

// y = E(x wT), E(y + bias), E(y + residual) where they are given; bf16 tells
// whether E rounds to bf16 or is float32.
Matrix linear(const Matrix &x, const Matrix &w, const Matrix *bias,
              const Matrix *residual, bool bf16);
Matrix linearInputGrad(const Matrix &dy, const Matrix &w, bool bf16);
Matrix linearWeightGrad(const Matrix &dy, const Matrix &x, const Matrix &init);

// As a tensor of that element type, whose values the matrix holds already.
Tensor tensorOf(const Matrix &matrix, DType dtype);

} // namespace nibble::test
