// A CUDA driver that runs PTX kernels on the CPU with the device simt. With it,
// tools for the cuda target run whole loops on a machine without a GPU, and
// fail where a test demands it.
#include "runtime/drivers/simt/ptx/ptx.h"
#include "runtime/drivers/simt/simt.h"
#include "test/runtime/drivers/cuda/fake/common.h"

#include <memory>
#include <variant>

namespace {

struct EmulatedModule;

struct EmulatedKernel {
  EmulatedModule *module = nullptr;
  int index = 0;
  std::vector<nibble::simt::Variable> parameters;
};

struct EmulatedModule {
  std::string ptx;
  std::shared_ptr<nibble::simt::Module> parsed;
  std::unique_ptr<nibble::DeviceModule> loaded;
  std::deque<EmulatedKernel> kernels;
};

nibble::Device &device() {
  static nibble::Device *opened = [] {
    auto options = nibble::SimtOptions::fromEnvironment();
    auto made =
        nibble::openSimt(options.isOk() ? *options : nibble::SimtOptions());
    return (new std::shared_ptr<nibble::Device>(*made))->get();
  }();
  return *opened;
}

// A kernel's fault ends the context. simt's message goes to standard error,
// since a driver returns only a number.
Result tell(const nibble::Status &status) {
  if (status.isOk())
    return kSuccess;
  std::fprintf(stderr, "fake driver: %s\n", status.message().c_str());
  return lost = 700;
}

Result queue(std::function<nibble::Status()> work) {
  if (!recording)
    return tell(work());
  recording->push_back([work = std::move(work)] { (void)tell(work()); });
  return kSuccess;
}

int64_t signedSize(size_t bytes) { return static_cast<int64_t>(bytes); }

// Stored in the 128 bytes of a driver's tensor map. Nothing else decodes them.
static_assert(sizeof(nibble::TensorMap) <= sizeof(EncodedTensorMap));

} // namespace

FAKE(cuMemGetInfo, (size_t *free, size_t *total), {
  nibble::DeviceMemory memory = device().memory();
  *free = static_cast<size_t>(memory.free),
  *total = static_cast<size_t>(memory.total);
})
FAKE(cuMemAlloc, (Pointer * address, size_t bytes), {
  auto made = device().allocate(signedSize(bytes), "memory");
  if (!made.isOk())
    return kOutOfMemory;
  *address = *made;
})
FAKE(cuMemFree, (Pointer address), device().release(address);)
FAKE(cuMemcpyHtoDAsync, (Pointer to, const void *from, size_t bytes, Stream),
     return tell(device().upload(to, from, signedSize(bytes)));)
FAKE(cuMemcpyDtoHAsync, (void *to, Pointer from, size_t bytes, Stream),
     return tell(device().download(to, from, signedSize(bytes)));)
FAKE(cuMemcpyDtoDAsync, (Pointer to, Pointer from, size_t bytes, Stream),
     return queue([=] { return device().copy(to, from, signedSize(bytes)); });)
FAKE(cuMemsetD8Async, (Pointer to, unsigned char value, size_t bytes, Stream),
     return queue([=] { return device().fill(to, value, signedSize(bytes)); });)

FAKE(cuModuleLoadData, (Module * module, const void *image), {
  const char *code = static_cast<const char *>(image);
  // Machine code from a real assembler.
  if (std::strncmp(code, "FAKECUBIN ", 10) != 0)
    return 200;
  auto *own = new EmulatedModule{code + 10, nullptr, nullptr, {}};
  auto parsed = nibble::simt::parsePtx(own->ptx);
  if (!parsed.isOk())
    return kInvalidPtx;
  own->parsed = *parsed;
  std::vector<std::string> names;
  for (const auto &[name, function] : own->parsed->functions) {
    if (!function.isEntry)
      continue;
    EmulatedKernel kernel{own, static_cast<int>(names.size()), {}};
    kernel.parameters = function.parameters;
    own->kernels.push_back(std::move(kernel));
    names.emplace_back(name);
  }
  auto loaded = device().load({"emulated", own->ptx, "", "sm_90a"}, names);
  if (!loaded.isOk())
    return kInvalidPtx;
  own->loaded = *std::move(loaded);
  *module = reinterpret_cast<Module>(own);
})
FAKE(cuModuleLoadDataEx, (Module *, const void *, unsigned, int *, void **),
     return kInvalidPtx;)
