// Finds ptxas and runs it.
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

Result<std::string> findPtxas() {
  if (const char *given = std::getenv("NIBBLE_PTXAS");
      given && StringRef(given) != "none") {
    if (!llvm::sys::fs::can_execute(given))
      return Status::environment(
          std::string("NIBBLE_PTXAS: '") + given +
          "' cannot be run; give the path of ptxas, or none");
    return std::string(given);
  } else if (given) {
    return std::string();
  }
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  const char *home = std::getenv("CUDA_HOME");
  for (std::string folder :
       {std::string(home ? home : ""), std::string("/usr/local/cuda")})
    if (std::string path = folder + "/bin/ptxas";
        !folder.empty() && llvm::sys::fs::can_execute(path))
      return path;
  return std::string();
}

// The number before `word` in a line like "Used 168 registers, used 2
// barriers"; 0 when there is none.
static int64_t numberBefore(StringRef line, StringRef word) {
  size_t at = line.find(word);
  if (at == StringRef::npos)
    return 0;
  StringRef before = line.take_front(at).rtrim();
  int64_t value = 0;
  (void)before
      .take_back(before.size() - (before.find_last_not_of("0123456789") + 1))
      .getAsInteger(10, value);
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
    } else if (kernel && line.contains("Used ") &&
               line.contains(" registers")) {
      kernel->registers = numberBefore(line, " registers");
      kernel->sharedBytes = numberBefore(line, " bytes smem");
    } else if (line.contains("Potential Performance Loss") ||
               line.contains("warning")) {
      out.warnings += line.str() + "\n";
    }
  }
}

// Why ptxas ended with `code`. A negative code means that it did not run or was
// killed, and `message` says which.
static Status refusal(const std::string &ptxas, int code,
                      const std::string &message, StringRef log) {
  if (code < 0)
    return Status::environment(
        ptxas + " did not run to its end: " + message +
        "; set NIBBLE_PTXAS to one that does, or to none");
  std::string first;
  for (StringRef line : llvm::split(log, '\n'))
    if (first.empty() && (line.contains("error") || line.contains("fatal")))
      first = line.trim().str();
  // ptxas is older than the .version or the target of the PTX.
  if (StringRef(first).contains("Unsupported .version") ||
      StringRef(first).contains("is not defined for option 'gpu-name'"))
    return Status::environment(
        ptxas + " is too old: " + first +
        "; install CUDA 12.3 or later, or set NIBBLE_PTXAS=none");
  if (first.empty())
    return Status::environment(
        ptxas + " ends with code " + std::to_string(code) +
        " and says no error; set NIBBLE_PTXAS to another, or to none");
  return Status::failed(
      ptxas + " refuses the kernels, a defect of this compiler: " + first +
      "; NIBBLE_PTXAS=none goes without it");
}

Status assemble(const std::string &ptxas, StringRef ptx, StringRef target,
                Assembly &out) {
  llvm::SmallString<128> folder;
  auto temporary = [](const std::error_code &failed) {
    return Status::environment(
        "no folder for temporary files: " + failed.message() + "; set TMPDIR");
  };
  if (auto failed =
          llvm::sys::fs::createUniqueDirectory("nibble-ptxas", folder))
    return temporary(failed);
  auto cleanUp = llvm::scope_exit(
      [&] { (void)llvm::sys::fs::remove_directories(folder); });
  std::string base = folder.str().str();
  std::string input = base + "/kernels.ptx";
  std::string output = base + "/kernels.cubin";
  std::string log = base + "/log";
  std::error_code failed;
  {
    llvm::raw_fd_ostream stream(input, failed);
    if (!failed) {
      stream << ptx;
      stream.flush();
      failed = stream.error();
      stream.clear_error(); // reported; else the destructor ends the process
    }
  }
  if (failed)
    return temporary(failed);
  std::string architecture = ("-arch=" + target).str();
  std::string message;
  // The compiler has contracted what may be contracted; ptxas must not add to
  // it.
  StringRef arguments[] = {ptxas, "-v", "--fmad=false", architecture,
                           input, "-o", output};
  std::optional<StringRef> redirects[] = {"", log, log};
  int code = llvm::sys::ExecuteAndWait(ptxas, arguments, std::nullopt,
                                       redirects, 0, 0, &message);
  auto text = llvm::MemoryBuffer::getFile(log);
  if (code != 0)
    return refusal(ptxas, code, message,
                   text ? (*text)->getBuffer() : StringRef());
  auto binary = llvm::MemoryBuffer::getFile(output, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!binary || !text)
    return Status::environment(
        ptxas +
        " left no machine code; set NIBBLE_PTXAS to another, or to none");
  out.cubin = (*binary)->getBuffer().str();
  readLog((*text)->getBuffer(), out);
  return Status::ok();
}

} // namespace nibble::nvptx
