// One table of every function, type and constant of NCCL that is used. Names
// and values are those of NCCL's API reference, version 2.18.
// test/runtime/drivers/cuda compares them with nccl.h where that header exists.
#pragma once

#include "runtime/drivers/cuda/symbols.h"

#include <cstddef>
#include <cstdint>

namespace nibble::nccl {

using Result = int; // ncclResult_t
using Communicator = struct CommunicatorHandle *;
using Stream = cuda::Stream;

// ncclUniqueId. One rank makes it and gives it to all.
struct UniqueId {
  char bytes[128] = {};
};

constexpr Result kSuccess = 0;
// The lowest version that is known to work with CUDA 12.
constexpr int kVersion = 21800;

enum Type : int {
  kInt8 = 0,
  kUint8 = 1,
  kInt32 = 2,
  kInt64 = 4,
  kFloat32 = 7,
  kFloat64 = 8,
  kBfloat16 = 9
};
enum Operation : int { kSum = 0, kMax = 2, kMin = 3 };

// X(name, parameters). All of these functions return Result.
#define NIBBLE_NCCL_FUNCTIONS(X)                                               \
  X(ncclGetVersion, (int *version))                                            \
  X(ncclGetUniqueId, (UniqueId * id))                                          \
  X(ncclCommInitRank,                                                          \
    (Communicator * communicator, int ranks, UniqueId id, int rank))           \
  X(ncclCommDestroy, (Communicator communicator))                              \
  X(ncclCommAbort, (Communicator communicator))                                \
  X(ncclCommGetAsyncError, (Communicator communicator, Result * error))        \
  X(ncclAllReduce, (const void *from, void *to, size_t count, int type,        \
                    int operation, Communicator communicator, Stream stream))  \
  X(ncclAllGather, (const void *from, void *to, size_t countOfOne, int type,   \
                    Communicator communicator, Stream stream))                 \
  X(ncclReduceScatter,                                                         \
    (const void *from, void *to, size_t countOfOne, int type, int operation,   \
     Communicator communicator, Stream stream))                                \
  X(ncclBroadcast, (const void *from, void *to, size_t count, int type,        \
                    int root, Communicator communicator, Stream stream))       \
  X(ncclGroupStart, ())                                                        \
  X(ncclGroupEnd, ())

struct Symbols {
#define NIBBLE_NCCL_MEMBER(name, parameters) Result(*name) parameters = nullptr;
  NIBBLE_NCCL_FUNCTIONS(NIBBLE_NCCL_MEMBER)
#undef NIBBLE_NCCL_MEMBER
  const char *(*ncclGetErrorString)(Result result) = nullptr;
  const char *(*ncclGetLastError)(Communicator communicator) = nullptr;
};

} // namespace nibble::nccl
