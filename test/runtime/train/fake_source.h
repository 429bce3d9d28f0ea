// Initial weights from a function instead of a checkpoint.
#pragma once

#include "runtime/train/parameters.h"

#include <functional>

namespace nibble::test {

class FakeSource : public WeightSource {
public:
  explicit FakeSource(std::function<Result<Tensor>(const std::string &)> make)
      : make_(std::move(make)) {}
  Result<Tensor> read(const std::string &name) override { return make_(name); }

private:
  std::function<Result<Tensor>(const std::string &)> make_;
};

// An F32 source of that shape with values(i).
inline FakeSource sourceOf(Shape shape, std::function<float(int64_t)> values) {
  return FakeSource([=](const std::string &) -> Result<Tensor> {
    NIBBLE_ASSIGN(Tensor tensor, Tensor::create(DType::kF32, shape));
    for (int64_t i = 0; i < tensor.elements(); ++i)
      tensor.as<float>()[i] = values(i);
    return tensor;
  });
}

} // namespace nibble::test
