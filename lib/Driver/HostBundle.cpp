// Links host code into a shared library and writes it as a bundle.
#include "lib/Driver/HostBundle.h"

#include "lib/Target/Host/Compile.h"
#include "runtime/bundle/host_library.h"
#include "runtime/formats/io.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"

#include <fmt/format.h>

namespace nibble {

namespace {

// The linker of the LLVM that this was built with, else one in PATH.
std::string findLinker() {
  if (llvm::sys::fs::can_execute(NIBBLE_LLD))
    return NIBBLE_LLD;
  for (const char *name : {"ld.lld-22", "ld.lld"})
    if (auto found = llvm::sys::findProgramByName(name))
      return *found;
  return "";
}

// An ELF shared library of one object file.
Result<std::string> link(const std::string &object) {
  std::string linker = findLinker();
  if (linker.empty())
    return Status::environment(
        "bundle: no linker; install lld-22 (./dev setup does)");
  llvm::SmallString<128> folder;
  if (auto error = llvm::sys::fs::createUniqueDirectory("nibble-link", folder))
    return Status::environment("bundle: no folder for temporary files: " +
                               error.message() + "; set TMPDIR");
  auto cleanUp = llvm::scope_exit(
      [&] { (void)llvm::sys::fs::remove_directories(folder); });
  std::string base = folder.str().str();
  std::string input = base + "/program.o";
  std::string output = base + "/program.so";
  std::string errors = base + "/errors";
  NIBBLE_TRY(writeFileAtomically(input, object));
  llvm::StringRef arguments[] = {
      linker, "-shared", "-z", "noexecstack", "--build-id=none",
      "-o",   output,    input};
  std::optional<llvm::StringRef> redirects[] = {"", errors, errors};
  std::string message;
  int code = llvm::sys::ExecuteAndWait(linker, arguments, std::nullopt,
                                       redirects, 0, 0, &message);
  if (code != 0) {
    auto text = readWholeFile(errors, 1 << 20);
    std::string first =
        text.isOk() ? text->substr(0, text->find('\n')) : message;
    return Status::environment(
        fmt::format("bundle: {} failed ({}): {}; install lld-22 anew", linker,
                    code, first));
  }
  return readWholeFile(output, uint64_t{1} << 34);
}

} // namespace

Status writeHostBundle(Session &session, mlir::ModuleOp module,
                       const HostOptions &options, const std::string &path,
                       const std::string &properties) {
  NIBBLE_ASSIGN(host::ObjectFile object,
                session.compileToObject(module, options));
  NIBBLE_ASSIGN(std::string library, link(object.bytes));
  Bundle bundle = hostBundle(std::move(library), object.cpu, object.features);
  if (!properties.empty())
    bundle.sections["properties"] = properties;
  return writeBundle(path, bundle);
}

} // namespace nibble
