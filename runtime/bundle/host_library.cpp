// Loads the shared library of a host bundle from memory and checks the CPU
// features that it needs.
#include "runtime/bundle/host_library.h"

#include "runtime/core/file.h"
#include "runtime/formats/json.h"

#include <fmt/format.h>

#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>

namespace nibble {

namespace {

// The loader identifies a library by its path, which contains the descriptor's
// number. The descriptor stays open while the library is loaded, so the number
// is not reused.
struct Library {
  Library(Descriptor memory, void *handle)
      : memory(std::move(memory)), handle(handle) {}
  ~Library() { dlclose(handle); }
  Descriptor memory;
  void *handle;
};

// Whether this CPU has a feature that can be queried. Other features (prefetch
// hints, tuning) are assumed. The names are LLVM's, which the compiler's
// builtin shares.
bool hasFeature(std::string_view name) {
  __builtin_cpu_init();
#define NIBBLE_CPU_FEATURE(feature)                                            \
  if (name == feature)                                                         \
  return __builtin_cpu_supports(feature)
  NIBBLE_CPU_FEATURE("sse4.1");
  NIBBLE_CPU_FEATURE("sse4.2");
  NIBBLE_CPU_FEATURE("popcnt");
  NIBBLE_CPU_FEATURE("avx");
  NIBBLE_CPU_FEATURE("avx2");
  NIBBLE_CPU_FEATURE("fma");
  NIBBLE_CPU_FEATURE("bmi");
  NIBBLE_CPU_FEATURE("bmi2");
  NIBBLE_CPU_FEATURE("avx512f");
  NIBBLE_CPU_FEATURE("avx512bw");
  NIBBLE_CPU_FEATURE("avx512cd");
  NIBBLE_CPU_FEATURE("avx512dq");
  NIBBLE_CPU_FEATURE("avx512vl");
  NIBBLE_CPU_FEATURE("avx512ifma");
  NIBBLE_CPU_FEATURE("avx512vbmi");
  NIBBLE_CPU_FEATURE("avx512vbmi2");
  NIBBLE_CPU_FEATURE("avx512vnni");
  NIBBLE_CPU_FEATURE("avx512bitalg");
  NIBBLE_CPU_FEATURE("avx512vpopcntdq");
  NIBBLE_CPU_FEATURE("gfni");
  NIBBLE_CPU_FEATURE("vpclmulqdq");
#undef NIBBLE_CPU_FEATURE
  return true;
}

} // namespace

Bundle hostBundle(std::string library, const std::string &cpu,
                  const std::vector<std::string> &features) {
  Bundle bundle;
  bundle.target = "host";
  bundle.sections["manifest"] = toText({{"cpu", cpu}, {"features", features}});
  bundle.sections["library"] = std::move(library);
  return bundle;
}

Result<Program> loadHostProgram(const Bundle &bundle, const std::string &path) {
  auto manifest = bundle.sections.find("manifest");
  auto library = bundle.sections.find("library");
  if (bundle.target != "host" || manifest == bundle.sections.end() ||
      library == bundle.sections.end())
    return Status::badInput(fmt::format("bundle {}: holds no program for the "
                                        "host; compile it with --target=host",
                                        path));
  NIBBLE_ASSIGN(Json needs, parseJson(manifest->second, path));
  const Json *features =
      needs.is_object() ? findField(needs, "features") : nullptr;
  if (!features || !features->is_array())
    return Status::badInput(fmt::format(
        "bundle {}: its manifest lists no features; compile it again", path));
  for (const Json &feature : *features)
    if (feature.is_string() && !hasFeature(feature.get<std::string>()))
      return Status::environment(
          fmt::format("bundle {}: needs a CPU with {}, which this one lacks; "
                      "compile it with --cpu",
                      path, feature.get<std::string>()));

  Descriptor memory(memfd_create("nibble-program", MFD_CLOEXEC));
  std::string name = fmt::format("/proc/self/fd/{}", memory.get());
  if (!memory.isOpen())
    return Status::environment(fmt::format(
        "bundle {}: no memory for its code: {}; use a machine with more", path,
        std::strerror(errno)));
  NIBBLE_ASSIGN(FileWriter writer, FileWriter::create(name, path));
  NIBBLE_TRY(writer.write(library->second));
  NIBBLE_TRY(writer.close());
  void *handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *error = dlerror();
    return Status::environment(fmt::format(
        "bundle {}: its code cannot be loaded: {}; compile it on this machine",
        path, error ? error : "no reason given"));
  }
  auto owner = std::make_shared<Library>(std::move(memory), handle);
  auto *table =
      static_cast<const nibble_program *>(dlsym(handle, "nibble_program"));
  if (!table)
    return Status::badInput(fmt::format(
        "bundle {}: its code has no table of functions; compile it again",
        path));
  return Program::create(*table, owner);
}

} // namespace nibble
