// Where the tensors of a program live that runs on a device: in the device's
// memory alone, or, of tensors that somebody keeps on the host, in a mirror
// there, which is what programs read and write.
//
// Null stands for programs of the host, which work on the host's tensors
// themselves. The rule for mirrors: whoever reads a tensor that a program may
// have written fetches it first, whoever has written one pushes it afterwards.
#pragma once

#include "runtime/core/tensor.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace nibble {

// Bytes of a device's memory.
struct ResidenceMemory {
  int64_t total = 0, free = 0;     // of the device, whoever takes the rest
  int64_t allocated = 0, peak = 0; // by us: now, and at most so far
};

class Residence {
public:
  virtual ~Residence() = default;

  // Gives the tensor a mirror and uploads it, the first time; nothing when it
  // has one. The tensor's memory is its name: it must stay where it is until
  // `forget`. Environment error naming `what` when the device has no memory for
  // it.
  virtual Status mirror(const TensorView &tensor, std::string_view what) = 0;
  virtual void forget(const TensorView &tensor) = 0;

  // From the mirror to the host, from the host to the mirror. Nothing for a
  // tensor without one.
  virtual Status fetch(const TensorView &tensor) = 0;
  virtual Status push(const TensorView &tensor) = 0;

  // Memory of the device alone, zeroed: TensorView::device is set, data null.
  virtual Result<TensorView> allocate(DType dtype, Shape shape,
                                      std::string_view what) = 0;
  virtual void release(const TensorView &tensor) = 0;
  // These take a tensor of `allocate` and byte offsets. The two ranges of
  // `copyWithin` do not overlap.
  virtual Status copyWithin(const TensorView &tensor, int64_t to, int64_t from,
                            int64_t bytes) = 0;
  virtual Status read(const TensorView &tensor, int64_t offset,
                      std::span<std::byte> to) = 0;
  virtual Status write(const TensorView &tensor, int64_t offset,
                       std::span<const std::byte> from) = 0;
  virtual Status zero(const TensorView &tensor) = 0;
  // Memory of the host for one piece of a tensor on its way, which copies are
  // fast with; the same at each call. Environment error when there is none.
  virtual Result<std::span<std::byte>> staging() = 0;

  // The device in words, and its memory.
  virtual std::string describe() const = 0;
  virtual ResidenceMemory memory() const = 0;
};

// A tensor of a program: in the memory of the device alone, or of the host
// where there is no residence. Move only.
class ResidentTensor {
public:
  // Zeroed. Environment error when there is no memory for it.
  static Result<ResidentTensor> create(std::shared_ptr<Residence> residence,
                                       DType dtype, Shape shape,
                                       std::string_view what);
  ResidentTensor(ResidentTensor &&) noexcept = default;
  ResidentTensor &operator=(ResidentTensor &&other) noexcept;
  ~ResidentTensor();

  const TensorView &view() const { return view_; }
  DType dtype() const { return view_.dtype; }
  const Shape &shape() const { return view_.shape; }
  int64_t elements() const { return view_.elements(); }
  int64_t bytes() const { return view_.bytes(); }
  // On the host; null on a device.
  std::byte *data() const { return view_.data; }
  template <typename T> T *as() const { return view_.as<T>(); }

  // See Residence::copyWithin.
  Status copyWithin(int64_t to, int64_t from, int64_t bytes);
  Status zero();

  // Its bytes in order, piece by piece: all in one on the host, else whatever
  // the staging memory holds. A piece begins at a multiple of 4096 bytes and is
  // good until `use` returns; what `make` is to fill comes with any content.
  Status readPieces(
      const std::function<Status(int64_t offset,
                                 std::span<const std::byte> piece)> &use) const;
  Status writePieces(
      const std::function<Status(int64_t offset, std::span<std::byte> piece)>
          &make);
  // All of it, in memory of the host of its own; and from there.
  Result<Tensor> read() const;
  Status write(std::span<const std::byte> bytes);

private:
  ResidentTensor() = default;
  std::shared_ptr<Residence> residence_; // null: host_ owns the memory
  Tensor host_;
  TensorView view_;
};

} // namespace nibble
