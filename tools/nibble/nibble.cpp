// nibble: the user's tool. Each command is a file beside this one.
#include "tools/CommandLine.h"
#include "tools/CompilerFailures.h"
#include "tools/nibble/Commands.h"

int main(int argc, char **argv) {
  CLI::App app("Trains and rolls out language models in INT4 from one graph.",
               "nibble");
  app.set_version_flag("--version", NIBBLE_VERSION);
  app.require_subcommand(1);
  app.fallthrough(false);
  nibble::installCompilerHandlers(app.get_name());
  nibble::Status status;
  for (nibble::AddCommand add : nibble::kCommands)
    add(app, status);
  if (argc == 1) {
    fmt::print("{}", app.help());
    return 0;
  }
  return nibble::runTool(app, argc, argv, status);
}
