// An NCCL for one rank. FAKE_NCCL_VERSION is its version, and FAKE_NCCL_FAIL
// the error of every collective.
#include "runtime/drivers/cuda/nccl_symbols.h"

#include <cstdlib>
#include <cstring>

using namespace nibble::nccl;

static int number(const char *name, int otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

static Result copy(const void *from, void *to, size_t count, int type) {
  std::memmove(to, from, count * (type == kFloat32 || type == kInt32 ? 4 : 8));
  return number("FAKE_NCCL_FAIL", 0);
}

#pragma GCC visibility push(default)
extern "C" {
Result ncclGetVersion(int *version) {
  *version = number("FAKE_NCCL_VERSION", 22703);
  return kSuccess;
}
Result ncclGetUniqueId(UniqueId *id) {
  std::memset(id->bytes, 7, sizeof(id->bytes));
  return kSuccess;
}
Result ncclCommInitRank(Communicator *communicator, int ranks, UniqueId id,
                        int rank) {
  *communicator = reinterpret_cast<Communicator>(16);
  return ranks == 1 && rank == 0 && id.bytes[127] == 7 ? kSuccess : 4;
}
Result ncclCommDestroy(Communicator) { return kSuccess; }
Result ncclCommAbort(Communicator) { return kSuccess; }
Result ncclCommGetAsyncError(Communicator, Result *error) {
  return *error = kSuccess;
}
Result ncclAllReduce(const void *from, void *to, size_t count, int type, int,
                     Communicator, Stream) {
  return copy(from, to, count, type);
}
Result ncclAllGather(const void *from, void *to, size_t count, int type,
                     Communicator, Stream) {
  return copy(from, to, count, type);
}
Result ncclReduceScatter(const void *from, void *to, size_t count, int type,
                         int, Communicator, Stream) {
  return copy(from, to, count, type);
}
Result ncclBroadcast(const void *from, void *to, size_t count, int type, int,
                     Communicator, Stream) {
  return copy(from, to, count, type);
}
Result ncclGroupStart() { return kSuccess; }
Result ncclGroupEnd() { return kSuccess; }
const char *ncclGetErrorString(Result) { return "unhandled system error"; }
const char *ncclGetLastError(Communicator) { return "no route to rank 1"; }
}
#pragma GCC visibility pop
