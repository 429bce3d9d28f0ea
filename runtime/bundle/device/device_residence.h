// The residence on a device. It also owns the arena that the calls of all
// programs on that device share.
#pragma once

#include "runtime/core/program/residence.h"
#include "runtime/drivers/device.h"

#include <map>
#include <memory>
#include <string>

namespace nibble {

class DeviceResidence final : public Residence {
public:
  // `stagingBytes` is the size of one piece in transit, a multiple of 4096. The
  // default is large enough that the start of a copy costs nothing in
  // comparison, yet is little memory to keep.
  explicit DeviceResidence(std::shared_ptr<Device> device,
                           int64_t stagingBytes = int64_t{16} << 20)
      : device_(std::move(device)), stagingBytes_(stagingBytes) {}
  ~DeviceResidence() override;

  Device &device() { return *device_; }

  Status mirror(const TensorView &tensor, std::string_view what) override;
  void forget(const TensorView &tensor) override;
  Status fetch(const TensorView &tensor) override;
  Status push(const TensorView &tensor) override;
  Result<TensorView> allocate(DType dtype, Shape shape,
                              std::string_view what) override;
  void release(const TensorView &tensor) override;
  Status copyWithin(const TensorView &tensor, int64_t to, int64_t from,
                    int64_t bytes) override;
  Status read(const TensorView &tensor, int64_t offset,
              std::span<std::byte> to) override;
  Status write(const TensorView &tensor, int64_t offset,
               std::span<const std::byte> from) override;
  Status zero(const TensorView &tensor) override;
  Result<std::span<std::byte>> staging() override;
  std::string describe() const override { return device_->describe(); }
  ResidenceMemory memory() const override;

  // The device address of a bound tensor. Failed when the tensor has no place
  // on the device.
  Result<DeviceAddress> addressOf(const TensorView &tensor) const;
  // This number changes whenever a tensor's address changes.
  uint64_t version() const { return version_; }
  // Bytes of mirrors and of tensors that live on the device alone.
  int64_t bytes() const { return bytes_; }

  // Returns at least `bytes` bytes for one call with undefined content. The
  // arena moves when it grows. Environment error with the planned and the free
  // bytes.
  Result<DeviceAddress> arena(int64_t bytes);
  int64_t arenaBytes() const { return arenaBytes_; }

private:
  struct Mirror {
    DeviceAddress address = 0;
    int64_t bytes = 0;
    bool adopted = false; // the address is that of the host's memory itself
  };

  using Mirrors = std::map<std::byte *, Mirror>; // keyed by host address
  void drop(Mirrors::iterator mirror);
  bool holds(const TensorView &tensor, int64_t offset, int64_t bytes) const;

  std::shared_ptr<Device> device_;
  int64_t stagingBytes_;
  // The staging memory when the device can allocate pinned memory.
  std::byte *pinned_ = nullptr;
  std::unique_ptr<std::byte[]> unpinned_; // the staging memory otherwise
  Mirrors mirrors_;
  // Bytes of each tensor that lives on the device alone.
  std::map<DeviceAddress, int64_t> alone_;
  int64_t bytes_ = 0;
  uint64_t version_ = 0;
  DeviceAddress arena_ = 0;
  int64_t arenaBytes_ = 0;
};

} // namespace nibble
