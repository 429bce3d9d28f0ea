// The work of nibble-run, apart from its command line. It uses neither MLIR nor
// LLVM.
#pragma once

#include "runtime/core/program/program.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

struct RunOptions {
  std::string program; // a bundle, or textual MLIR
  std::string entry;   // name of a public function
  // Safetensors or JSON files with arguments by name; see InputFiles.
  std::vector<std::string> inputs;
  // Checkpoint folder for parameters and state that no file has; may be empty.
  std::string model;
  std::optional<uint64_t> random; // seed of random weights to use instead
  // Safetensors file for results and updated state; when empty, a line is
  // printed for each.
  std::string out;
  // For a bundle: where to run it; when empty, where it was compiled for.
  std::string target;
  std::string pipeline; // passes to run before lowering; may be empty
  std::string cpu = "host";
  int threads = 0; // 0: what OpenMP decides
  bool dumpLLVM = false;
  bool dryRun = false;
  // Number of timed calls, after one to warm up; kernel times go to standard
  // error. 0 makes one call without timing.
  int profile = 0;
};

void addRunOptions(CLI::App &app, RunOptions &options);

// Calls the function once, in the program that `load` returns, and writes the
// results. A packed weight may be given as U8 bytes in its layout.
Status runProgram(const RunOptions &options,
                  const std::function<Result<Program>()> &load);

// Prints the device memory that a call of the bundle's function would take;
// needs no device. Bad input when neither the function nor a file of inputs
// gives an extent.
Status printPlan(const RunOptions &options);

} // namespace nibble
