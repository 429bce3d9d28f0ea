// Creates tensors on a device, and reads and writes them in pieces.
#include "runtime/core/program/residence.h"

#include <algorithm>
#include <cstring>

namespace nibble {

Result<ResidentTensor>
ResidentTensor::create(std::shared_ptr<Residence> residence, DType dtype,
                       Shape shape, std::string_view what) {
  ResidentTensor tensor;
  if (residence) {
    NIBBLE_ASSIGN(tensor.view_,
                  residence->allocate(dtype, std::move(shape), what));
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
  if (residence_) // null after a move
    residence_->release(view_);
}

Status ResidentTensor::copyWithin(int64_t to, int64_t from, int64_t bytes) {
  if (residence_)
    return residence_->copyWithin(view_, to, from, bytes);
  std::memcpy(view_.data + to, view_.data + from, bytes);
  return Status::ok();
}

Status ResidentTensor::zero() {
  if (residence_)
    return residence_->zero(view_);
  std::memset(view_.data, 0, static_cast<size_t>(bytes()));
  return Status::ok();
}

Status ResidentTensor::readPieces(
    const std::function<Status(int64_t, std::span<const std::byte>)> &use)
    const {
  if (!residence_)
    return use(0, std::span(view_.data, static_cast<size_t>(bytes())));
  NIBBLE_ASSIGN(std::span<std::byte> staging, residence_->staging());
  for (int64_t offset = 0, end = bytes(); offset < end;) {
    auto piece = staging.first(static_cast<size_t>(
        std::min<int64_t>(end - offset, std::ssize(staging))));
    NIBBLE_TRY(residence_->read(view_, offset, piece));
    NIBBLE_TRY(use(offset, piece));
    offset += std::ssize(piece);
  }
  return Status::ok();
}

Status ResidentTensor::writePieces(
    const std::function<Status(int64_t, std::span<std::byte>)> &make) {
  if (!residence_)
    return make(0, std::span(view_.data, static_cast<size_t>(bytes())));
  NIBBLE_ASSIGN(std::span<std::byte> staging, residence_->staging());
  for (int64_t offset = 0, end = bytes(); offset < end;) {
    auto piece = staging.first(static_cast<size_t>(
        std::min<int64_t>(end - offset, std::ssize(staging))));
    NIBBLE_TRY(make(offset, piece));
    NIBBLE_TRY(residence_->write(view_, offset, piece));
    offset += std::ssize(piece);
  }
  return Status::ok();
}

Result<Tensor> ResidentTensor::read() const {
  NIBBLE_ASSIGN(Tensor tensor, Tensor::create(dtype(), shape()));
  NIBBLE_TRY(readPieces([&](int64_t offset, std::span<const std::byte> piece) {
    std::copy(piece.begin(), piece.end(), tensor.data() + offset);
    return Status::ok();
  }));
  return tensor;
}

Status ResidentTensor::write(std::span<const std::byte> from) {
  return writePieces([&](int64_t offset, std::span<std::byte> piece) {
    std::copy_n(from.begin() + offset, piece.size(), piece.begin());
    return Status::ok();
  });
}

} // namespace nibble
