// The common part of the fake CUDA drivers: a device, a queue, graphs, and an
// assembler that keeps the text. The including library provides memory, modules
// and launches, and ends with NIBBLE_FAKE_EXPORTS. Every call reads these
// environment variables:
//
//   FAKE_CUDA_VERSION     version of the driver (13000)
//   FAKE_CUDA_DEVICES     number of devices (1)
//   FAKE_CUDA_CAPABILITY  10 * major + minor (90)
//   FAKE_CUDA_FAIL        "<function>=<error>[@<call>],...": fails from that
//                         call on (1)
//   FAKE_CUDA_COUNTS      a file that gets "<function> <calls>" at process end
//
// An error of 700 or more at a numbered call is a kernel's fault. Every later
// call of any function then fails the same way, as in a lost context.
#pragma once

#include "runtime/drivers/cuda/symbols.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace nibble::cuda;

namespace {

std::map<std::string, int> *calls = new std::map<std::string, int>;
std::vector<std::function<void()>> *recording = nullptr;
Result lost = kSuccess; // the fault that ended the context

int number(const char *name, int otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

// Counts the call. Returns the error with which it must fail.
Result enter(const char *name) {
  int call = ++(*calls)[name];
  if (lost && std::strncmp(name, "cuGetError", 10) != 0)
    return lost;
  const char *fail = std::getenv("FAKE_CUDA_FAIL");
  std::string list = fail ? std::string(",") + fail : "";
  std::string wanted = std::string(",") + name + "=";
  size_t at = list.find(wanted);
  if (at == list.npos)
    return kSuccess;
  char *end = nullptr;
  auto error = static_cast<Result>(
      std::strtol(list.c_str() + at + wanted.size(), &end, 10));
  if (*end == '@' && call < std::atoi(end + 1))
    return kSuccess;
  if (*end == '@' && error >= 700)
    lost = error;
  return error;
}

struct CountsAtEnd {
  ~CountsAtEnd() {
    const char *path = std::getenv("FAKE_CUDA_COUNTS");
    std::FILE *file = path ? std::fopen(path, "w") : nullptr;
    if (!file)
      return;
    for (const auto &[name, count] : *calls)
      std::fprintf(file, "%s %d\n", name.c_str(), count);
    std::fclose(file);
  }
} countsAtEnd;

template <typename T> T *made(T value) { return new T(std::move(value)); }

struct Link {
  std::string code;
  char *errors = nullptr;
  size_t errorBytes = 0;
};

} // namespace

#define FAKE(name, parameters, ...)                                            \
  static Result name parameters {                                              \
    if (Result failure = enter(#name))                                         \
      return failure;                                                          \
    __VA_ARGS__                                                                \
    return kSuccess;                                                           \
  }

FAKE(cuInit, (unsigned))
FAKE(cuGetErrorName, (Result error, const char **name),
     *name = error == 700   ? "CUDA_ERROR_ILLEGAL_ADDRESS"
             : error == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
             : error == 2   ? "CUDA_ERROR_OUT_OF_MEMORY"
             : error == 218 ? "CUDA_ERROR_INVALID_PTX"
             : error == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
                            : "CUDA_ERROR_OTHER";)
FAKE(cuGetErrorString, (Result, const char **text),
     *text = "as the driver says";)
FAKE(cuDeviceGetCount, (int *count), *count = number("FAKE_CUDA_DEVICES", 1);)
FAKE(cuDeviceGet, (DeviceNumber * device, int ordinal), *device = ordinal;)
FAKE(cuDeviceGetName, (char *name, int bytes, DeviceNumber),
     std::strncpy(name, "Fake H200", bytes);)
FAKE(cuDeviceTotalMem, (size_t *bytes, DeviceNumber),
     *bytes = size_t{150} << 30;)
FAKE(cuDeviceGetAttribute, (int *value, int attribute, DeviceNumber), {
  int capability = number("FAKE_CUDA_CAPABILITY", 90);
  *value = attribute == kComputeCapabilityMajor   ? capability / 10
           : attribute == kComputeCapabilityMinor ? capability % 10
           : attribute == kClockKilohertz         ? 1'980'000
           : attribute == kMemoryClockKilohertz   ? 3'201'000
           : attribute == kMemoryBusBits          ? 6144
           : attribute == kCacheBytes             ? 50 << 20
                                                  : 132;
})
FAKE(cuDevicePrimaryCtxRetain, (Context * context, DeviceNumber),
     *context = reinterpret_cast<Context>(16);)
FAKE(cuDevicePrimaryCtxRelease, (DeviceNumber))
FAKE(cuCtxSetCurrent, (Context))
FAKE(cuMemHostAlloc, (void **address, size_t bytes, unsigned),
     *address = std::malloc(bytes);)
FAKE(cuMemFreeHost, (void *address), std::free(address);)
FAKE(cuStreamCreate, (Stream * stream, unsigned),
     *stream = reinterpret_cast<Stream>(32);)
FAKE(cuStreamDestroy, (Stream))
FAKE(cuStreamSynchronize, (Stream), if (recording) return 900;)
FAKE(cuStreamBeginCapture, (Stream, int),
     recording = new std::vector<std::function<void()>>;)
FAKE(cuStreamEndCapture, (Stream, Graph *graph), {
  *graph = reinterpret_cast<Graph>(recording);
  recording = nullptr;
})
FAKE(cuGraphInstantiateWithFlags,
     (GraphExec * exec, Graph graph, unsigned long long),
     *exec = reinterpret_cast<GraphExec>(
         made(*reinterpret_cast<std::vector<std::function<void()>> *>(graph)));)
FAKE(cuGraphLaunch, (GraphExec exec, Stream), {
  for (auto &work :
       *reinterpret_cast<std::vector<std::function<void()>> *>(exec))
    work();
})
FAKE(cuGraphDestroy, (Graph graph),
     delete reinterpret_cast<std::vector<std::function<void()>> *>(graph);)
FAKE(cuGraphExecDestroy, (GraphExec exec),
     delete reinterpret_cast<std::vector<std::function<void()>> *>(exec);)
FAKE(cuEventCreate, (Event * event, unsigned),
     *event = reinterpret_cast<Event>(made(0.0));)
FAKE(cuEventRecord, (Event event, Stream),
     *reinterpret_cast<double *>(event) = (*calls)["cuLaunchKernelEx"];)
FAKE(cuEventSynchronize, (Event))
FAKE(cuEventElapsedTime, (float *milliseconds, Event begin, Event end),
     *milliseconds = static_cast<float>(*reinterpret_cast<double *>(end) -
                                        *reinterpret_cast<double *>(begin));)
FAKE(cuEventDestroy, (Event event), delete reinterpret_cast<double *>(event);)
FAKE(cuLinkCreate,
     (unsigned count, int *options, void **values, LinkState *state), {
       Link link;
       for (unsigned i = 0; i < count; ++i) {
         if (options[i] == kErrorLog)
           link.errors = static_cast<char *>(values[i]);
         if (options[i] == kErrorLogBytes)
           link.errorBytes = reinterpret_cast<size_t>(values[i]);
       }
       *state = reinterpret_cast<LinkState>(made(link));
     })
FAKE(cuLinkAddData,
     (LinkState state, int type, void *data, size_t bytes, const char *,
      unsigned, int *, void **),
     {
       auto *link = reinterpret_cast<Link *>(state);
       const char *text = static_cast<const char *>(data);
       if (type != kJitInputPtx || bytes == 0 || text[bytes - 1] != '\0')
         return 1;
       if (std::strstr(text, "nonsense")) {
         std::strncpy(link->errors,
                      "ptxas application ptx input, line 7; fatal: Parsing "
                      "error near 'nonsense'\n",
                      link->errorBytes);
         return kInvalidPtx;
       }
       link->code = std::string("FAKECUBIN ") + text;
     })
FAKE(cuLinkComplete, (LinkState state, void **cubin, size_t *bytes), {
  auto *link = reinterpret_cast<Link *>(state);
  *cubin = link->code.data();
  *bytes = link->code.size() + 1;
})
FAKE(cuLinkDestroy, (LinkState state), delete reinterpret_cast<Link *>(state);)

#define FAKE_FIND(symbol, parameters)                                          \
  if (std::string(name) == #symbol)                                            \
    *function = reinterpret_cast<void *>(&symbol);

#define NIBBLE_FAKE_EXPORTS                                                    \
  extern "C" {                                                                 \
  __attribute__((visibility("default"))) Result                                \
  cuDriverGetVersion(int *version) {                                           \
    *version = number("FAKE_CUDA_VERSION", 13000);                             \
    return kSuccess;                                                           \
  }                                                                            \
  __attribute__((visibility("default"))) Result cuGetProcAddress_v2(           \
      const char *name, void **function, int, uint64_t, int *) {               \
    const char *missing = std::getenv("FAKE_CUDA_MISSING");                    \
    *function = nullptr;                                                       \
    if (missing && std::string(missing) == name)                               \
      return kNotFound;                                                        \
    NIBBLE_CUDA_FUNCTIONS(FAKE_FIND)                                           \
    return *function ? kSuccess : kNotFound;                                   \
  }                                                                            \
  }