FAKE(cuModuleUnload, (Module module),
     delete reinterpret_cast<EmulatedModule *>(module);)
FAKE(cuModuleGetFunction, (Kernel * kernel, Module module, const char *name), {
  auto *own = reinterpret_cast<EmulatedModule *>(module);
  size_t index = 0;
  for (const auto &[known, function] : own->parsed->functions) {
    if (function.isEntry && known == name) {
      *kernel = reinterpret_cast<Kernel>(&own->kernels[index]);
      return kSuccess;
    }
    index += function.isEntry;
  }
  return kNotFound;
})
FAKE(cuFuncSetAttribute, (Kernel, int, int))

FAKE(cuLaunchKernelEx,
     (const LaunchConfig *config, Kernel handle, void **parameters, void **), {
       auto *kernel = reinterpret_cast<EmulatedKernel *>(handle);
       nibble::Launch launch;
       for (int i = 0; i < 3; ++i) {
         launch.grid[i] = config->grid[i];
         // As the real driver does.
         if (config->grid[i] == 0)
           return kInvalidValue;
       }
       launch.threads = config->block[0];
       launch.sharedBytes = config->sharedBytes;
       for (unsigned i = 0; i < config->attributeCount; ++i) {
         if (config->attributes[i].kind == kClusterDimension)
           launch.cluster = config->attributes[i].cluster.x;
         else
           launch.overlap = config->attributes[i].allowed != 0;
       }
       std::vector<nibble::KernelArgument> arguments;
       for (size_t i = 0; i < kernel->parameters.size(); ++i) {
         const nibble::simt::Variable &parameter = kernel->parameters[i];
         if (parameter.align >= 64) {
           nibble::TensorMap map;
           std::memcpy(&map, parameters[i], sizeof map);
           arguments.emplace_back(map);
           continue;
         }
         std::vector<uint64_t> values((parameter.bytes + 7) / 8);
         std::memcpy(values.data(), parameters[i], parameter.bytes);
         arguments.insert(arguments.end(), values.begin(), values.end());
         if (values.size() > 1) // the last parameter
           launch.table = static_cast<uint32_t>(values.size());
       }
       return queue([=] {
         return device().launch(*kernel->module->loaded, kernel->index, launch,
                                arguments);
       });
     })

FAKE(cuTensorMapEncodeTiled,
     (EncodedTensorMap * encoded, int type, unsigned rank, void *address,
      const uint64_t *extents, const uint64_t *strides, const uint32_t *box,
      const uint32_t *, int, int swizzle, int, int),
     {
       nibble::TensorMap map;
       map.address = reinterpret_cast<nibble::DeviceAddress>(address);
       map.elementBytes = type == kUint8 ? 1 : type == kUint16 ? 2 : 4;
       map.rank = rank;
       map.swizzle = swizzle == kSwizzleNone ? 0 : 16u << swizzle;
       for (unsigned i = 0; i < rank; ++i) {
         map.extents[i] = extents[i];
         map.box[i] = box[i];
         if (i + 1 < rank)
           map.strides[i] = strides[i];
         // CUDA Driver API, "Tensor Map Object Management": no extent is zero
         // or above 2^32.
         if (extents[i] == 0 || extents[i] > uint64_t{1} << 32)
           return kInvalidValue;
       }
       std::memcpy(encoded, &map, sizeof map);
     })

NIBBLE_FAKE_EXPORTS
