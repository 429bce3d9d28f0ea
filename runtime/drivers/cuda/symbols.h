// One table of every function, type and constant of the CUDA driver that is
// used, so that no CUDA header is needed. Names, layouts and values are those
// of the CUDA Driver API reference, version 12.3. test/runtime/drivers/cuda
// compares them with cuda.h where that header exists.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nibble::cuda {

using Result = int; // CUresult
using DeviceNumber = int;
using Pointer = unsigned long long; // CUdeviceptr
using Context = struct ContextHandle *;
using Module = struct ModuleHandle *;
using Kernel = struct FunctionHandle *; // CUfunction
using Stream = struct StreamHandle *;
using Event = struct EventHandle *;
using Graph = struct GraphHandle *;
using GraphExec = struct GraphExecHandle *;
using LinkState = struct LinkStateHandle *;

// The lowest driver version that accepts PTX 8.3 and records programmatic
// launches in graphs.
constexpr int kDriverVersion = 12030;
constexpr const char *kDriverName = "CUDA 12.3 (driver 545)";

enum : Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNoDevice = 100,
  kInvalidPtx = 218,
  kUnsupportedPtx = 222,
  kNotFound = 500,
};

enum DeviceAttribute : int {
  kClockKilohertz = 13,
  kMultiprocessors = 16,
  kMemoryClockKilohertz = 36,
  kMemoryBusBits = 37,
  kCacheBytes = 38,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
};

enum FunctionAttribute : int {
  kMaxDynamicSharedBytes = 8,
  kNonPortableClusters = 14
};

enum JitOption : int {
  kInfoLog = 3,
  kInfoLogBytes = 4,
  kErrorLog = 5,
  kErrorLogBytes = 6,
  kJitTarget = 9
};
// The target that wgmma and the rest of sm_90a need.
constexpr int kTarget90a = 0x10000 + 90;
constexpr int kJitInputPtx = 1;

constexpr unsigned kStreamNonBlocking = 1;
constexpr int kCaptureThreadLocal = 1;

enum LaunchAttributeKind : int {
  kClusterDimension = 4,
  kProgrammaticSerialization = 6
};

// CUlaunchAttribute, whose value is a union of 64 bytes.
struct LaunchAttribute {
  int kind = 0;
  char padding[4] = {};
  union {
    char bytes[64] = {};
    struct {
      unsigned x, y, z;
    } cluster;
    int allowed;
  };
};

// CUlaunchConfig
struct LaunchConfig {
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  unsigned sharedBytes = 0;
  Stream stream = nullptr;
  LaunchAttribute *attributes = nullptr;
  unsigned attributeCount = 0;
};

// CUtensorMap. Its alignment is 64 bytes before CUDA 13, and 128 since.
struct alignas(128) EncodedTensorMap {
  uint64_t words[16] = {};
};
enum TensorMapType : int { kUint8 = 0, kUint16 = 1, kUint32 = 2 };
constexpr int kInterleaveNone = 0;
constexpr int kPromotion128 = 2;
constexpr int kFillZeros = 0;
enum TensorMapSwizzle : int {
  kSwizzleNone = 0,
  kSwizzle32 = 1,
  kSwizzle64 = 2,
  kSwizzle128 = 3
};

