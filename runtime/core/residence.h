// Where the tensors of a program live that runs on a device: each parameter and each state tensor of the host has a
// mirror in the device's memory, and the mirror is what programs read and write.
//
// Null stands for programs of the host, which work on the host's tensors themselves. The rule for the others: whoever
// reads a tensor that a program may have written fetches it first, whoever has written one pushes it afterwards.
#pragma once

#include "runtime/core/tensor.h"

#include <memory>
#include <string>
#include <string_view>

namespace nibble {

class Residence {
public:
  virtual ~Residence() = default;

  // Gives the tensor a mirror and uploads it, the first time; nothing when it has one. The tensor's memory is its name:
  // it must stay where it is until `forget`. Environment error naming `what` when the device has no memory for it.
  virtual Status mirror(const TensorView &tensor, std::string_view what) = 0;
  virtual void forget(const TensorView &tensor) = 0;

  // From the mirror to the host, from the host to the mirror, zeros into the mirror alone. Nothing for a tensor without
  // one.
  virtual Status fetch(const TensorView &tensor) = 0;
  virtual Status push(const TensorView &tensor) = 0;
  virtual bool has(const TensorView &tensor) const = 0;
  virtual Status zero(const TensorView &tensor) = 0;

  // Memory of the device alone, zeroed: TensorView::device is set, data null.
  virtual Result<TensorView> allocate(DType dtype, Shape shape, std::string_view what) = 0;
  virtual void release(const TensorView &tensor) = 0;
  // `bytes` bytes within a tensor of `allocate`, byte offsets; the two ranges do not overlap.
  virtual Status copyWithin(const TensorView &tensor, int64_t to, int64_t from, int64_t bytes) = 0;

  // The device in words, and how many bytes of memory it has.
  virtual std::string describe() const = 0;
  virtual int64_t memoryBytes() const = 0;
};

// A tensor that only programs read and write: in the memory of the device, or of the host where there is no residence.
// Move only.
class ResidentTensor {
public:
  // Zeroed. Environment error when there is no memory for it.
  static Result<ResidentTensor> create(std::shared_ptr<Residence> residence, DType dtype, Shape shape,
                                       std::string_view what);
  ResidentTensor(ResidentTensor &&) noexcept = default;
  ResidentTensor &operator=(ResidentTensor &&other) noexcept;
  ~ResidentTensor();

  const TensorView &view() const { return view_; }
  // See Residence::copyWithin.
  Status copyWithin(int64_t to, int64_t from, int64_t bytes);

private:
  ResidentTensor() = default;
  std::shared_ptr<Residence> residence_; // null: host_ owns the memory
  Tensor host_;
  TensorView view_;
};

} // namespace nibble
