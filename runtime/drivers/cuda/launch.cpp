// Launches kernels, and encodes the tensor maps among their arguments.
#include "runtime/drivers/cuda/cuda_device.h"

#include <fmt/format.h>

namespace nibble::cuda {

namespace {

constexpr size_t kMostMaps = 1 << 14;
// The device must be told to allow larger clusters.
constexpr uint32_t kPortableCluster = 8;

int typeOf(uint32_t elementBytes) {
  return elementBytes == 1 ? kUint8 : elementBytes == 2 ? kUint16 : kUint32;
}
int swizzleOf(uint32_t bytes) {
  return bytes == 32    ? kSwizzle32
         : bytes == 64  ? kSwizzle64
         : bytes == 128 ? kSwizzle128
                        : kSwizzleNone;
}

} // namespace

nibble::Result<const EncodedTensorMap *>
CudaDevice::encode(const TensorMap &map) {
  MapKey key = {map.address, map.elementBytes | uint64_t{map.rank} << 8 |
                                 uint64_t{map.swizzle} << 16};
  for (int i = 0; i < 5; ++i)
    key[2 + i] = map.extents[i];
  for (int i = 0; i < 4; ++i)
    key[7 + i] = map.strides[i];
  for (int i = 0; i < 5; ++i)
    key[11 + i] = map.box[i];
  if (auto found = maps_.find(key); found != maps_.end())
    return &found->second;
  EncodedTensorMap encoded;
  const uint32_t steps[5] = {1, 1, 1, 1, 1};
  Result result = (*driver_)->cuTensorMapEncodeTiled(
      &encoded, typeOf(map.elementBytes), map.rank,
      reinterpret_cast<void *>(map.address), map.extents, map.strides, map.box,
      steps, kInterleaveNone, swizzleOf(map.swizzle), kPromotion128,
      kFillZeros);
  NIBBLE_TRY(check(result, "cuTensorMapEncodeTiled",
                   fmt::format("at {:#x}, rank {}, {} x {} elements of {} "
                               "bytes, box {} x {}, swizzle {}",
                               map.address, map.rank, map.extents[0],
                               map.extents[1], map.elementBytes, map.box[0],
                               map.box[1], map.swizzle)));
  if (maps_.size() >= kMostMaps)
    maps_.clear();
  return &(maps_[key] = encoded);
}

// Raises the kernel's limits (dynamic shared memory, cluster size) before a
// launch that needs it.
Status CudaDevice::prepare(LoadedModule::Entry &entry, const Launch &launch) {
  if (launch.sharedBytes > entry.dynamicBytes) {
    NIBBLE_TRY(check(
        (*driver_)->cuFuncSetAttribute(entry.kernel, kMaxDynamicSharedBytes,
                                       static_cast<int>(launch.sharedBytes)),
        "cuFuncSetAttribute",
        fmt::format("{} with {} bytes of shared memory", entry.name,
                    launch.sharedBytes)));
    entry.dynamicBytes = launch.sharedBytes;
  }
  if (launch.cluster > kPortableCluster && !entry.wideClusters) {
    NIBBLE_TRY(check(
        (*driver_)->cuFuncSetAttribute(entry.kernel, kNonPortableClusters, 1),
        "cuFuncSetAttribute",
        fmt::format("{} with clusters of {}", entry.name, launch.cluster)));
    entry.wideClusters = true;
  }
  return Status::ok();
}

Status CudaDevice::launch(DeviceModule &module, int kernel,
                          const Launch &launch,
                          std::span<const KernelArgument> arguments) {
  auto &entries = static_cast<LoadedModule &>(module).entries;
  if (kernel < 0 || kernel >= static_cast<int>(entries.size()))
    return Status::failed(fmt::format(
        "cuda: there is no kernel {} in a module of {}; report this defect",
        kernel, entries.size()));
  LoadedModule::Entry &entry = entries[kernel];
  if (launch.grid[0] == 0 || launch.grid[1] == 0 || launch.grid[2] == 0)
    return Status::ok();
  NIBBLE_TRY(prepare(entry, launch));

  std::vector<uint64_t> integers(arguments.size());
  // The addresses from which the driver reads the arguments.
  std::vector<EncodedTensorMap> maps(arguments.size());
  std::vector<void *> parameters;
  if (launch.table > arguments.size())
    return Status::failed(fmt::format("cuda: {} has {} arguments, fewer than "
                                      "its table of {}; report this defect",
                                      entry.name, arguments.size(),
                                      launch.table));
  // The values of the table are contiguous, so its address is that of the first
  // one.
  size_t table = arguments.size() - launch.table;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (const auto *map = std::get_if<TensorMap>(&arguments[i])) {
      NIBBLE_ASSIGN(const EncodedTensorMap *encoded, encode(*map));
      maps[i] = *encoded;
      parameters.push_back(&maps[i]);
    } else {
      integers[i] = std::get<uint64_t>(arguments[i]);
      if (i <= table)
        parameters.push_back(&integers[i]);
    }
  }
  LaunchAttribute attributes[2];
  LaunchConfig config;
  for (int i = 0; i < 3; ++i)
    config.grid[i] = launch.grid[i];
  config.block[0] = launch.threads;
  config.sharedBytes = launch.sharedBytes;
  config.stream = stream_;
  config.attributes = attributes;
  if (launch.cluster > 1) {
    attributes[config.attributeCount].kind = kClusterDimension;
    attributes[config.attributeCount++].cluster = {launch.cluster, 1, 1};
  }
  if (launch.overlap) {
    attributes[config.attributeCount].kind = kProgrammaticSerialization;
    attributes[config.attributeCount++].allowed = 1;
  }
  remember(entry.name);
  std::string what =
      fmt::format("{} ({} x {} x {} blocks of {} threads, {} bytes)",
                  entry.name, launch.grid[0], launch.grid[1], launch.grid[2],
                  launch.threads, launch.sharedBytes);
  if (options_.trace)
    fmt::print(stderr, "cuda: {}\n", what);
  NIBBLE_TRY(check((*driver_)->cuLaunchKernelEx(&config, entry.kernel,
                                                parameters.data(), nullptr),
                   "cuLaunchKernelEx", what));
  return options_.synchronous ? synchronize() : Status::ok();
}

} // namespace nibble::cuda
