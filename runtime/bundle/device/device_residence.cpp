// Keeps tensors on a device with their mirrors on the host, and the arena that
// calls share.
#include "runtime/bundle/device/device_residence.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

namespace nibble {

DeviceResidence::~DeviceResidence() {
  while (!mirrors_.empty())
    drop(mirrors_.begin());
  for (const auto &[address, bytes] : alone_)
    device_->release(address);
  if (arena_)
    device_->release(arena_);
  if (pinned_)
    device_->releasePinned(pinned_);
}

Status DeviceResidence::mirror(const TensorView &tensor,
                               std::string_view what) {
  if (tensor.device || tensor.bytes() == 0)
    return Status::ok();
  if (auto found = mirrors_.find(tensor.data); found != mirrors_.end()) {
    if (found->second.bytes == tensor.bytes())
      return Status::ok();
    return Status::failed(
        fmt::format("device: '{}' has {} bytes where a tensor of {} has its "
                    "place; report this defect",
                    what, tensor.bytes(), found->second.bytes));
  }
  Mirror mirror;
  mirror.bytes = tensor.bytes();
  if (device_->sharesHostMemory()) {
    NIBBLE_TRY(device_->adopt(tensor.data, mirror.bytes, what));
    mirror.address = reinterpret_cast<DeviceAddress>(tensor.data);
    mirror.adopted = true;
  } else {
    NIBBLE_ASSIGN(mirror.address, device_->allocate(mirror.bytes, what));
    if (Status uploaded =
            device_->upload(mirror.address, tensor.data, mirror.bytes);
        !uploaded.isOk()) {
      device_->release(mirror.address);
      return uploaded;
    }
    bytes_ += mirror.bytes;
  }
  mirrors_.emplace(tensor.data, mirror);
  ++version_;
  return Status::ok();
}

void DeviceResidence::forget(const TensorView &tensor) {
  auto found = mirrors_.find(tensor.data);
  if (found == mirrors_.end())
    return;
  drop(found);
}

void DeviceResidence::drop(Mirrors::iterator mirror) {
  if (mirror->second.adopted) {
    device_->disown(mirror->first);
  } else {
    device_->release(mirror->second.address);
    bytes_ -= mirror->second.bytes;
  }
  mirrors_.erase(mirror);
  ++version_;
}

Status DeviceResidence::fetch(const TensorView &tensor) {
  auto found = mirrors_.find(tensor.data);
  if (found == mirrors_.end())
    return Status::ok();
  if (found->second.adopted)
    return device_->synchronize();
  return device_->download(tensor.data, found->second.address,
                           found->second.bytes);
}

Status DeviceResidence::push(const TensorView &tensor) {
  auto found = mirrors_.find(tensor.data);
  if (found == mirrors_.end() || found->second.adopted)
    return Status::ok();
  return device_->upload(found->second.address, tensor.data,
                         found->second.bytes);
}

Result<TensorView> DeviceResidence::allocate(DType dtype, Shape shape,
                                             std::string_view what) {
  TensorView view{dtype, std::move(shape), nullptr};
  auto elements = elementCount(view.shape);
  int64_t bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements, bitsOf(dtype) / 8, &bytes))
    return Status::badInput(fmt::format(
        "device: {} of shape {} does not fit in 64 bits; use a smaller shape",
        what, toString(view.shape)));
  NIBBLE_ASSIGN(view.device,
                device_->allocate(std::max<int64_t>(bytes, 1), what));
  alone_[view.device] = bytes;
  bytes_ += bytes;
  if (Status zeroed = device_->fill(view.device, 0, bytes); !zeroed.isOk()) {
    release(view);
    return zeroed;
  }
  return view;
}

void DeviceResidence::release(const TensorView &tensor) {
  auto found = alone_.find(tensor.device);
  if (found == alone_.end())
    return;
  device_->release(found->first);
  bytes_ -= found->second;
  alone_.erase(found);
}

bool DeviceResidence::holds(const TensorView &tensor, int64_t offset,
                            int64_t bytes) const {
  auto found = alone_.find(tensor.device);
  return found != alone_.end() && bytes >= 0 && offset >= 0 &&
         offset <= found->second - bytes;
}

