// What every tool with a CLI11 command line shares: errors are one line on
// standard error, with an exit code of status.h.
#pragma once

#include "runtime/core/guarded_call.h"
#include "runtime/core/status.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <string>

namespace nibble {

// One line for an invalid argument: the error, then how to get help.
inline std::string usageMessage(const CLI::App &app,
                                const CLI::ParseError &error) {
  const CLI::App *command = &app;
  while (!command->get_subcommands().empty())
    command = command->get_subcommands().front();
  std::string name = command == &app
                         ? app.get_name()
                         : app.get_name() + " " + command->get_name();
  std::string help = "; see " + name + " --help";
  // CLI11 reports missing arguments first, but an unknown argument is the
  // likelier mistake.
  if (auto unknown = app.remaining(/*recurse=*/true); !unknown.empty()) {
    if (command != &app || app.get_subcommands(nullptr).empty() ||
        unknown.front().starts_with('-'))
      return "unknown argument '" + unknown.front() + "'" + help;
    std::string commands;
    for (const CLI::App *known :
         app.get_subcommands([](const CLI::App *) { return true; }))
      commands += (commands.empty() ? "" : ", ") + known->get_name();
    return "unknown command '" + unknown.front() + "'; there are " + commands;
  }
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return (command == &app && error.get_name() == "RequiredError"
              ? "no command given"
              : text) +
         help;
}

// Handles lack of memory and failed assertions where no status can be returned:
// in a parallel region of generated code. No destructor may run, because other
// threads may be running.
inline void installNoWayOut(const std::string &tool) {
  static std::string name;
  name = tool;
  onNoWayOut([](EarlyEnd why) {
    if (why.violated) {
      fmt::print(stderr,
                 "{}: {} (an assertion in a parallel region); give inputs for "
                 "which it "
                 "holds\n",
                 name, why.violated);
      std::_Exit(static_cast<int>(Code::kFailed));
    }
    fmt::print(stderr,
               "{}: no memory for {} bytes in a parallel region; use a smaller "
               "batch, or a machine with more\n",
               name, why.bytes);
    std::_Exit(static_cast<int>(Code::kEnvironment));
  });
}

// Parses the command line, which runs the callbacks of commands, and then calls
// `work` if given. `status`, or an exception of a library, becomes the message
// and the exit code.
inline int runTool(CLI::App &app, int argc, char **argv, Status &status,
                   const std::function<Status()> &work = {}) {
  // A file that may not grow becomes an ordinary error of write(2).
  std::signal(SIGXFSZ, SIG_IGN);
  installNoWayOut(app.get_name());
  try {
    app.parse(argc, argv);
    if (work)
      status = work();
  } catch (const CLI::ParseError &error) {
    // For --help and --version.
    if (error.get_exit_code() == 0)
      return app.exit(error);
    status = Status::usage(usageMessage(app, error));
  } catch (const std::bad_alloc &) {
    status = Status::environment(
        "out of memory; use a smaller model or batch, or a machine with more");
  } catch (const std::exception &error) {
    status = Status::failed(std::string("unexpected: ") + error.what() +
                            "; report this defect");
  }
  if (!status.isOk())
    fmt::print(stderr, "{}: {}\n", app.get_name(), status.message());
  return status.exitCode();
}

} // namespace nibble
