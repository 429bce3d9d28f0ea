// What nibble-run does, apart from its command line. Neither MLIR nor LLVM.
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
  std::string entry;   // a public function
  std::vector<std::string>
      inputs;        // safetensors or JSON: arguments by name; see InputFiles
  std::string model; // checkpoint folder for parameters and state that no file
                     // has. May be empty.
  std::optional<uint64_t> random; // seed of random weights for them instead
  std::string out; // safetensors: results and updated state. May be empty: then
                   // a line for each is printed.
  std::string
      target; // of a bundle: what to run it on; empty: what it was compiled for
  std::string pipeline; // passes to run before lowering. May be empty.
  std::string cpu = "host";
  int threads = 0; // 0: what OpenMP decides
  bool dumpLLVM = false;
  bool dryRun = false;
  int profile = 0; // calls to time, after one to warm up; kernels are listed on
                   // standard error. 0: one call, not timed
};

void addRunOptions(CLI::App &app, RunOptions &options);

// Calls the function of the program that `load` gives once, writes what came
// back. A packed weight may be given as U8 bytes in its layout.
Status runProgram(const RunOptions &options,
                  const std::function<Result<Program>()> &load);

// Prints what a call of the bundle's function would keep in a device's memory;
// needs no device. Bad input when extents are not known that no file of inputs
// gives.
Status printPlan(const RunOptions &options);

} // namespace nibble
