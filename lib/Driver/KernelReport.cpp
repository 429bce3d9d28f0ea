// Counts the bytes and operations of each launch and the least time that an
// H200 needs for them.
#include "lib/Driver/KernelReport.h"

#include "runtime/bundle/device/call_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace nibble {

namespace {

struct Work {
  int64_t launches = 0;
  bool isKnown = true; // whether the bytes and operations are known
  double bytes = 0, operations = 0, floor = 0; // floor: seconds
};

Status addWork(const DeviceProgram &program, int function,
               const GpuTarget &target, int64_t tokens,
               std::vector<Work> &work) {
  std::vector<Shape> shapes;
  for (const ProgramValue &argument : program.functions[function].arguments) {
    Shape shape = argument.shape;
    std::replace(shape.begin(), shape.end(), int64_t{-1}, tokens);
    shapes.push_back(std::move(shape));
  }
  NIBBLE_ASSIGN(CallPlan plan, planCall(program, function, shapes));
  for (const PlannedCommand &command : plan.commands) {
    if (command.kind != PlannedCommand::Kind::kLaunch)
      continue;
    Work &of = work[command.kernel];
    std::optional<int64_t> touched = bytesTouched(plan, command);
    double bytes = static_cast<double>(touched.value_or(0));
    double operations = static_cast<double>(command.operations);
    ++of.launches;
    of.isKnown &= touched.has_value();
    of.bytes += bytes;
    of.operations += operations;
    of.floor += std::max(bytes / target.copyBytesPerSecond,
                         operations / target.matrixOperationsPerSecond);
  }
  return Status::ok();
}

} // namespace

Result<std::string> kernelReport(const DeviceProgram &program,
                                 const nvptx::Assembly &assembly,
                                 const GpuTarget &target, int64_t tokens) {
  std::vector<Work> work(program.kernels.size());
  for (size_t i = 0; i < program.functions.size(); ++i)
    if (program.functions[i].exported)
      NIBBLE_TRY(addWork(program, static_cast<int>(i), target, tokens, work));
  bool assembled = !assembly.kernels.empty();
  std::string text = fmt::format(
      "of every function called once with {} tokens; floors of "
      "{:g} bytes/s and {:g} operations/s; {}\n",
      tokens, target.copyBytesPerSecond, target.matrixOperationsPerSecond,
      assembled ? "registers and spills by ptxas"
                : "no ptxas: registers and spills are not known");
  text +=
      fmt::format("{:>8} {:>8} {:>9} {:>7} {:>9} {:>10} {:>10} {:>10}  {}\n",
                  "threads", "shared", "registers", "spills", "launches", "MB",
                  "GFLOP", "floor us", "kernel");
  for (size_t i = 0; i < program.kernels.size(); ++i) {
    const ProgramKernel &kernel = program.kernels[i];
    auto found = assembly.kernels.find(kernel.name);
    std::string registers = "?", spills = "?";
    if (found != assembly.kernels.end()) {
      registers = std::to_string(found->second.registers);
      spills = std::to_string(found->second.spillStoreBytes +
                              found->second.spillLoadBytes);
    }
    auto known = [&](double value) {
      return work[i].isKnown ? fmt::format("{:.2f}", value) : std::string("-");
    };
    text += fmt::format(
        "{:>8} {:>8} {:>9} {:>7} {:>9} {:>10} {:>10.2f} {:>10}  {}{}{}\n",
        kernel.threads, kernel.sharedBytes, registers, spills, work[i].launches,
        known(1e-6 * work[i].bytes), 1e-9 * work[i].operations,
        known(1e6 * work[i].floor), kernel.name,
        kernel.description.empty() ? "" : ": ", kernel.description);
  }
  if (!assembly.warnings.empty())
    text += assembly.warnings;
  return text;
}

} // namespace nibble
