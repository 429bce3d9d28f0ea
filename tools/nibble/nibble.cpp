// nibble: the user's tool. Each command is a file beside this one.
#include "tools/nibble/Commands.h"

#include "runtime/core/stop.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

int main(int argc, char **argv) {
  CLI::App app("Trains and rolls out language models in INT4 from one graph.", "nibble");
  app.set_version_flag("--version", NIBBLE_VERSION);
  app.require_subcommand(1);
  app.fallthrough(false);
  nibble::Status status;
  for (nibble::AddCommand add : nibble::kCommands)
    add(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(nibble::Code::kUsage);
  }
  if (!status.isOk())
    fmt::print(stderr, "nibble: {}\n", status.message());
  return status.exitCode();
}
