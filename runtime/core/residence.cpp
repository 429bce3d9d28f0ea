#include "runtime/core/residence.h"

#include <cstring>

namespace nibble {

Result<ResidentTensor> ResidentTensor::create(std::shared_ptr<Residence> residence, DType dtype, Shape shape,
                                              std::string_view what) {
  ResidentTensor tensor;
  if (residence) {
    NIBBLE_ASSIGN(tensor.view_, residence->allocate(dtype, std::move(shape), what));
    tensor.residence_ = std::move(residence);
    return tensor;
  }
  NIBBLE_ASSIGN(tensor.host_, Tensor::create(dtype, std::move(shape)));
  tensor.view_ = tensor.host_.view();
  return tensor;
}

ResidentTensor &ResidentTensor::operator=(ResidentTensor &&other) noexcept {
  if (this == &other)
    return *this;
  if (residence_)
    residence_->release(view_);
  residence_ = std::move(other.residence_);
  host_ = std::move(other.host_);
  view_ = std::move(other.view_);
  return *this;
}

ResidentTensor::~ResidentTensor() {
  if (residence_) // null in one that was moved from
    residence_->release(view_);
}

Status ResidentTensor::copyWithin(int64_t to, int64_t from, int64_t bytes) {
  if (residence_)
    return residence_->copyWithin(view_, to, from, bytes);
  std::memcpy(view_.data + to, view_.data + from, bytes);
  return Status::ok();
}

} // namespace nibble
