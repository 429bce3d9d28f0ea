// What a program for an accelerator asks of the thing that runs it. Two
// implement it: cuda (libcuda, found at run time) and simt (PTX executed on the
// CPU, with every access checked).
//
// One device, one queue: commands run in the order in which they are given. All
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

// An address in the device's memory; 0 is none.
using DeviceAddress = uint64_t;

// The code of one module: PTX text, and machine code for one architecture when
// it was assembled ahead of time.
struct KernelImage {
  std::string name;   // for messages
  std::string ptx;    // text, version and target included
  std::string cubin;  // empty: the driver assembles the PTX
  std::string target; // "sm_90a"
};

// How a tile is cut out of a row-major tensor by the copy engine (PTX ISA,
// "Tensors"): extents and box innermost first. What a box covers beyond the
// extents reads as zero.
struct TensorMap {
  DeviceAddress address = 0; // 16-byte aligned
  uint32_t elementBytes = 2; // 1, 2 or 4
  uint32_t rank = 2;         // 1..5
  uint64_t extents[5] = {};  // elements
  uint64_t strides[4] = {};  // bytes, of dimension i + 1; multiples of 16
  uint32_t box[5] = {};      // elements, at most 256 each
  uint32_t swizzle = 0; // bytes: 0, 32, 64 or 128; box[0] * elementBytes is at
                        // most that when it is not 0
};

// A kernel's argument: a pointer or an integer (64 bits each), or a tensor map
// (128 bytes, by value).
using KernelArgument = std::variant<uint64_t, TensorMap>;

struct Launch {
  uint32_t grid[3] = {1, 1,
                      1};   // blocks; with an extent of 0 nothing is launched
  uint32_t threads = 0;     // of a block, along x
  uint32_t sharedBytes = 0; // dynamic shared memory
  uint32_t cluster = 1;     // blocks of a cluster, along x
  bool overlap = false; // may begin before the kernel before it has ended; it
                        // waits where it says (griddepcontrol)
  uint32_t table = 0;   // the last so many arguments, 64 bits each, are one
                        // parameter: a table by value
};

// A recorded list of commands that can be run again at little cost.
class DeviceGraph {
public:
  virtual ~DeviceGraph() = default;
};

// A point in the queue.
class DeviceMark {
public:
  virtual ~DeviceMark() = default;
};

// Kernels loaded on a device, by number.
class DeviceModule {
public:
  virtual ~DeviceModule() = default;
};

struct DeviceMemory {              // bytes
  int64_t total = 0, free = 0;     // of the device, whoever takes the rest
  int64_t allocated = 0, peak = 0; // by `allocate`: now, and at most so far
};

// What a device can do at most; 0 where it is not known.
struct DeviceLimits {
  double bytesPerSecond = 0; // of its memory
  double operationsPerSecond =
      0; // of its matrix units on bf16, two for each multiply-add
  int64_t cacheBytes = 0; // of the cache before its memory
};

class Device {
public:
  virtual ~Device() = default;

  // "NVIDIA H200, 132 multiprocessors, 139.8 GiB, driver 13.0"
  virtual std::string describe() const = 0;
  virtual DeviceMemory memory() const = 0;
  // For reports: no rate that is measured is higher.
  virtual DeviceLimits limits() const { return {}; }

  // 256-byte aligned. `what` is for the message: environment error naming it,
  // the bytes and what is free.
  virtual Result<DeviceAddress> allocate(int64_t bytes,
                                         std::string_view what) = 0;
  virtual void release(DeviceAddress address) = 0;

  // Memory of the host from and to which copies are fast, for as long as the
  // device lives; null where there is none or any is as good.
  virtual std::byte *allocatePinned(int64_t bytes) {
    (void)bytes;
    return nullptr;
  }
  virtual void releasePinned(std::byte *memory) { (void)memory; }

  // Whether an address is a host pointer and the host's memory can be made the
  // device's, by `adopt`, without a copy. What is adopted counts as written; it
  // stays the caller's and is taken out again by `disown`.
  virtual bool sharesHostMemory() const { return false; }
  virtual Status adopt(void *memory, int64_t bytes, std::string_view what) {
    (void)memory, (void)bytes;
    return Status::failed(
        "device: it has a memory of its own and cannot take '" +
        std::string(what) + "'; copy it to the device");
  }
  virtual void disown(void *memory) { (void)memory; }
  // Whether accesses are checked against allocations: each buffer of a call is
  // then an allocation of its own instead of a piece of one arena, so that an
  // access beyond it is seen.
  virtual bool checksAccesses() const { return false; }

  // In the order of the queue; upload and download have ended when they return.
  virtual Status upload(DeviceAddress to, const void *from, int64_t bytes) = 0;
  virtual Status download(void *to, DeviceAddress from, int64_t bytes) = 0;
  virtual Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) = 0;
  virtual Status fill(DeviceAddress to, uint8_t value, int64_t bytes) = 0;

  // `kernels` names the entries; launch refers to them by index. Bad input when
  // the image is damaged or an entry is missing, environment error when it is
  // for another architecture.
  virtual Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image, std::span<const std::string> kernels) = 0;
  // A grid with an extent 0 launches nothing. An error names the kernel. Errors
  // of the kernel itself may come as late as synchronize.
  virtual Status launch(DeviceModule &module, int kernel, const Launch &launch,
                        std::span<const KernelArgument> arguments) = 0;
  virtual Status synchronize() = 0;

  // Commands between the two are recorded, not run. Null graph: this device has
  // none, the commands were run at once.
  virtual Status beginGraph() = 0;
  virtual Result<std::unique_ptr<DeviceGraph>> endGraph() = 0;
  virtual Status run(DeviceGraph &graph) = 0;

  // For measuring: a mark after what was given so far, null where the device
  // has no clock of its own; and the seconds between two, once both have been
  // passed, which is waited for.
  virtual Result<std::unique_ptr<DeviceMark>> mark() {
    return std::unique_ptr<DeviceMark>();
  }
  virtual Result<double> secondsBetween(DeviceMark &begin, DeviceMark &end) {
    (void)begin, (void)end;
    return 0.0;
  }
};

// "cuda" or "simt". Environment error when there is no such device here, saying
// why and what to do.
Result<std::shared_ptr<Device>> openDevice(std::string_view name);

} // namespace nibble
