// Opens shared libraries with dlopen.
#include "runtime/drivers/cuda/shared_library.h"

#include <fmt/format.h>

#include <dlfcn.h>

namespace nibble {

Result<std::shared_ptr<SharedLibrary>>
SharedLibrary::open(const std::string &name, const std::string &remedy) {
  void *handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *error = dlerror();
    return Status::environment(fmt::format("cannot load {} ({}); {}", name,
                                           error ? error : "no reason given",
                                           remedy));
  }
  return std::shared_ptr<SharedLibrary>(new SharedLibrary(name, handle));
}

SharedLibrary::~SharedLibrary() { dlclose(handle_); }

void *SharedLibrary::symbol(const char *name) const {
  return dlsym(handle_, name);
}

} // namespace nibble
