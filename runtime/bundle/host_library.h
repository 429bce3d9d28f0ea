// Host programs in bundles: a shared library that is loaded from memory.
#pragma once

#include "runtime/bundle/bundle.h"
#include "runtime/core/program/program.h"

#include <string>
#include <string_view>
#include <vector>

namespace nibble {

// Makes a bundle for the host. `features` are LLVM's names of CPU features that
// the code may use ("avx2", "avx512f").
Bundle hostBundle(std::string library, const std::string &cpu,
                  const std::vector<std::string> &features);

// Loads the program of a host bundle. Environment error when this CPU lacks a
// feature (named) or the library cannot be loaded. Bad input when the bundle is
// for another target or its library has no table.
Result<Program> loadHostProgram(const Bundle &bundle, const std::string &path);

} // namespace nibble
