// nibble-run: calls a function of a bundle, without a compiler. A textual
// module goes to nibble-run-mlir, which contains one.
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/open_bundle.h"
#include "tools/CommandLine.h"
#include "tools/nibble-run/Run.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unistd.h>

// Replaces this process by the other tool, which stands beside this one.
// Returns only when that fails.
static nibble::Status handOver(char **argv) {
  std::error_code error;
  std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  std::filesystem::path compiler = self.parent_path() / "nibble-run-mlir";
  execv(compiler.c_str(), argv);
  return nibble::Status::environment(
      fmt::format("{}: {}; only bundles run without the compiler, make one "
                  "with nibble compile -o",
                  compiler.string(), std::strerror(errno)));
}

int main(int argc, char **argv) {
  CLI::App app("Calls one function of a bundle; or compiles a module for this "
               "machine first.",
               "nibble-run");
  nibble::RunOptions options;
  nibble::addRunOptions(app, options);
  nibble::Status status;
  return nibble::runTool(app, argc, argv, status, [&]() -> nibble::Status {
    if (!options.program.ends_with(".nbl") &&
        !nibble::isBundle(options.program))
      return options.dryRun
                 ? nibble::Status::usage(
                       "--dry-run is for a bundle, not for a module in text; "
                       "leave it out or compile the module first")
                 : handOver(argv);
    if (!options.pipeline.empty() || options.dumpLLVM)
      return nibble::Status::usage(
          "--pipeline and --dump-llvm are for a "
          "module in text, not for a bundle; leave them out");
    if (options.dryRun)
      return nibble::printPlan(options);
    return nibble::runProgram(options, [&] {
      return nibble::openBundle(options.program, {options.target, nullptr});
    });
  });
}
