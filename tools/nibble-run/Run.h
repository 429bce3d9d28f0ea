// What nibble-run does, apart from its command line.
#pragma once

#include "runtime/core/status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble {

struct RunOptions {
  std::string program;             // textual MLIR
  std::string entry;               // a public function
  std::vector<std::string> inputs; // safetensors or JSON: arguments by name; see InputFiles
  std::string model;               // checkpoint folder for parameters and state that no file has. May be empty.
  std::optional<uint64_t> random;  // seed of random weights for them instead
  std::string out;      // safetensors: results and updated state. May be empty: then a line for each is printed.
  std::string pipeline; // passes to run before lowering. May be empty.
  std::string cpu = "host";
  int threads = 0; // 0: what OpenMP decides
  bool dumpLLVM = false;
  int profile = 0; // calls to time, after one to warm up; kernels are listed on standard error. 0: one call, not timed
};

// Compiles the module, calls the function once, writes what came back. A packed weight may be given as U8 bytes in its
// layout.
Status runProgram(const RunOptions &options);

} // namespace nibble
