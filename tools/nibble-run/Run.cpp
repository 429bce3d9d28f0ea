#include "tools/nibble-run/Run.h"

#include "lib/Driver/Session.h"
#include "runtime/core/check.h"
#include "runtime/formats/safetensors.h"

#include <fmt/format.h>
#include <omp.h>

namespace nibble {

// The tensor that a file holds for an argument; packed weights are bytes, which files call U8 or I8.
static Result<Tensor> readArgument(const SafetensorsFile &file, const nibble_value_info &info, const std::string &function) {
  const TensorInfo *tensor = file.find(info.name);
  if (!tensor)
    return Status::badInput(fmt::format("{}: holds no tensor '{}', an argument of '{}'; add it", file.path(), info.name, function));
  return file.read(*tensor);
}

Status runProgram(const RunOptions &options) {
  if (options.threads > 0)
    omp_set_num_threads(options.threads);
  Session session;
  NIBBLE_ASSIGN(auto module, session.parseFile(options.program));
  if (!options.pipeline.empty())
    NIBBLE_TRY(session.run(*module, options.pipeline));
  HostOptions host;
  host.cpu = options.cpu;
  host.dumpLLVM = options.dumpLLVM;
  NIBBLE_ASSIGN(Program program, session.compileForHost(*module, host));
  NIBBLE_ASSIGN(Function function, program.function(options.entry));

  std::vector<Tensor> arguments;
  std::vector<NamedTensor> outputs;
  const nibble_function &info = function.info();
  if (info.argument_count > 0) {
    if (options.inputs.empty())
      return Status::usage(fmt::format("'{}' takes {} arguments; name a safetensors file with --inputs", options.entry,
                                       info.argument_count));
    NIBBLE_ASSIGN(auto file, SafetensorsFile::open(options.inputs));
    for (int i = 0; i < info.argument_count; ++i) {
      NIBBLE_ASSIGN(Tensor tensor, readArgument(file, info.arguments[i], options.entry));
      arguments.push_back(std::move(tensor));
      NIBBLE_TRY(function.bind(i, arguments.back().view()));
      if (info.arguments[i].role == NIBBLE_ROLE_STATE)
        outputs.push_back({info.arguments[i].name, arguments.back().view()});
    }
  }
  Arena arena;
  NIBBLE_ASSIGN(auto results, function.call(arena));
  std::vector<std::string> failures = takeCheckFailures();
  for (size_t i = 1; i < failures.size(); ++i)
    fmt::print(stderr, "nibble-run: {}\n", failures[i - 1]);
  if (!failures.empty())
    return Status::failed(failures.back());
  for (int i = 0; i < info.result_count; ++i)
    outputs.push_back({info.results[i].name, results[i]});
  if (!options.out.empty())
    return writeSafetensors(options.out, outputs);
  for (const NamedTensor &output : outputs)
    fmt::print("{} {} {}\n", output.name, nameOf(output.view.dtype), toString(output.view.shape));
  return Status::ok();
}

} // namespace nibble
