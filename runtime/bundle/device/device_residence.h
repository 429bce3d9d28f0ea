// Residence on a device, and the arena that the calls of all programs on it
// share.
#pragma once

#include "runtime/core/program/residence.h"
#include "runtime/drivers/device.h"

#include <map>
#include <memory>
#include <string>

namespace nibble {

class DeviceResidence final : public Residence {
public:
  // `stagingBytes`: of a piece on its way, a multiple of 4096. Large enough
  // that starting a copy costs nothing beside it, and little to keep.
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

  // Where programs find a bound tensor. Failed when it has no place on the
  // device.
  Result<DeviceAddress> addressOf(const TensorView &tensor) const;
  // Another number after each change of where tensors are.
  uint64_t version() const { return version_; }
  // Bytes of mirrors and of memory of the device alone.
  int64_t bytes() const { return bytes_; }

  // At least `bytes` bytes for one call; the content is undefined. Environment
  // error naming what is planned and what is free. It moves when it grows.
  Result<DeviceAddress> arena(int64_t bytes);
  int64_t arenaBytes() const { return arenaBytes_; }

private:
  struct Mirror {
    DeviceAddress address = 0;
    int64_t bytes = 0;
    bool adopted = false; // the host's memory itself
  };

  using Mirrors = std::map<std::byte *, Mirror>; // by the host's memory
  void drop(Mirrors::iterator mirror);
  bool holds(const TensorView &tensor, int64_t offset, int64_t bytes) const;

  std::shared_ptr<Device> device_;
  int64_t stagingBytes_;
  std::byte *pinned_ = nullptr; // the staging memory, where the device has some
  std::unique_ptr<std::byte[]> unpinned_; // or else
  Mirrors mirrors_;
  std::map<DeviceAddress, int64_t> alone_; // bytes of each
  int64_t bytes_ = 0;
  uint64_t version_ = 0;
  DeviceAddress arena_ = 0;
  int64_t arenaBytes_ = 0;
};

} // namespace nibble
