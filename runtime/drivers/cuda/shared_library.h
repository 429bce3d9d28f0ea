// A shared library that is found at run time, so that a build needs none of its
// headers.
#pragma once

#include "runtime/core/status.h"

#include <memory>
#include <string>

namespace nibble {

class SharedLibrary {
public:
  // Environment error with the loader's message and `remedy`.
  static Result<std::shared_ptr<SharedLibrary>> open(const std::string &name,
                                                     const std::string &remedy);
  ~SharedLibrary();
  // Null when the library has no symbol of that name.
  void *symbol(const char *name) const;
  const std::string &name() const { return name_; }

private:
  SharedLibrary(std::string name, void *handle)
      : name_(std::move(name)), handle_(handle) {}
  std::string name_;
  void *handle_;
};

} // namespace nibble
