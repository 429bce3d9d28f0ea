// Where the tensors of a device program live. Some live in the device's memory
// alone. Tensors that somebody keeps on the host have a mirror there, and
// programs read and write the mirror.
//
// A null residence stands for a host program, which works on the host's tensors
// themselves. Mirrors follow one rule: fetch a tensor before you read what a
// program may have written, and push it after you have written it.
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
  int64_t total = 0, free = 0; // of the whole device, for all processes
  // By this process: now, and the maximum so far.
  int64_t allocated = 0, peak = 0;
};

class Residence {
public:
  virtual ~Residence() = default;

  // Gives the tensor a mirror and uploads it; does nothing when it already has
  // one. The tensor's address identifies it, so it must not move until
  // `forget`. Environment error naming `what` when the device has no memory for
  // it.
  virtual Status mirror(const TensorView &tensor, std::string_view what) = 0;
  virtual void forget(const TensorView &tensor) = 0;

  // `fetch` copies from the mirror to the host, `push` from the host to the
  // mirror. Both do nothing for a tensor without a mirror.
  virtual Status fetch(const TensorView &tensor) = 0;
  virtual Status push(const TensorView &tensor) = 0;

  // Allocates zeroed memory on the device alone: TensorView::device is set and
  // data is null.
  virtual Result<TensorView> allocate(DType dtype, Shape shape,
                                      std::string_view what) = 0;
  virtual void release(const TensorView &tensor) = 0;
  // These take a tensor from `allocate` and byte offsets. The two ranges of
  // `copyWithin` must not overlap.
  virtual Status copyWithin(const TensorView &tensor, int64_t to, int64_t from,
                            int64_t bytes) = 0;
  virtual Status read(const TensorView &tensor, int64_t offset,
                      std::span<std::byte> to) = 0;
  virtual Status write(const TensorView &tensor, int64_t offset,
                       std::span<const std::byte> from) = 0;
  virtual Status zero(const TensorView &tensor) = 0;
  // Host memory for one piece of a tensor in transit, pinned where that makes
  // copies fast. Every call returns the same memory. Environment error when
  // there is none.
  virtual Result<std::span<std::byte>> staging() = 0;

  // Describes the device and its memory.
  virtual std::string describe() const = 0;
  virtual ResidenceMemory memory() const = 0;
};

// A tensor of a program. It lives in device memory alone, or in host memory
// where there is no residence. Move only.
class ResidentTensor {
public:
  // Creates a zeroed tensor. Environment error when there is no memory for it.
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
  // Its bytes on the host; null on a device.
  std::byte *data() const { return view_.data; }
  template <typename T> T *as() const { return view_.as<T>(); }

  // See Residence::copyWithin.
  Status copyWithin(int64_t to, int64_t from, int64_t bytes);
  Status zero();

  // Visits its bytes in order, piece by piece: one piece on the host, else
  // pieces of the size of the staging memory. A piece begins at a multiple of
  // 4096 bytes and is valid until `use` returns. The memory that `make` fills
  // has arbitrary content.
  Status readPieces(
      const std::function<Status(int64_t offset,
                                 std::span<const std::byte> piece)> &use) const;
  Status writePieces(
      const std::function<Status(int64_t offset, std::span<std::byte> piece)>
          &make);
  // `read` copies all of it into a host tensor, and `write` copies it back.
  Result<Tensor> read() const;
  Status write(std::span<const std::byte> bytes);

private:
  ResidentTensor() = default;
  std::shared_ptr<Residence> residence_; // null when host_ owns the memory
  Tensor host_;
  TensorView view_;
};

} // namespace nibble
