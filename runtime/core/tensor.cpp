// Allocates tensors, counts their bytes, and prints their shapes.
#include "runtime/core/tensor.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace nibble {

int64_t bitsOf(DType dtype) {
  switch (dtype) {
  case DType::kF4:
    return 4;
  case DType::kF6E2M3:
  case DType::kF6E3M2:
    return 6;
  case DType::kI8:
  case DType::kU8:
  case DType::kBool:
  case DType::kF8E4M3:
  case DType::kF8E5M2:
  case DType::kF8E8M0:
  case DType::kF8E4M3FNUZ:
  case DType::kF8E5M2FNUZ:
    return 8;
  case DType::kBF16:
  case DType::kF16:
  case DType::kI16:
  case DType::kU16:
    return 16;
  case DType::kF32:
  case DType::kI32:
  case DType::kU32:
    return 32;
  case DType::kF64:
  case DType::kI64:
  case DType::kU64:
  case DType::kC64:
    return 64;
  }
  return 0;
}

const char *nameOf(DType dtype) {
  switch (dtype) {
  case DType::kF32:
    return "F32";
  case DType::kBF16:
    return "BF16";
  case DType::kF64:
    return "F64";
  case DType::kI8:
    return "I8";
  case DType::kI32:
    return "I32";
  case DType::kI64:
    return "I64";
  case DType::kU8:
    return "U8";
  case DType::kBool:
    return "BOOL";
  case DType::kF16:
    return "F16";
  case DType::kI16:
    return "I16";
  case DType::kU16:
    return "U16";
  case DType::kU32:
    return "U32";
  case DType::kU64:
    return "U64";
  case DType::kF8E4M3:
    return "F8_E4M3";
  case DType::kF8E5M2:
    return "F8_E5M2";
  case DType::kF8E8M0:
    return "F8_E8M0";
  case DType::kF8E4M3FNUZ:
    return "F8_E4M3FNUZ";
  case DType::kF8E5M2FNUZ:
    return "F8_E5M2FNUZ";
  case DType::kF6E2M3:
    return "F6_E2M3";
  case DType::kF6E3M2:
    return "F6_E3M2";
  case DType::kF4:
    return "F4";
  case DType::kC64:
    return "C64";
  }
  return "?";
}

std::optional<int64_t> elementCount(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count))
      return std::nullopt;
  return count;
}

std::string toString(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

int64_t TensorView::elements() const { return elementCount(shape).value_or(0); }
int64_t TensorView::bytes() const {
  return (elements() * bitsOf(dtype) + 7) / 8;
}

namespace {

std::atomic<int64_t> tensorBytes{0}, tensorPeak{0};

void countTensor(int64_t bytes) {
  int64_t now = tensorBytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  for (int64_t peak = tensorPeak.load(std::memory_order_relaxed);
       now > peak &&
       !tensorPeak.compare_exchange_weak(peak, now, std::memory_order_relaxed);)
    continue;
}

} // namespace

HostTensorMemory hostTensorMemory() {
  return {tensorBytes.load(), tensorPeak.load()};
}
void resetHostTensorPeak() { tensorPeak.store(tensorBytes.load()); }

void Tensor::Free::operator()(std::byte *pointer) const {
  std::free(pointer);
  countTensor(-bytes);
}

Result<Tensor> Tensor::create(DType dtype, Shape shape) {
  auto elements = elementCount(shape);
  int64_t bits = 0;
  if (!elements || __builtin_mul_overflow(*elements, bitsOf(dtype), &bits) ||
      bits > INT64_MAX - 1024)
    return Status::badInput(
        "tensor of shape " + toString(shape) +
        ": its size does not fit in 64 bits; use a smaller shape");
  int64_t bytes = (bits + 7) / 8;
  size_t rounded = (static_cast<size_t>(bytes) + 63) / 64 * 64;
  auto *memory =
      static_cast<std::byte *>(std::aligned_alloc(64, rounded ? rounded : 64));
  if (!memory)
    return Status::environment("tensor of shape " + toString(shape) +
                               ": no memory for " + std::to_string(bytes) +
                               " bytes; use a smaller model or batch");
  std::memset(memory, 0, rounded ? rounded : 64);
  Tensor tensor;
  countTensor(bytes);
  tensor.memory_ = std::unique_ptr<std::byte, Free>(memory, Free{bytes});
  tensor.view_ = TensorView{dtype, std::move(shape), memory};
  return tensor;
}

} // namespace nibble
