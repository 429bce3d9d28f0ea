// A CUDA driver whose memory is the host's. It knows one kernel, `add`(x, y, out, n), and runs it when the queue gets
// there. Read from the environment at every call:
//   FAKE_CUDA_VERSION  of the driver (13000)        FAKE_CUDA_DEVICES  how many (1)
//   FAKE_CUDA_CAPABILITY  10 * major + minor (90)   FAKE_CUDA_FAIL     "<function>=<error>,..." that fail
#include "runtime/drivers/cuda/symbols.h"

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
std::string *lastLaunch = new std::string;
std::deque<std::string> *kernels = new std::deque<std::string>;

int number(const char *name, int otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}

// Counts the call; the error that it is to fail with.
Result enter(const char *name) {
  ++(*calls)[name];
  const char *fail = std::getenv("FAKE_CUDA_FAIL");
  std::string list = fail ? std::string(",") + fail : "", wanted = std::string(",") + name + "=";
  size_t at = list.find(wanted);
  return at == list.npos ? kSuccess : std::atoi(list.c_str() + at + wanted.size());
}

void issue(std::function<void()> work) {
  if (recording)
    recording->push_back(std::move(work));
  else
    work();
}

template <typename T> T *made(T value) { return new T(std::move(value)); }
void *at(Pointer address) { return reinterpret_cast<void *>(address); }

struct Link {
  std::string code;
  char *errors = nullptr;
  size_t errorBytes = 0;
};

} // namespace

