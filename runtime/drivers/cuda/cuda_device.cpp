// A GPU as a device: memory, copies, streams, graphs and the driver's errors.
#include "runtime/drivers/cuda/cuda_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

namespace nibble::cuda {

namespace {

constexpr size_t kPinnedBytes = 8 << 20;
constexpr size_t kPinnedPiece = 1 << 20;
constexpr size_t kRemembered = 4; // number of kernels in a message
constexpr const char *kSmaller =
    "use a smaller batch, cache or model, or a device with more";

class CudaGraph final : public DeviceGraph {
public:
  CudaGraph(std::shared_ptr<Driver> driver, GraphExec exec)
      : driver_(std::move(driver)), exec(exec) {}
  ~CudaGraph() override {
    (void)(*driver_)->cuGraphExecDestroy(exec);
  } // a failure here has no remedy

private:
  std::shared_ptr<Driver> driver_;

public:
  GraphExec exec;
  std::deque<std::string> kernels; // the last kernels
};

class CudaMark final : public DeviceMark {
public:
  CudaMark(std::shared_ptr<Driver> driver, Event event)
      : driver_(std::move(driver)), event(event) {}
  ~CudaMark() override {
    (void)(*driver_)->cuEventDestroy(event);
  } // a failure here has no remedy

private:
  std::shared_ptr<Driver> driver_;

public:
  Event event;
};

std::string gibibytes(size_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

} // namespace

nibble::Result<std::shared_ptr<Device>>
CudaDevice::open(const CudaOptions &options) {
  auto warn = options.warn ? options.warn : [](const std::string &line) {
    fmt::print(stderr, "cuda: {}\n", line);
  };
  std::shared_ptr<CudaDevice> device(
      new CudaDevice(options, KernelCache(options.cacheFolder, warn)));
  NIBBLE_ASSIGN(device->driver_, Driver::open(options.library));
  NIBBLE_TRY(device->begin(options.device));
  return std::shared_ptr<Device>(std::move(device));
}

Status CudaDevice::begin(int ordinal) {
  const Driver &driver = *driver_;
  Result started = driver->cuInit(0);
  int count = 0;
  if (started == kSuccess)
    NIBBLE_TRY(
        driver.check(driver->cuDeviceGetCount(&count), "cuDeviceGetCount"));
  else if (started != kNoDevice)
    return driver.check(started, "cuInit");
  if (count == 0)
    return Status::environment("cuda: the driver sees no device; check "
                               "nvidia-smi and CUDA_VISIBLE_DEVICES");
  if (ordinal < 0 || ordinal >= count)
    return Status::environment(
        fmt::format("cuda: there is no device {}, the driver sees {}; set "
                    "NIBBLE_CUDA_DEVICE",
                    ordinal, count));
  NIBBLE_TRY(
      driver.check(driver->cuDeviceGet(&device_, ordinal), "cuDeviceGet"));
  char name[256] = {};
  int major = 0, minor = 0, processors = 0;
  size_t bytes = 0;
  NIBBLE_TRY(
      driver.check(driver->cuDeviceGetName(name, sizeof(name) - 1, device_),
                   "cuDeviceGetName"));
  NIBBLE_TRY(driver.check(driver->cuDeviceTotalMem(&bytes, device_),
                          "cuDeviceTotalMem"));
  auto attribute = [&](int &value, int which) {
    return driver.check(driver->cuDeviceGetAttribute(&value, which, device_),
                        "cuDeviceGetAttribute");
  };
  NIBBLE_TRY(attribute(major, kComputeCapabilityMajor));
  NIBBLE_TRY(attribute(minor, kComputeCapabilityMinor));
  NIBBLE_TRY(attribute(processors, kMultiprocessors));
  architecture_ = findGpuArchitecture(major, minor);
  if (!architecture_)
    return Status::environment(
        fmt::format("cuda: {} has compute capability {}.{}, the kernels are "
                    "for 9.0 (H100, H200); "
                    "use another device, or --target=simt or host",
                    name, major, minor));
  description_ = fmt::format(
      "{}, {} multiprocessors, {}, driver {}.{}", name, processors,
      gibibytes(bytes), driver.version() / 1000, driver.version() % 1000 / 10);
  NIBBLE_TRY(driver.check(driver->cuDevicePrimaryCtxRetain(&context_, device_),
                          "cuDevicePrimaryCtxRetain"));
  NIBBLE_TRY(
      driver.check(driver->cuCtxSetCurrent(context_), "cuCtxSetCurrent"));
  NIBBLE_TRY(driver.check(driver->cuStreamCreate(&stream_, kStreamNonBlocking),
                          "cuStreamCreate"));
  void *pinned = nullptr;
  NIBBLE_TRY(driver.check(driver->cuMemHostAlloc(&pinned, kPinnedBytes, 0),
                          "cuMemHostAlloc"));
  pinned_ = static_cast<std::byte *>(pinned);
  return Status::ok();
}

CudaDevice::~CudaDevice() {
  if (!driver_ || !context_)
    return;
  // These calls fail after a fault of a kernel, and then there is no remedy.
  const Driver &driver = *driver_;
  if (stream_)
    (void)driver->cuStreamSynchronize(stream_);
  if (pinned_)
    (void)driver->cuMemFreeHost(pinned_);
  if (stream_)
    (void)driver->cuStreamDestroy(stream_);
  (void)driver->cuDevicePrimaryCtxRelease(device_);
}

void CudaDevice::remember(const std::string &kernel) {
  last_.push_back(kernel);
  if (last_.size() > kRemembered)
    last_.pop_front();
}

Status CudaDevice::check(Result result, std::string_view call,
                         std::string_view what) const {
  // Memory ran out for a graph, a kernel's stack or the driver itself; no
  // kernel is at fault.
  if (result == kOutOfMemory)
    return driver_->check(result, call, what, kSmaller);
  if (result == kSuccess || last_.empty())
    return driver_->check(result, call, what);
  std::string advice =
      options_.synchronous
          ? "check nvidia-smi and the kernel log; the last kernel was " +
                last_.back()
          : fmt::format("the last kernels were {}; NIBBLE_CUDA_SYNC=1 tells "
                        "which one it was",
                        fmt::join(last_, ", "));
  return Status(Code::kFailed,
                driver_->check(result, call, what, advice).message());
}

DeviceMemory CudaDevice::memory() const {
  size_t free = 0, total = 0;
  if ((*driver_)->cuMemGetInfo(&free, &total) != kSuccess)
    total = free = 0;
  return {static_cast<int64_t>(total), static_cast<int64_t>(free), allocated_,
          peak_};
}

DeviceLimits CudaDevice::limits() const {
  auto attribute = [&](int which) -> double {
    int value = 0;
    return (*driver_)->cuDeviceGetAttribute(&value, which, device_) == kSuccess
               ? value
               : 0;
  };
  DeviceLimits limits;
  limits.bytesPerSecond = attribute(kMemoryClockKilohertz) * 1e3 *
                          architecture_->transfersPerMemoryClock *
                          attribute(kMemoryBusBits) / 8;
  limits.operationsPerSecond = attribute(kClockKilohertz) * 1e3 *
                               architecture_->matrixOperationsPerClock *
                               attribute(kMultiprocessors);
  limits.cacheBytes = static_cast<int64_t>(attribute(kCacheBytes));
  return limits;
}

nibble::Result<DeviceAddress> CudaDevice::allocate(int64_t bytes,
                                                   std::string_view what) {
  Pointer address = 0;
  Result result = (*driver_)->cuMemAlloc(
      &address, static_cast<size_t>(std::max<int64_t>(bytes, 1)));
  // The driver returns kInvalidValue when the size exceeds the address space.
  if (result == kOutOfMemory || result == kInvalidValue) {
    DeviceMemory memory = this->memory();
    return Status::environment(fmt::format(
        "cuda: no memory for {} bytes of {}; {} of {} bytes are free; {}",
        bytes, what, memory.free, memory.total, kSmaller));
  }
  NIBBLE_TRY(check(result, "cuMemAlloc", what));
  allocations_[address] = bytes;
  allocated_ += bytes;
  peak_ = std::max(peak_, allocated_);
  return DeviceAddress{address};
}

void CudaDevice::release(DeviceAddress address) {
  auto found = allocations_.find(address);
  if (found == allocations_.end())
    return;
  // Fails only after a fault, which was reported.
  (void)(*driver_)->cuMemFree(address);
  allocated_ -= found->second;
  allocations_.erase(found);
}

std::byte *CudaDevice::allocatePinned(int64_t bytes) {
  void *memory = nullptr;
  return (*driver_)->cuMemHostAlloc(&memory, static_cast<size_t>(bytes), 0) ==
                 kSuccess
             ? static_cast<std::byte *>(memory)
             : nullptr;
}

void CudaDevice::releasePinned(std::byte *memory) {
  // Fails only after a fault, which was reported.
  (void)(*driver_)->cuMemFreeHost(memory);
}

Status CudaDevice::upload(DeviceAddress to, const void *from, int64_t bytes) {
  auto size = static_cast<size_t>(bytes);
  if (size == 0)
    return Status::ok();
  if (size > kPinnedPiece) {
    NIBBLE_TRY(check((*driver_)->cuMemcpyHtoDAsync(to, from, size, stream_),
                     "cuMemcpyHtoDAsync"));
    return synchronize();
  }
  // The last piece is reserved for downloads.
  if (pinnedUsed_ + size > kPinnedBytes - kPinnedPiece) {
    NIBBLE_TRY(synchronize());
    pinnedUsed_ = 0;
  }
  std::memcpy(pinned_ + pinnedUsed_, from, size);
  Result result =
      (*driver_)->cuMemcpyHtoDAsync(to, pinned_ + pinnedUsed_, size, stream_);
  pinnedUsed_ += (size + 63) / 64 * 64;
  return check(result, "cuMemcpyHtoDAsync");
}

Status CudaDevice::download(void *to, DeviceAddress from, int64_t bytes) {
  auto size = static_cast<size_t>(bytes);
  if (size == 0)
    return Status::ok();
  bool small = size <= kPinnedPiece;
  std::byte *through = pinned_ + kPinnedBytes - kPinnedPiece;
  NIBBLE_TRY(check(
      (*driver_)->cuMemcpyDtoHAsync(small ? through : to, from, size, stream_),
      "cuMemcpyDtoHAsync"));
  NIBBLE_TRY(synchronize());
  if (small)
    std::memcpy(to, through, size);
  return Status::ok();
}

Status CudaDevice::copy(DeviceAddress to, DeviceAddress from, int64_t bytes) {
  if (bytes == 0)
    return Status::ok();
  return check((*driver_)->cuMemcpyDtoDAsync(
                   to, from, static_cast<size_t>(bytes), stream_),
               "cuMemcpyDtoDAsync");
}

Status CudaDevice::fill(DeviceAddress to, uint8_t value, int64_t bytes) {
  if (bytes == 0)
    return Status::ok();
  return check((*driver_)->cuMemsetD8Async(to, value,
                                           static_cast<size_t>(bytes), stream_),
               "cuMemsetD8Async");
}

nibble::Result<std::unique_ptr<DeviceModule>>
CudaDevice::load(const KernelImage &image,
                 std::span<const std::string> kernels) {
  NIBBLE_ASSIGN(auto module,
                LoadedModule::load(driver_, image, kernels,
                                   std::string(architecture_->chip), cache_));
  return std::unique_ptr<DeviceModule>(std::move(module));
}

Status CudaDevice::synchronize() {
  return check((*driver_)->cuStreamSynchronize(stream_), "cuStreamSynchronize");
}

Status CudaDevice::beginGraph() {
  if (options_.synchronous)
    return Status::ok();
  return check((*driver_)->cuStreamBeginCapture(stream_, kCaptureThreadLocal),
               "cuStreamBeginCapture");
}

nibble::Result<std::unique_ptr<DeviceGraph>> CudaDevice::endGraph() {
  if (options_.synchronous)
    return std::unique_ptr<DeviceGraph>();
  Graph graph = nullptr;
  NIBBLE_TRY(check((*driver_)->cuStreamEndCapture(stream_, &graph),
                   "cuStreamEndCapture"));
  GraphExec exec = nullptr;
  Result result = (*driver_)->cuGraphInstantiateWithFlags(&exec, graph, 0);
  (void)(*driver_)->cuGraphDestroy(graph); // the instance does not need it
  NIBBLE_TRY(check(result, "cuGraphInstantiateWithFlags"));
  auto made = std::make_unique<CudaGraph>(driver_, exec);
  made->kernels = last_;
  return std::unique_ptr<DeviceGraph>(std::move(made));
}

Status CudaDevice::run(DeviceGraph &graph) {
  auto &recorded = static_cast<CudaGraph &>(graph);
  last_ = recorded.kernels;
  return check((*driver_)->cuGraphLaunch(recorded.exec, stream_),
               "cuGraphLaunch");
}

nibble::Result<std::unique_ptr<DeviceMark>> CudaDevice::mark() {
  Event event = nullptr;
  NIBBLE_TRY(check((*driver_)->cuEventCreate(&event, 0), "cuEventCreate"));
  auto made = std::make_unique<CudaMark>(driver_, event);
  NIBBLE_TRY(check((*driver_)->cuEventRecord(event, stream_), "cuEventRecord"));
  return std::unique_ptr<DeviceMark>(std::move(made));
}

nibble::Result<double> CudaDevice::secondsBetween(DeviceMark &begin,
                                                  DeviceMark &end) {
  float milliseconds = 0;
  Event from = static_cast<CudaMark &>(begin).event;
  Event to = static_cast<CudaMark &>(end).event;
  NIBBLE_TRY(check((*driver_)->cuEventSynchronize(to), "cuEventSynchronize"));
  NIBBLE_TRY(check((*driver_)->cuEventElapsedTime(&milliseconds, from, to),
                   "cuEventElapsedTime"));
  return milliseconds * 1e-3;
}

} // namespace nibble::cuda
