// The options of nibble-run.
#include "tools/nibble-run/Run.h"

namespace nibble {

void addRunOptions(CLI::App &app, RunOptions &options) {
  app.add_option("program", options.program,
                 "bundle (.nbl), or module in textual MLIR")
      ->required();
  app.add_option("--entry", options.entry, "public function to call")
      ->required();
  app.add_option("--inputs", options.inputs,
                 "arguments by name (arg0, arg1, ... when they have none): "
                 "safetensors, or JSON when the file ends "
                 "with .json; may be given again")
      ->allow_extra_args(false);
  auto *model = app.add_option(
      "--model", options.model,
      "checkpoint folder for parameters and state that no file has");
  app.add_option("--random", options.random,
                 "seed of random weights for them instead, and of inputs of "
                 "floats whose extents are known")
      ->excludes(model);
  app.add_option("--out", options.out,
                 "safetensors to write: results and updated state; default: "
                 "print the first values of each");
  app.add_option("--target", options.target,
                 "of a bundle, where to run it: host, simt or cuda; default: "
                 "what it is for")
      ->check(CLI::IsMember({"host", "simt", "cuda"}));
  app.add_flag("--dry-run", options.dryRun,
               "of a bundle for a device, print the plan of its memory and "
               "call nothing");
  app.add_option("--pipeline", options.pipeline,
                 "of a module, passes to run first, as nibble-opt's "
                 "--pass-pipeline takes them");
  app.add_option("--cpu", options.cpu,
                 "of a module, CPU to compile for: host, or a name LLVM knows");
  app.add_option("--threads", options.threads,
                 "threads; default: one for each core");
  app.add_flag("--dump-llvm", options.dumpLLVM,
               "of a module, print the optimized LLVM IR");
  app.add_option("--profile", options.profile,
                 "calls to time after a first one; the time of each kernel "
                 "goes to standard error. State goes on from "
                 "call to call");
}

} // namespace nibble
