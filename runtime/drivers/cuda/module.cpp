// Loads kernels, assembles PTX when there is no machine code, and reports the
// assembler's errors.
#include "runtime/drivers/cuda/module.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble::cuda {

namespace {

// Option of the assembler; part of the cache's key.
constexpr const char *kOptions = "target 90a";
constexpr size_t kLogBytes = 16 << 10;

std::string oneLine(std::string text) {
  text = text.substr(0, text.find('\0'));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.size() > 800 ? text.substr(0, 800) + "..." : text;
}

// Options of the driver's assembler, and the buffers for its messages.
struct Assembler {
  std::string info = std::string(kLogBytes, '\0'),
              errors = std::string(kLogBytes, '\0');
  int options[5] = {kInfoLog, kInfoLogBytes, kErrorLog, kErrorLogBytes,
                    kJitTarget};
  void *values[5] = {info.data(), reinterpret_cast<void *>(kLogBytes),
                     errors.data(), reinterpret_cast<void *>(kLogBytes),
                     reinterpret_cast<void *>(uintptr_t{kTarget90a})};

  Status status(const Driver &driver, Result result, const char *call,
                const KernelImage &image) const {
    std::string log = oneLine(errors);
    std::string more = oneLine(info);
    std::string why = fmt::format(
        "cuda: {} of {}: {}{}{}", call, image.name, driver.describe(result),
        log.empty() ? "" : ": " + log, more.empty() ? "" : "; " + more);
    if (result == kUnsupportedPtx)
      return Status::environment(why + "; update the NVIDIA driver");
    return result == kOutOfMemory
               ? Status::environment(why)
               : Status::badInput(why + "; compile it again");
  }
};

// Assembles PTX to machine code that the cache can keep.
nibble::Result<std::string> assemble(const Driver &driver,
                                     const KernelImage &image) {
  Assembler assembler;
  LinkState state = nullptr;
  NIBBLE_TRY(driver.check(
      driver->cuLinkCreate(5, assembler.options, assembler.values, &state),
      "cuLinkCreate", image.name));
  std::string ptx = image.ptx; // including the terminating zero
  Result result =
      driver->cuLinkAddData(state, kJitInputPtx, ptx.data(), ptx.size() + 1,
                            image.name.c_str(), 0, nullptr, nullptr);
  const char *call = "cuLinkAddData";
  void *cubin = nullptr;
  size_t bytes = 0;
  if (result == kSuccess) {
    call = "cuLinkComplete";
    result = driver->cuLinkComplete(state, &cubin, &bytes);
  }
  std::string code;
  if (result == kSuccess)
    code.assign(static_cast<const char *>(cubin), bytes);
  // The code was copied already, so a failure is harmless.
  (void)driver->cuLinkDestroy(state);
  if (result == kSuccess)
    return code;
  return assembler.status(driver, result, call, image);
}

// Loads PTX directly as a module. This serves drivers whose linker refuses PTX
// that their loader accepts.
Status loadPtx(const Driver &driver, const KernelImage &image, Module &module) {
  Assembler assembler;
  constexpr unsigned kLogs = 4; // without the target, which is the device's
  Result result = driver->cuModuleLoadDataEx(
      &module, image.ptx.c_str(), kLogs, assembler.options, assembler.values);
  return result == kSuccess
             ? Status::ok()
             : assembler.status(driver, result, "cuModuleLoadDataEx", image);
}

} // namespace

nibble::Result<std::unique_ptr<LoadedModule>>
LoadedModule::load(std::shared_ptr<Driver> driver, const KernelImage &image,
                   std::span<const std::string> kernels,
                   const std::string &architecture, const KernelCache &cache) {
  if (image.target != architecture)
    return Status::environment(fmt::format(
        "cuda: the kernels of {} are for {}, this device is {}; compile for it",
        image.name, image.target, architecture));
  const Driver &functions = *driver;
  Module module = nullptr;
  if (!image.cubin.empty()) {
    Result result = functions->cuModuleLoadData(&module, image.cubin.data());
    if (result != kSuccess && image.ptx.empty())
      return functions.check(result, "cuModuleLoadData", image.name);
  }
  std::string key;
  if (!module) {
    key = KernelCache::keyOf(image.ptx, functions.version(), architecture,
                             kOptions);
    // An entry with a correct hash that the driver still refuses is assembled
    // again.
    if (auto code = cache.find(key);
        code && functions->cuModuleLoadData(&module, code->data()) != kSuccess)
      module = nullptr;
  }
  if (!module) {
    auto code = assemble(functions, image);
    if (code.isOk() &&
        functions->cuModuleLoadData(&module, code->data()) == kSuccess)
      cache.keep(key, *code);
    else if (Status status = loadPtx(functions, image, module); !status.isOk())
      return code.isOk() ? status : std::move(code).takeStatus();
  }
  std::unique_ptr<LoadedModule> loaded(
      new LoadedModule(std::move(driver), module));
  for (const std::string &name : kernels) {
    Entry entry{name};
    Result result =
        functions->cuModuleGetFunction(&entry.kernel, module, name.c_str());
    if (result == kNotFound)
      return Status::badInput(fmt::format(
          "cuda: {} has no kernel '{}'; compile it again", image.name, name));
    NIBBLE_TRY(functions.check(result, "cuModuleGetFunction", name));
    loaded->entries.push_back(std::move(entry));
  }
  return loaded;
}

LoadedModule::~LoadedModule() {
  // Fails after a fault, and then there is no remedy.
  (void)(*driver_)->cuModuleUnload(module_);
}

} // namespace nibble::cuda
