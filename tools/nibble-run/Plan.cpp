// nibble-run --plan: prints what a call would do on a device.
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/device/call_plan.h"
#include "tools/nibble-run/Inputs.h"
#include "tools/nibble-run/Run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace nibble {

Status printPlan(const RunOptions &options) {
  NIBBLE_ASSIGN(InputFiles files, InputFiles::open(options.inputs));
  NIBBLE_ASSIGN(Bundle bundle, readBundle(options.program));
  NIBBLE_ASSIGN(DeviceProgram program,
                deviceProgramOf(bundle, options.program));
  std::vector<std::string> names;
  int function = -1;
  for (size_t i = 0; i < program.functions.size(); ++i) {
    if (!program.functions[i].exported)
      continue;
    names.push_back(program.functions[i].name);
    if (names.back() == options.entry)
      function = static_cast<int>(i);
  }
  if (function < 0)
    return Status::usage(fmt::format("program: no function '{}'; it has {}",
                                     options.entry, fmt::join(names, ", ")));
  std::vector<Shape> shapes;
  for (const ProgramValue &value : program.functions[function].arguments) {
    nibble_value_info info{};
    info.name = value.name.c_str();
    info.role = value.role;
    info.dtype = value.dtype;
    info.rank = static_cast<int32_t>(value.shape.size());
    std::copy(value.shape.begin(), value.shape.end(), info.shape);
    NIBBLE_ASSIGN(std::optional<Tensor> given, files.read(info));
    if (!given && std::find(value.shape.begin(), value.shape.end(), -1) !=
                      value.shape.end())
      return Status::badInput(
          fmt::format("no tensor '{}', an argument of '{}' whose extents are "
                      "not known; give it with "
                      "--inputs",
                      value.name, options.entry));
    shapes.push_back(given ? given->shape() : value.shape);
  }
  NIBBLE_ASSIGN(CallPlan plan, planCall(program, function, shapes));
  fmt::print("{}", describe(program, function, plan));
  return Status::ok();
}

} // namespace nibble
