// nibble-run with a compiler inside: JIT-executes any public function of a
// module. nibble-run starts it.
#include "lib/Driver/Session.h"
#include "tools/CommandLine.h"
#include "tools/CompilerFailures.h"
#include "tools/nibble-run/Run.h"

int main(int argc, char **argv) {
  CLI::App app(
      "Compiles a module for this machine and calls one of its functions.",
      "nibble-run");
  nibble::RunOptions options;
  nibble::addRunOptions(app, options);
  nibble::installCompilerHandlers(app.get_name());
  nibble::Status status;
  return nibble::runTool(app, argc, argv, status, [&] {
    return nibble::runProgram(
        options, [&]() -> nibble::Result<nibble::Program> {
          nibble::Session session([](const std::string &line) {
            fmt::print(stderr, "nibble-run: warning: {}\n", line);
          });
          NIBBLE_ASSIGN(auto module, session.parseFile(options.program));
          if (!options.pipeline.empty())
            NIBBLE_TRY(session.run(*module, options.pipeline));
          NIBBLE_TRY(session.run(*module, nibble::kPrepareForeign));
          return session.compileForHost(
              *module, {options.cpu, options.dumpLLVM, options.profile > 0});
        });
  });
}
