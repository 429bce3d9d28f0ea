// Computes the linears in plain loops.
#include "test/passes/LowerToHost/LinearOracle.h"

#include "test/passes/LowerToHost/HostProgram.h"

#include <array>
#include <cmath>

namespace nibble::test {

Matrix::Matrix(const Tensor &tensor)
    : Matrix(tensor.shape().size() == 1 ? 1 : tensor.shape()[0],
             tensor.shape().back()) {
  std::vector<double> exact = valuesOf(tensor);
  for (size_t i = 0; i < exact.size(); ++i)
    values[i] = static_cast<float>(exact[i]);
}

static float rounded(float value, bool bf16) {
  return bf16 ? numerics::roundToBf16(value) : value;
}

// N11: lane l takes k = l, l + 16, .... Rows are padded with +0 to whole steps,
// and the lanes are reduced by the tree 8, 4, 2, 1.
static float dotProduct(const Matrix &x, int64_t t, const Matrix &w,
                        int64_t n) {
  std::array<float, 16> lanes{};
  for (int64_t k = 0; k < (x.columns + 15) / 16 * 16; ++k) {
    float a = k < x.columns ? x.at(t, k) : 0.0f;
    float b = k < x.columns ? w.at(n, k) : 0.0f;
    lanes[k % 16] = std::fma(a, b, lanes[k % 16]);
  }
  for (int half = 8; half >= 1; half /= 2)
    for (int i = 0; i < half; ++i)
      lanes[i] = lanes[i] + lanes[i + half];
  return lanes[0];
}

Matrix linear(const Matrix &x, const Matrix &w, const Matrix *bias,
              const Matrix *residual, bool bf16) {
  Matrix y(x.rows, w.rows);
  for (int64_t t = 0; t < y.rows; ++t)
    for (int64_t n = 0; n < y.columns; ++n) {
      float value = rounded(dotProduct(x, t, w, n), bf16);
      if (bias)
        value = rounded(value + bias->at(0, n), bf16);
      if (residual)
        value = rounded(value + residual->at(t, n), bf16);
      y.at(t, n) = value;
    }
  return y;
}

Matrix linearInputGrad(const Matrix &dy, const Matrix &w, bool bf16) {
  Matrix dx(dy.rows, w.columns);
  for (int64_t t = 0; t < dx.rows; ++t)
    for (int64_t k = 0; k < dx.columns; ++k) {
      float chain = 0.0f;
      for (int64_t n = 0; n < w.rows; ++n)
        chain = std::fma(dy.at(t, n), w.at(n, k), chain);
      dx.at(t, k) = rounded(chain, bf16);
    }
  return dx;
}

Matrix linearWeightGrad(const Matrix &dy, const Matrix &x, const Matrix &init) {
  Matrix dw = init;
  for (int64_t n = 0; n < dw.rows; ++n)
    for (int64_t k = 0; k < dw.columns; ++k)
      for (int64_t t = 0; t < x.rows; ++t)
        dw.at(n, k) = std::fma(dy.at(t, n), x.at(t, k), dw.at(n, k));
  return dw;
}

Tensor tensorOf(const Matrix &matrix, DType dtype) {
  return makeTensor(dtype, {matrix.rows, matrix.columns},
                    {matrix.values.begin(), matrix.values.end()});
}

} // namespace nibble::test
