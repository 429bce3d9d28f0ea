// nibble-run: JIT-executes any public function of a module.
#include "tools/CommandLine.h"
#include "tools/nibble-run/Run.h"

int main(int argc, char **argv) {
  CLI::App app("Compiles a module for this machine and calls one of its functions.", "nibble-run");
  nibble::RunOptions options;
  app.add_option("program", options.program, "module in textual MLIR")->required();
  app.add_option("--entry", options.entry, "public function to call")->required();
  app.add_option("--inputs", options.inputs,
                 "arguments by name (arg0, arg1, ... when they have none): safetensors, or JSON when the file ends "
                 "with .json; may be given again")
      ->allow_extra_args(false);
  auto *model = app.add_option("--model", options.model, "checkpoint folder for parameters and state that no file has");
  app.add_option("--random", options.random, "seed of random weights for them instead")->excludes(model);
  app.add_option("--out", options.out,
                 "safetensors to write: results and updated state; default: print the first values of each");
  app.add_option("--pipeline", options.pipeline, "passes to run first, as nibble-opt's --pass-pipeline takes them");
  app.add_option("--cpu", options.cpu, "CPU to compile for: host, or a name LLVM knows");
  app.add_option("--threads", options.threads, "threads; default: one for each core");
  app.add_flag("--dump-llvm", options.dumpLLVM, "print the optimized LLVM IR");
  app.add_option("--profile", options.profile,
                 "calls to time after a first one; the time of each kernel goes to standard error. State goes on from "
                 "call to call");
  nibble::Status status;
  return nibble::runTool(app, argc, argv, status, [&] { return nibble::runProgram(options); });
}
