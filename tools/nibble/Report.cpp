// nibble report: shows the metrics of one or several runs as one page.
#include "tools/nibble/Commands.h"

#include "runtime/report/report.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace nibble {

static Status report(const std::vector<std::string> &folders,
                     const std::string &out) {
  std::vector<RunSeries> runs;
  for (const std::string &folder : folders) {
    // "name=folder" gives the run another name in the legend.
    size_t equals = folder.find('=');
    std::filesystem::path path(
        equals == std::string::npos ? folder : folder.substr(equals + 1));
    std::string name = equals == std::string::npos
                           ? (path.has_filename() ? path : path.parent_path())
                                 .filename()
                                 .string()
                           : folder.substr(0, equals);
    NIBBLE_ASSIGN(RunSeries run, readRun(path, name));
    runs.push_back(std::move(run));
  }
  NIBBLE_TRY(writeReport(runs, out));
  fmt::print("{}: {} runs\n", out, runs.size());
  return Status::ok();
}

void addReport(CLI::App &app, Status &status) {
  auto *command = app.add_subcommand(
      "report",
      "Draw the metrics of runs over each other in one self-contained page.");
  struct Arguments {
    std::vector<std::string> folders;
    std::string out = "report.html";
  };
  auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("runs", arguments->folders,
                   "folders of runs, or name=folder")
      ->required();
  command->add_option("--out", arguments->out, "file to write")
      ->capture_default_str();
  command->callback([arguments, &status] {
    status = report(arguments->folders, arguments->out);
  });
}

} // namespace nibble