#define FAKE(name, parameters, ...)                                                                                    \
  static Result name parameters {                                                                                      \
    if (Result failure = enter(#name))                                                                                 \
      return failure;                                                                                                  \
    __VA_ARGS__                                                                                                        \
    return kSuccess;                                                                                                   \
  }

FAKE(cuInit, (unsigned))
FAKE(cuGetErrorName, (Result error, const char **name),
     *name = error == 700   ? "CUDA_ERROR_ILLEGAL_ADDRESS"
             : error == 2   ? "CUDA_ERROR_OUT_OF_MEMORY"
             : error == 218 ? "CUDA_ERROR_INVALID_PTX"
             : error == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
                            : "CUDA_ERROR_OTHER";)
FAKE(cuGetErrorString, (Result, const char **text), *text = "as the driver says";)
FAKE(cuDeviceGetCount, (int *count), *count = number("FAKE_CUDA_DEVICES", 1);)
FAKE(cuDeviceGet, (DeviceNumber * device, int ordinal), *device = ordinal;)
FAKE(cuDeviceGetName, (char *name, int bytes, DeviceNumber), std::strncpy(name, "Fake H200", bytes);)
FAKE(cuDeviceTotalMem, (size_t *bytes, DeviceNumber), *bytes = size_t{150} << 30;)
FAKE(cuDeviceGetAttribute, (int *value, int attribute, DeviceNumber), {
  int capability = number("FAKE_CUDA_CAPABILITY", 90);
  *value = attribute == kComputeCapabilityMajor   ? capability / 10
           : attribute == kComputeCapabilityMinor ? capability % 10
                                                  : 132;
})
FAKE(cuDevicePrimaryCtxRetain, (Context * context, DeviceNumber), *context = reinterpret_cast<Context>(16);)
FAKE(cuDevicePrimaryCtxRelease, (DeviceNumber))
FAKE(cuCtxSetCurrent, (Context))
FAKE(cuMemGetInfo, (size_t *free, size_t *total), *free = 1000; *total = 5000;)
FAKE(cuMemAlloc, (Pointer * address, size_t bytes),
     *address = reinterpret_cast<Pointer>(std::aligned_alloc(512, (bytes + 511) / 512 * 512));)
FAKE(cuMemFree, (Pointer address), std::free(at(address));)
FAKE(cuMemHostAlloc, (void **address, size_t bytes, unsigned), *address = std::malloc(bytes);)
FAKE(cuMemFreeHost, (void *address), std::free(address);)
FAKE(cuMemcpyHtoDAsync, (Pointer to, const void *from, size_t bytes, Stream), std::memcpy(at(to), from, bytes);)
FAKE(cuMemcpyDtoHAsync, (void *to, Pointer from, size_t bytes, Stream), std::memcpy(to, at(from), bytes);)
FAKE(cuMemcpyDtoDAsync, (Pointer to, Pointer from, size_t bytes, Stream),
     issue([=] { std::memcpy(at(to), at(from), bytes); });)
FAKE(cuMemsetD8Async, (Pointer to, unsigned char value, size_t bytes, Stream),
     issue([=] { std::memset(at(to), value, bytes); });)
FAKE(cuStreamCreate, (Stream * stream, unsigned), *stream = reinterpret_cast<Stream>(32);)
FAKE(cuStreamDestroy, (Stream))
FAKE(cuStreamSynchronize, (Stream), if (recording) return 900;)
FAKE(cuStreamBeginCapture, (Stream, int), recording = new std::vector<std::function<void()>>;)
FAKE(cuStreamEndCapture, (Stream, Graph *graph), {
  *graph = reinterpret_cast<Graph>(recording);
  recording = nullptr;
})
FAKE(cuGraphInstantiateWithFlags, (GraphExec * exec, Graph graph, unsigned long long),
     *exec = reinterpret_cast<GraphExec>(made(*reinterpret_cast<std::vector<std::function<void()>> *>(graph)));)
FAKE(cuGraphLaunch, (GraphExec exec, Stream), {
  for (auto &work : *reinterpret_cast<std::vector<std::function<void()>> *>(exec))
    work();
})
FAKE(cuGraphDestroy, (Graph graph), delete reinterpret_cast<std::vector<std::function<void()>> *>(graph);)
FAKE(cuGraphExecDestroy, (GraphExec exec), delete reinterpret_cast<std::vector<std::function<void()>> *>(exec);)
FAKE(cuEventCreate, (Event * event, unsigned), *event = reinterpret_cast<Event>(made(0.0));)
FAKE(cuEventRecord, (Event event, Stream), *reinterpret_cast<double *>(event) = (*calls)["cuLaunchKernelEx"];)
FAKE(cuEventSynchronize, (Event))
FAKE(cuEventElapsedTime, (float *milliseconds, Event begin, Event end),
     *milliseconds = static_cast<float>(*reinterpret_cast<double *>(end) - *reinterpret_cast<double *>(begin));)
FAKE(cuEventDestroy, (Event event), delete reinterpret_cast<double *>(event);)
FAKE(cuModuleLoadData, (Module * module, const void *image), {
  std::string code = static_cast<const char *>(image);
  if (code.rfind("FAKECUBIN", 0) != 0)
    return 200;
  *module = reinterpret_cast<Module>(made(code));
})
FAKE(cuModuleLoadDataEx, (Module * module, const void *image, unsigned, int *, void **), {
  std::string code = static_cast<const char *>(image);
  if (code.find("nonsense") != std::string::npos)
    return kInvalidPtx;
  *module = reinterpret_cast<Module>(made(code));
})
FAKE(cuModuleUnload, (Module module), delete reinterpret_cast<std::string *>(module);)
FAKE(cuModuleGetFunction, (Kernel * kernel, Module module, const char *name), {
  if (reinterpret_cast<std::string *>(module)->find(std::string(".entry ") + name + "(") == std::string::npos)
    return kNotFound;
  kernels->emplace_back(name);
  *kernel = reinterpret_cast<Kernel>(&kernels->back());
})
FAKE(cuFuncSetAttribute, (Kernel, int attribute, int value),
     *lastLaunch = "attribute " + std::to_string(attribute) + "=" + std::to_string(value) + ";";)
FAKE(cuLinkCreate, (unsigned count, int *options, void **values, LinkState *state), {
  Link link;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == kErrorLog)
      link.errors = static_cast<char *>(values[i]);
    if (options[i] == kErrorLogBytes)
      link.errorBytes = reinterpret_cast<size_t>(values[i]);
  }
  *state = reinterpret_cast<LinkState>(made(link));
})
FAKE(cuLinkAddData, (LinkState state, int type, void *data, size_t bytes, const char *, unsigned, int *, void **), {
  auto *link = reinterpret_cast<Link *>(state);
  const char *text = static_cast<const char *>(data);
  if (type != kJitInputPtx || bytes == 0 || text[bytes - 1] != '\0')
    return 1;
  if (std::strstr(text, "nonsense")) {
    std::strncpy(link->errors, "ptxas application ptx input, line 7; fatal: Parsing error near 'nonsense'\n",
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
FAKE(cuLaunchKernelEx, (const LaunchConfig *config, Kernel kernel, void **parameters, void **), {
  *lastLaunch += *reinterpret_cast<std::string *>(kernel) + " grid " + std::to_string(config->grid[0]) + " threads " +
                 std::to_string(config->block[0]) + " shared " + std::to_string(config->sharedBytes);
  for (unsigned i = 0; i < config->attributeCount; ++i) {
    const LaunchAttribute &attribute = config->attributes[i];
    *lastLaunch += attribute.kind == kClusterDimension ? " cluster " + std::to_string(attribute.cluster.x)
                                                       : " overlap " + std::to_string(attribute.allowed);
  }
  if (*reinterpret_cast<std::string *>(kernel) == "mapped") {
    auto *map = static_cast<EncodedTensorMap *>(parameters[0]);
    *lastLaunch += " map " + std::to_string(map->words[0]);
    return reinterpret_cast<uintptr_t>(map) % 64 == 0 ? kSuccess : 1;
  }
  auto address = [&](int i) { return *static_cast<Pointer *>(parameters[i]); };
  issue([x = address(0), y = address(1), out = address(2), n = address(3)] {
    for (uint64_t i = 0; i < n; ++i)
      static_cast<float *>(at(out))[i] = static_cast<float *>(at(x))[i] + static_cast<float *>(at(y))[i];
  });
})
FAKE(cuTensorMapEncodeTiled,
     (EncodedTensorMap * map, int, unsigned rank, void *, const uint64_t *, const uint64_t *, const uint32_t *,
      const uint32_t *, int, int swizzle, int, int),
     map->words[0] = rank * 10 + swizzle;)

extern "C" {
__attribute__((visibility("default"))) Result cuDriverGetVersion(int *version) {
  *version = number("FAKE_CUDA_VERSION", 13000);
  return kSuccess;
}

__attribute__((visibility("default"))) Result cuGetProcAddress_v2(const char *name, void **function, int, uint64_t,
                                                                  int *) {
  const char *missing = std::getenv("FAKE_CUDA_MISSING");
  *function = nullptr;
  if (missing && std::string(missing) == name)
    return kNotFound;
#define FAKE_FIND(symbol, parameters)                                                                                  \
  if (std::string(name) == #symbol)                                                                                    \
    *function = reinterpret_cast<void *>(&symbol);
  NIBBLE_CUDA_FUNCTIONS(FAKE_FIND)
  return *function ? kSuccess : kNotFound;
}

// For the test: calls of a function since the last time this was asked, and what the last launch was.
__attribute__((visibility("default"))) int fakeCudaCalls(const char *name) { return std::exchange((*calls)[name], 0); }
__attribute__((visibility("default"))) const char *fakeCudaLaunch() {
  static std::string *taken = new std::string;
  *taken = std::exchange(*lastLaunch, "");
  return taken->c_str();
}
}
