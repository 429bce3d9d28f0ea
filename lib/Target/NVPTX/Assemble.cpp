#include "lib/Target/NVPTX/Assemble.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using llvm::StringRef;

namespace nibble::nvptx {

std::string findPtxas() {
  if (const char *given = std::getenv("NIBBLE_PTXAS"))
    return llvm::sys::fs::can_execute(given) ? given : "";
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  const char *home = std::getenv("CUDA_HOME");
  for (std::string folder : {std::string(home ? home : ""), std::string("/usr/local/cuda")})
    if (std::string path = folder + "/bin/ptxas"; !folder.empty() && llvm::sys::fs::can_execute(path))
      return path;
  return "";
}

// The number before `word` in a line like "Used 168 registers, used 2 barriers"; 0 when there is none.
static int64_t numberBefore(StringRef line, StringRef word) {
  size_t at = line.find(word);
  if (at == StringRef::npos)
    return 0;
  StringRef before = line.take_front(at).rtrim();
  int64_t value = 0;
  (void)before.take_back(before.size() - (before.find_last_not_of("0123456789") + 1)).getAsInteger(10, value);
  return value;
}

static void readLog(StringRef log, Assembly &out) {
  KernelResources *kernel = nullptr;
  while (!log.empty()) {
    StringRef line;
    std::tie(line, log) = log.split('\n');
    if (line.contains("Compiling entry function")) {
      kernel = &out.kernels[line.split('\'').second.split('\'').first.str()];
    } else if (kernel && line.contains("spill stores")) {
      kernel->stackBytes = numberBefore(line, " bytes stack frame");
      kernel->spillStoreBytes = numberBefore(line, " bytes spill stores");
      kernel->spillLoadBytes = numberBefore(line, " bytes spill loads");
    } else if (kernel && line.contains("Used ") && line.contains(" registers")) {
      kernel->registers = numberBefore(line, " registers");
      kernel->sharedBytes = numberBefore(line, " bytes smem");
    } else if (line.contains("Potential Performance Loss") || line.contains("warning")) {
      out.warnings += line.str() + "\n";
    }
  }
}

bool assemble(const std::string &ptxas, StringRef ptx, StringRef target, Assembly &out, std::string &error) {
  llvm::SmallString<128> folder;
  if (auto failed = llvm::sys::fs::createUniqueDirectory("nibble-ptxas", folder)) {
    error = "no folder for temporary files: " + failed.message() + "; set TMPDIR";
    return false;
  }
  auto cleanUp = llvm::scope_exit([&] { (void)llvm::sys::fs::remove_directories(folder); });
  std::string base = folder.str().str(), input = base + "/kernels.ptx", output = base + "/kernels.cubin", log = base + "/log";
  std::error_code failed;
  {
    llvm::raw_fd_ostream stream(input, failed);
    if (!failed)
      stream << ptx;
  }
  std::string architecture = ("-arch=" + target).str();
  // Contraction is the compiler's choice, which has made it.
  StringRef arguments[] = {ptxas, "-v", "--fmad=false", architecture, input, "-o", output};
  std::optional<StringRef> redirects[] = {"", log, log};
  int code = failed ? -1 : llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0, 0, &error);
  auto text = llvm::MemoryBuffer::getFile(log);
  if (code != 0) {
    if (text)
      for (StringRef line : llvm::split((*text)->getBuffer(), '\n'))
        if (line.contains("error") || line.contains("fatal")) {
          error = line.str();
          break;
        }
    return false;
  }
  auto binary = llvm::MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!binary || !text) {
    error = "left no machine code";
    return false;
  }
  out.cubin = (*binary)->getBuffer().str();
  readLog((*text)->getBuffer(), out);
  return true;
}

} // namespace nibble::nvptx
