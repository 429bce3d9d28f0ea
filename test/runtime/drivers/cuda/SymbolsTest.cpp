// Compares our declarations of the driver's types with NVIDIA's, if its header
// is installed.
#include "runtime/drivers/cuda/symbols.h"

#include <gtest/gtest.h>

#ifdef NIBBLE_HAS_CUDA_H
#include <cuda.h>

#include <cstddef>

namespace {

using namespace nibble;

static_assert(sizeof(cuda::Pointer) == sizeof(CUdeviceptr) &&
              sizeof(cuda::Result) == sizeof(CUresult));
static_assert(sizeof(cuda::DeviceNumber) == sizeof(CUdevice));
static_assert(sizeof(cuda::LaunchAttribute) == sizeof(CUlaunchAttribute));
static_assert(offsetof(cuda::LaunchAttribute, kind) ==
              offsetof(CUlaunchAttribute, id));
static_assert(offsetof(cuda::LaunchAttribute, cluster) ==
              offsetof(CUlaunchAttribute, value.clusterDim));
static_assert(offsetof(cuda::LaunchAttribute, allowed) ==
              offsetof(CUlaunchAttribute,
                       value.programmaticStreamSerializationAllowed));
static_assert(sizeof(cuda::LaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(cuda::LaunchConfig, grid) ==
              offsetof(CUlaunchConfig, gridDimX));
static_assert(offsetof(cuda::LaunchConfig, block) ==
              offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(cuda::LaunchConfig, sharedBytes) ==
              offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(cuda::LaunchConfig, stream) ==
              offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(cuda::LaunchConfig, attributes) ==
              offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(cuda::LaunchConfig, attributeCount) ==
              offsetof(CUlaunchConfig, numAttrs));
static_assert(sizeof(cuda::EncodedTensorMap) == sizeof(CUtensorMap) &&
              alignof(cuda::EncodedTensorMap) == alignof(CUtensorMap));

#define NIBBLE_SAME(ours, theirs)                                              \
  static_assert(static_cast<int>(cuda::ours) == static_cast<int>(theirs))
NIBBLE_SAME(kSuccess, CUDA_SUCCESS);
NIBBLE_SAME(kInvalidValue, CUDA_ERROR_INVALID_VALUE);
NIBBLE_SAME(kOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
NIBBLE_SAME(kNoDevice, CUDA_ERROR_NO_DEVICE);
NIBBLE_SAME(kInvalidPtx, CUDA_ERROR_INVALID_PTX);
NIBBLE_SAME(kUnsupportedPtx, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
NIBBLE_SAME(kNotFound, CUDA_ERROR_NOT_FOUND);
NIBBLE_SAME(kClockKilohertz, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
NIBBLE_SAME(kMemoryClockKilohertz, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
NIBBLE_SAME(kMemoryBusBits, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
NIBBLE_SAME(kCacheBytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
NIBBLE_SAME(kMultiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
NIBBLE_SAME(kComputeCapabilityMajor,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
NIBBLE_SAME(kComputeCapabilityMinor,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
NIBBLE_SAME(kMaxDynamicSharedBytes,
            CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
NIBBLE_SAME(kNonPortableClusters,
            CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED);
NIBBLE_SAME(kInfoLog, CU_JIT_INFO_LOG_BUFFER);
NIBBLE_SAME(kInfoLogBytes, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
NIBBLE_SAME(kErrorLog, CU_JIT_ERROR_LOG_BUFFER);
NIBBLE_SAME(kErrorLogBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
NIBBLE_SAME(kJitTarget, CU_JIT_TARGET);
NIBBLE_SAME(kTarget90a, CU_TARGET_COMPUTE_90A);
NIBBLE_SAME(kJitInputPtx, CU_JIT_INPUT_PTX);
NIBBLE_SAME(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
NIBBLE_SAME(kCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
NIBBLE_SAME(kClusterDimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
NIBBLE_SAME(kProgrammaticSerialization,
            CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
NIBBLE_SAME(kUint8, CU_TENSOR_MAP_DATA_TYPE_UINT8);
NIBBLE_SAME(kUint16, CU_TENSOR_MAP_DATA_TYPE_UINT16);
NIBBLE_SAME(kUint32, CU_TENSOR_MAP_DATA_TYPE_UINT32);
NIBBLE_SAME(kInterleaveNone, CU_TENSOR_MAP_INTERLEAVE_NONE);
NIBBLE_SAME(kPromotion128, CU_TENSOR_MAP_L2_PROMOTION_L2_128B);
NIBBLE_SAME(kFillZeros, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
NIBBLE_SAME(kSwizzleNone, CU_TENSOR_MAP_SWIZZLE_NONE);
NIBBLE_SAME(kSwizzle32, CU_TENSOR_MAP_SWIZZLE_32B);
NIBBLE_SAME(kSwizzle64, CU_TENSOR_MAP_SWIZZLE_64B);
NIBBLE_SAME(kSwizzle128, CU_TENSOR_MAP_SWIZZLE_128B);

// Compares the parameters of two declarations one by one. Sizes must be equal,
// and both must be pointers or both numbers.
template <typename Ours, typename Theirs> struct SameShape : std::false_type {};
template <typename R, typename... Ours, typename S, typename... Theirs>
  requires(sizeof...(Ours) == sizeof...(Theirs))
struct SameShape<R (*)(Ours...), S (*)(Theirs...)>
    : std::bool_constant<(
          (sizeof(Ours) == sizeof(Theirs) &&
           std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>) &&
          ...)> {};
// cuda.h's macros turn the names into those with a version.
#define NIBBLE_SHAPE(name, parameters)                                         \
  static_assert(SameShape<Result(*) parameters, decltype(&::name)>::value,     \
                #name);
} // namespace
namespace nibble::cuda {
NIBBLE_CUDA_FUNCTIONS(NIBBLE_SHAPE)
} // namespace nibble::cuda
namespace {

TEST(CudaSymbols, AreThoseOfCudaH) {
  SUCCEED() << "compared when this was compiled";
}

} // namespace
#else
TEST(CudaSymbols, AreThoseOfCudaH) {
  GTEST_SKIP() << "cuda.h is not installed";
}
#endif
