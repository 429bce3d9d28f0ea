// A dense row-major tensor in host memory: dtype, shape and bytes. Tensor owns
// its memory, TensorView does not.
#pragma once

#include "include/nibble/ABI.h"
#include "runtime/core/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nibble {

// The element types that a file or a program can hold. The first nine are the
// types of the program interface (nibble_dtype), with the same values. The
// others occur in files only.
enum class DType : int32_t {
  kF32 = NIBBLE_DTYPE_F32,
  kBF16 = NIBBLE_DTYPE_BF16,
  kF64 = NIBBLE_DTYPE_F64,
  kI8 = NIBBLE_DTYPE_I8,
  kI32 = NIBBLE_DTYPE_I32,
  kI64 = NIBBLE_DTYPE_I64,
  kU8 = NIBBLE_DTYPE_U8,
  kBool = NIBBLE_DTYPE_I1,
  kF16 = NIBBLE_DTYPE_F16,
  kI16 = 16,
  kU16,
  kU32,
  kU64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kF8E4M3FNUZ,
  kF8E5M2FNUZ,
  kF6E2M3,
  kF6E3M2,
  kF4,
  kC64,
};

// Bits of one element.
int64_t bitsOf(DType dtype);
// The safetensors spelling, for example "F32" or "BF16".
const char *nameOf(DType dtype);

using Shape = std::vector<int64_t>;

// Product of the dimensions. nullopt when it overflows int64 or a dimension is
// negative.
std::optional<int64_t> elementCount(std::span<const int64_t> shape);
// Prints a shape in the form "[2, 3]".
std::string toString(std::span<const int64_t> shape);

// Memory that somebody else owns, seen as a tensor. Row-major and densely
// packed.
struct TensorView {
  DType dtype = DType::kF32;
  Shape shape;
  std::byte *data = nullptr;
  // Address in device memory when the host has no copy (data is null), else 0.
  uint64_t device = 0;

  int64_t elements() const;
  int64_t bytes() const;
  template <typename T> T *as() const { return reinterpret_cast<T *>(data); }
};

// Bytes of all tensors that own host memory.
struct HostTensorMemory {
  int64_t now = 0, peak = 0; // peak: the maximum so far
};
// Thread-safe.
HostTensorMemory hostTensorMemory();
// Sets the peak to the present value, to measure what one piece of work takes.
void resetHostTensorPeak();

// Owns its memory, which is 64-byte aligned and zeroed at creation. Move only.
class Tensor {
public:
  Tensor() = default;
  // Allocates a tensor. Environment error with the number of bytes when there
  // is no memory for it.
  static Result<Tensor> create(DType dtype, Shape shape);

  DType dtype() const { return view_.dtype; }
  const Shape &shape() const { return view_.shape; }
  int64_t elements() const { return view_.elements(); }
  int64_t bytes() const { return view_.bytes(); }
  const TensorView &view() const { return view_; }
  std::byte *data() const { return view_.data; }
  template <typename T> T *as() const { return view_.as<T>(); }

private:
  struct Free {
    int64_t bytes;
    void operator()(std::byte *pointer) const;
  };
  TensorView view_;
  std::unique_ptr<std::byte, Free> memory_{nullptr, Free{0}};
};

} // namespace nibble
