// The interface between a program for an accelerator and the device that runs
// it. It has two implementations: cuda (libcuda, found at run time) and simt
// (PTX executed on the CPU, with every access checked).
//
// A device has one queue, and commands run in the order of their calls. All
// calls come from one thread.
#pragma once

#include "runtime/core/status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nibble {

// An address in the device's memory; 0 is null.
using DeviceAddress = uint64_t;

// The code of one module: PTX text, and machine code when it was assembled
// ahead of time for one architecture.
struct KernelImage {
  std::string name;   // used in messages
  std::string ptx;    // text with version and target
  std::string cubin;  // machine code; when empty, the driver assembles the PTX
  std::string target; // for example "sm_90a"
};

// How the copy engine cuts a tile out of a row-major tensor (PTX ISA,
// "Tensors"). Extents and box are innermost first. Elements of a box beyond the
// extents read as zero.
struct TensorMap {
  DeviceAddress address = 0; // aligned to 16 bytes
  uint32_t elementBytes = 2; // 1, 2 or 4
  uint32_t rank = 2;         // 1..5
  uint64_t extents[5] = {};  // elements
  // Bytes between elements of dimension i + 1; multiples of 16.
  uint64_t strides[4] = {};
  uint32_t box[5] = {}; // elements, at most 256 each
  // bytes: 0, 32, 64 or 128; when not 0, box[0] * elementBytes must not exceed
  // it.
  uint32_t swizzle = 0;
};

// A kernel's argument: a pointer or integer of 64 bits, or a tensor map of 128
// bytes by value.
using KernelArgument = std::variant<uint64_t, TensorMap>;

struct Launch {
  // Blocks; a grid with an extent of 0 launches nothing.
  uint32_t grid[3] = {1, 1, 1};
  uint32_t threads = 0;     // threads of a block, along x
  uint32_t sharedBytes = 0; // dynamic shared memory
  uint32_t cluster = 1;     // blocks of a cluster, along x
  // Whether it may begin before the previous kernel has ended; griddepcontrol
  // in the kernel waits for that end.
  bool overlap = false;
  // Number of trailing arguments (64 bits each) that form one parameter: a
  // table by value.
  uint32_t table = 0;
};

// A recorded list of commands that can run again at little cost.
class DeviceGraph {
public:
  virtual ~DeviceGraph() = default;
};

// A point in the queue, used to measure time.
class DeviceMark {
public:
  virtual ~DeviceMark() = default;
};

// Kernels that are loaded on a device, identified by number.
class DeviceModule {
public:
  virtual ~DeviceModule() = default;
};

struct DeviceMemory {              // in bytes
  int64_t total = 0, free = 0;     // of the whole device, for all processes
  int64_t allocated = 0, peak = 0; // by `allocate`: now, and the maximum so far
};

// The limits of a device; 0 where a limit is unknown.
struct DeviceLimits {
  double bytesPerSecond = 0; // memory bandwidth
  // Matrix units on bf16, two operations for each multiply-add.
  double operationsPerSecond = 0;
  int64_t cacheBytes = 0; // size of the cache in front of the memory
};

class Device {
public:
  virtual ~Device() = default;

  // For example "NVIDIA H200, 132 multiprocessors, 139.8 GiB, driver 13.0".
  virtual std::string describe() const = 0;
  virtual DeviceMemory memory() const = 0;
  // For reports: no measured rate can be higher.
  virtual DeviceLimits limits() const { return {}; }

  // Allocates memory that is aligned to 256 bytes. Environment error with
  // `what`, the bytes and the free memory.
  virtual Result<DeviceAddress> allocate(int64_t bytes,
                                         std::string_view what) = 0;
  virtual void release(DeviceAddress address) = 0;

  // Host memory that is fast to copy from and to, valid as long as the device
  // lives. Null when there is none or when all memory is equally fast.
  virtual std::byte *allocatePinned(int64_t bytes) {
    (void)bytes;
    return nullptr;
  }
  virtual void releasePinned(std::byte *memory) { (void)memory; }

  // Whether addresses are host pointers. Then `adopt` makes host memory the
  // device's without a copy. Adopted memory counts as written. The caller still
  // owns it, and `disown` takes it out again.
  virtual bool sharesHostMemory() const { return false; }
  virtual Status adopt(void *memory, int64_t bytes, std::string_view what) {
    (void)memory, (void)bytes;
    return Status::failed(
        "device: it has a memory of its own and cannot take '" +
        std::string(what) + "'; copy it to the device");
  }
  virtual void disown(void *memory) { (void)memory; }
  // Whether accesses are checked against allocations. Each buffer of a call is
  // then an allocation of its own instead of a piece of one arena, so that
  // accesses beyond its end are detected.
  virtual bool checksAccesses() const { return false; }

  // These run in queue order. Upload and download are complete when they
  // return.
  virtual Status upload(DeviceAddress to, const void *from, int64_t bytes) = 0;
  virtual Status download(void *to, DeviceAddress from, int64_t bytes) = 0;
  virtual Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) = 0;
  virtual Status fill(DeviceAddress to, uint8_t value, int64_t bytes) = 0;

  // Loads a module. `kernels` names its entry points, to which launch refers by
  // index. Bad input when the image is damaged or an entry is missing;
  // environment error when it is for another architecture.
  virtual Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image, std::span<const std::string> kernels) = 0;
  // Launches a kernel; a grid with an extent of 0 launches nothing. An error
  // names the kernel. Errors of the kernel itself may appear as late as
  // synchronize.
  virtual Status launch(DeviceModule &module, int kernel, const Launch &launch,
                        std::span<const KernelArgument> arguments) = 0;
  virtual Status synchronize() = 0;

  // Commands between the two calls are recorded and do not run. A null graph
  // means that the device has none and has run the commands immediately.
  virtual Status beginGraph() = 0;
  virtual Result<std::unique_ptr<DeviceGraph>> endGraph() = 0;
  virtual Status run(DeviceGraph &graph) = 0;

  // These measure time. `mark` marks the present end of the queue, or returns
  // null when the device has no clock of its own. `secondsBetween` waits until
  // both marks have been passed.
  virtual Result<std::unique_ptr<DeviceMark>> mark() {
    return std::unique_ptr<DeviceMark>();
  }
  virtual Result<double> secondsBetween(DeviceMark &begin, DeviceMark &end) {
    (void)begin, (void)end;
    return 0.0;
  }
};

// Opens "cuda" or "simt". Environment error when this machine has no such
// device, with the reason and a remedy.
Result<std::shared_ptr<Device>> openDevice(std::string_view name);

} // namespace nibble