Status DeviceResidence::read(const TensorView &tensor, int64_t offset,
                             std::span<std::byte> to) {
  if (!holds(tensor, offset, std::ssize(to)))
    return Status::failed(fmt::format("device: a read of {} bytes from {} "
                                      "leaves its tensor; report this defect",
                                      to.size(), offset));
  return device_->download(
      to.data(), tensor.device + static_cast<uint64_t>(offset), std::ssize(to));
}

Status DeviceResidence::write(const TensorView &tensor, int64_t offset,
                              std::span<const std::byte> from) {
  if (!holds(tensor, offset, std::ssize(from)))
    return Status::failed(fmt::format("device: a write of {} bytes to {} "
                                      "leaves its tensor; report this defect",
                                      from.size(), offset));
  return device_->upload(tensor.device + static_cast<uint64_t>(offset),
                         from.data(), std::ssize(from));
}

Status DeviceResidence::zero(const TensorView &tensor) {
  return device_->fill(tensor.device, 0, tensor.bytes());
}

Result<std::span<std::byte>> DeviceResidence::staging() {
  if (!pinned_ && !unpinned_)
    pinned_ = device_->allocatePinned(stagingBytes_);
  if (!pinned_ && !unpinned_)
    unpinned_.reset(new (std::nothrow)
                        std::byte[static_cast<size_t>(stagingBytes_)]);
  std::byte *memory = pinned_ ? pinned_ : unpinned_.get();
  if (!memory)
    return Status::environment(
        fmt::format("device: no memory on the host for {} bytes that copies to "
                    "and from the "
                    "device go through; use a machine with more",
                    stagingBytes_));
  return std::span(memory, static_cast<size_t>(stagingBytes_));
}

ResidenceMemory DeviceResidence::memory() const {
  DeviceMemory memory = device_->memory();
  return {memory.total, memory.free, memory.allocated, memory.peak};
}

Status DeviceResidence::copyWithin(const TensorView &tensor, int64_t to,
                                   int64_t from, int64_t bytes) {
  if (!holds(tensor, to, bytes) || !holds(tensor, from, bytes))
    return Status::failed(
        fmt::format("device: a copy of {} bytes from {} to {} leaves its "
                    "tensor; report this defect",
                    bytes, from, to));
  return device_->copy(tensor.device + static_cast<uint64_t>(to),
                       tensor.device + static_cast<uint64_t>(from), bytes);
}

Result<DeviceAddress>
DeviceResidence::addressOf(const TensorView &tensor) const {
  if (tensor.device)
    return tensor.device;
  if (tensor.bytes() == 0)
    return DeviceAddress{0};
  if (auto found = mirrors_.find(tensor.data);
      found != mirrors_.end() && found->second.bytes == tensor.bytes())
    return found->second.address;
  return Status::failed(
      "device: a tensor is gone that was bound; bind it again");
}

Result<DeviceAddress> DeviceResidence::arena(int64_t bytes) {
  if (bytes <= arenaBytes_)
    return arena_;
  NIBBLE_TRY(device_->synchronize()); // running work still uses the old arena
  if (arena_)
    device_->release(arena_);
  arena_ = 0;
  arenaBytes_ = 0;
  // Leave room to grow, so that batches of slightly different sizes do not
  // reallocate the arena each time.
  constexpr int64_t kPage = int64_t{2} << 20;
  int64_t roomy = bytes > (int64_t{1} << 60)
                      ? bytes
                      : (bytes + bytes / 8 + kPage - 1) / kPage * kPage;
  int64_t taken = device_->memory().free > roomy ? roomy : bytes;
  auto address = device_->allocate(taken, "temporaries of a call");
  if (!address.isOk()) {
    DeviceMemory memory = device_->memory();
    return std::move(address).takeStatus().within(
        fmt::format("device: a call is planned with {} bytes beside {} of "
                    "parameters and state, {} of {} are free",
                    bytes, bytes_, memory.free, memory.total));
  }
  arenaBytes_ = taken;
  arena_ = *address;
  return arena_;
}

} // namespace nibble