// X(name, parameters). All of these functions return Result. The names have no
// version suffix: cuGetProcAddress returns the variant of kDriverVersion.
#define NIBBLE_CUDA_FUNCTIONS(X)                                               \
  X(cuInit, (unsigned flags))                                                  \
  X(cuGetErrorName, (Result error, const char **name))                         \
  X(cuGetErrorString, (Result error, const char **text))                       \
  X(cuDeviceGetCount, (int *count))                                            \
  X(cuDeviceGet, (DeviceNumber * device, int ordinal))                         \
  X(cuDeviceGetName, (char *name, int bytes, DeviceNumber device))             \
  X(cuDeviceTotalMem, (size_t *bytes, DeviceNumber device))                    \
  X(cuDeviceGetAttribute, (int *value, int attribute, DeviceNumber device))    \
  X(cuDevicePrimaryCtxRetain, (Context * context, DeviceNumber device))        \
  X(cuDevicePrimaryCtxRelease, (DeviceNumber device))                          \
  X(cuCtxSetCurrent, (Context context))                                        \
  X(cuMemGetInfo, (size_t *free, size_t *total))                               \
  X(cuMemAlloc, (Pointer * address, size_t bytes))                             \
  X(cuMemFree, (Pointer address))                                              \
  X(cuMemHostAlloc, (void **address, size_t bytes, unsigned flags))            \
  X(cuMemFreeHost, (void *address))                                            \
  X(cuMemcpyHtoDAsync,                                                         \
    (Pointer to, const void *from, size_t bytes, Stream stream))               \
  X(cuMemcpyDtoHAsync, (void *to, Pointer from, size_t bytes, Stream stream))  \
  X(cuMemcpyDtoDAsync,                                                         \
    (Pointer to, Pointer from, size_t bytes, Stream stream))                   \
  X(cuMemsetD8Async,                                                           \
    (Pointer to, unsigned char value, size_t bytes, Stream stream))            \
  X(cuStreamCreate, (Stream * stream, unsigned flags))                         \
  X(cuStreamDestroy, (Stream stream))                                          \
  X(cuStreamSynchronize, (Stream stream))                                      \
  X(cuStreamBeginCapture, (Stream stream, int mode))                           \
  X(cuStreamEndCapture, (Stream stream, Graph * graph))                        \
  X(cuGraphInstantiateWithFlags,                                               \
    (GraphExec * exec, Graph graph, unsigned long long flags))                 \
  X(cuGraphLaunch, (GraphExec exec, Stream stream))                            \
  X(cuGraphDestroy, (Graph graph))                                             \
  X(cuGraphExecDestroy, (GraphExec exec))                                      \
  X(cuEventCreate, (Event * event, unsigned flags))                            \
  X(cuEventRecord, (Event event, Stream stream))                               \
  X(cuEventSynchronize, (Event event))                                         \
  X(cuEventElapsedTime, (float *milliseconds, Event begin, Event end))         \
  X(cuEventDestroy, (Event event))                                             \
  X(cuModuleLoadData, (Module * module, const void *image))                    \
  X(cuModuleLoadDataEx, (Module * module, const void *image, unsigned count,   \
                         int *options, void **values))                         \
  X(cuModuleUnload, (Module module))                                           \
  X(cuModuleGetFunction, (Kernel * kernel, Module module, const char *name))   \
  X(cuFuncSetAttribute, (Kernel kernel, int attribute, int value))             \
  X(cuLinkCreate,                                                              \
    (unsigned count, int *options, void **values, LinkState *state))           \
  X(cuLinkAddData,                                                             \
    (LinkState state, int type, void *data, size_t bytes, const char *name,    \
     unsigned count, int *options, void **values))                             \
  X(cuLinkComplete, (LinkState state, void **cubin, size_t *bytes))            \
  X(cuLinkDestroy, (LinkState state))                                          \
  X(cuLaunchKernelEx, (const LaunchConfig *config, Kernel kernel,              \
                       void **parameters, void **extra))                       \
  X(cuTensorMapEncodeTiled,                                                    \
    (EncodedTensorMap * map, int type, unsigned rank, void *address,           \
     const uint64_t *extents, const uint64_t *strides, const uint32_t *box,    \
     const uint32_t *elementStrides, int interleave, int swizzle,              \
     int promotion, int fill))

// These two are found by name, before the driver's version is known.
using DriverGetVersion = Result (*)(int *version);
using GetProcAddress = Result (*)(const char *name, void **function,
                                  int version, uint64_t flags, int *query);

struct Symbols {
#define NIBBLE_CUDA_MEMBER(name, parameters) Result(*name) parameters = nullptr;
  NIBBLE_CUDA_FUNCTIONS(NIBBLE_CUDA_MEMBER)
#undef NIBBLE_CUDA_MEMBER
};

} // namespace nibble::cuda
