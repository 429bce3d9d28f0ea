// A CUDA driver that uses the host's memory. It knows one kernel, `add`(x, y,
// out, n), and runs it when the queue reaches it.
#include "test/runtime/drivers/cuda/fake/common.h"

namespace {

std::string *lastLaunch = new std::string;
std::deque<std::string> *kernels = new std::deque<std::string>;

void issue(std::function<void()> work) {
  if (recording)
    recording->push_back(std::move(work));
  else
    work();
}

void *at(Pointer address) { return reinterpret_cast<void *>(address); }

} // namespace

FAKE(cuMemGetInfo, (size_t *free, size_t *total), *free = 1000; *total = 5000;)
FAKE(cuMemAlloc, (Pointer * address, size_t bytes),
     *address = reinterpret_cast<Pointer>(
         std::aligned_alloc(512, (bytes + 511) / 512 * 512));)
FAKE(cuMemFree, (Pointer address), std::free(at(address));)
FAKE(cuMemcpyHtoDAsync, (Pointer to, const void *from, size_t bytes, Stream),
     std::memcpy(at(to), from, bytes);)
FAKE(cuMemcpyDtoHAsync, (void *to, Pointer from, size_t bytes, Stream),
     std::memcpy(to, at(from), bytes);)
FAKE(cuMemcpyDtoDAsync, (Pointer to, Pointer from, size_t bytes, Stream),
     issue([=] { std::memcpy(at(to), at(from), bytes); });)
FAKE(cuMemsetD8Async, (Pointer to, unsigned char value, size_t bytes, Stream),
     issue([=] { std::memset(at(to), value, bytes); });)
FAKE(cuModuleLoadData, (Module * module, const void *image), {
  std::string code = static_cast<const char *>(image);
  if (code.rfind("FAKECUBIN", 0) != 0)
    return 200;
  *module = reinterpret_cast<Module>(made(code));
})
FAKE(cuModuleLoadDataEx,
     (Module * module, const void *image, unsigned, int *, void **), {
       std::string code = static_cast<const char *>(image);
       if (code.find("nonsense") != std::string::npos)
         return kInvalidPtx;
       *module = reinterpret_cast<Module>(made(code));
     })
FAKE(cuModuleUnload, (Module module),
     delete reinterpret_cast<std::string *>(module);)
FAKE(cuModuleGetFunction, (Kernel * kernel, Module module, const char *name), {
  if (reinterpret_cast<std::string *>(module)->find(
          std::string(".entry ") + name + "(") == std::string::npos)
    return kNotFound;
  kernels->emplace_back(name);
  *kernel = reinterpret_cast<Kernel>(&kernels->back());
})
FAKE(cuFuncSetAttribute, (Kernel, int attribute, int value),
     *lastLaunch = "attribute " + std::to_string(attribute) + "=" +
                   std::to_string(value) + ";";)
FAKE(cuLaunchKernelEx,
     (const LaunchConfig *config, Kernel kernel, void **parameters, void **), {
       *lastLaunch += *reinterpret_cast<std::string *>(kernel) + " grid " +
                      std::to_string(config->grid[0]) + " threads " +
                      std::to_string(config->block[0]) + " shared " +
                      std::to_string(config->sharedBytes);
       for (unsigned i = 0; i < config->attributeCount; ++i) {
         const LaunchAttribute &attribute = config->attributes[i];
         *lastLaunch += attribute.kind == kClusterDimension
                            ? " cluster " + std::to_string(attribute.cluster.x)
                            : " overlap " + std::to_string(attribute.allowed);
       }
       if (*reinterpret_cast<std::string *>(kernel) == "mapped") {
         auto *map = static_cast<EncodedTensorMap *>(parameters[0]);
         *lastLaunch += " map " + std::to_string(map->words[0]);
         return reinterpret_cast<uintptr_t>(map) % 64 == 0 ? kSuccess : 1;
       }
       if (*reinterpret_cast<std::string *>(kernel) == "tabled") {
         auto *table = static_cast<uint64_t *>(parameters[1]);
         *lastLaunch +=
             " of " + std::to_string(*static_cast<uint64_t *>(parameters[0])) +
             ": " + std::to_string(table[0]) + " " + std::to_string(table[1]) +
             " " + std::to_string(table[2]);
         return kSuccess;
       }
       auto address = [&](int i) {
         return *static_cast<Pointer *>(parameters[i]);
       };
       issue([x = address(0), y = address(1), out = address(2),
              n = address(3)] {
         for (uint64_t i = 0; i < n; ++i)
           static_cast<float *>(at(out))[i] =
               static_cast<float *>(at(x))[i] + static_cast<float *>(at(y))[i];
       });
     })
FAKE(cuTensorMapEncodeTiled,
     (EncodedTensorMap * map, int, unsigned rank, void *, const uint64_t *,
      const uint64_t *, const uint32_t *, const uint32_t *, int, int swizzle,
      int, int),
     map->words[0] = rank * 10 + swizzle;)

NIBBLE_FAKE_EXPORTS

extern "C" {
// For the test: the number of calls of a function since the last query, and the
// last launch.
__attribute__((visibility("default"))) int fakeCudaCalls(const char *name) {
  return std::exchange((*calls)[name], 0);
}
__attribute__((visibility("default"))) const char *fakeCudaLaunch() {
  static std::string *taken = new std::string;
  *taken = std::exchange(*lastLaunch, "");
  return taken->c_str();
}
}
