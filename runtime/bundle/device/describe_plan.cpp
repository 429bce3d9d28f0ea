// Prints a planned call for nibble-run --plan.
#include "runtime/bundle/device/call_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace nibble {

std::optional<int64_t> bytesTouched(const CallPlan &plan,
                                    const PlannedCommand &command) {
  if (command.kind == PlannedCommand::Kind::kCopy)
    return 2 * plan.buffers[command.to].bytes;
  if (command.kind == PlannedCommand::Kind::kFill)
    return plan.buffers[command.to].bytes;
  std::set<int32_t> wholly;
  bool partly = false;
  auto add = [&](const auto &argument) {
    partly |= argument.partly;
    if (!argument.partly)
      wholly.insert(argument.buffer);
  };
  for (const PlannedArgument &argument : command.arguments) {
    if (const auto *pointer = std::get_if<PlannedPointer>(&argument))
      add(*pointer);
    else if (const auto *map = std::get_if<PlannedTensorMap>(&argument))
      add(*map);
  }
  if (partly && command.partlyBytes < 0)
    return std::nullopt;
  int64_t bytes = partly ? command.partlyBytes : 0;
  for (int32_t buffer : wholly)
    if (__builtin_add_overflow(bytes, plan.buffers[buffer].bytes, &bytes))
      return std::nullopt;
  return bytes;
}

std::string describe(const DeviceProgram &program, int function,
                     const CallPlan &plan, int largest) {
  const ProgramFunction &called = program.functions[function];
  int64_t parameters = 0, state = 0, inputs = 0, results = 0, constants = 0;
  std::set<int32_t> returned(plan.results.begin(), plan.results.end());
  for (const PlannedBuffer &buffer : plan.buffers) {
    if (buffer.place == PlannedBuffer::Place::kInput)
      inputs += buffer.bytes;
    else if (buffer.place == PlannedBuffer::Place::kBound)
      (called.arguments[buffer.index].role == NIBBLE_ROLE_PARAMETER ? parameters
                                                                    : state) +=
          buffer.bytes;
  }
  for (const ProgramConstant &constant : program.constants)
    constants += static_cast<int64_t>(constant.bytes.size());
  for (int32_t buffer : returned)
    if (plan.buffers[buffer].place == PlannedBuffer::Place::kArena)
      results += plan.buffers[buffer].bytes;

  // Find the command with the most live bytes. The peak can only be where a
  // buffer's lifetime begins.
  // Each change is (step, bytes); at one step, ends sort before beginnings.
  std::vector<std::pair<int64_t, int64_t>> changes;
  for (const PlannedBuffer &buffer : plan.buffers)
    if (buffer.place == PlannedBuffer::Place::kArena &&
        buffer.end > buffer.begin) {
      changes.push_back({buffer.begin, buffer.bytes});
      changes.push_back({buffer.end, -buffer.bytes});
    }
  std::sort(changes.begin(), changes.end());
  int64_t alive = 0, peak = 0, peakStep = 0;
  for (auto [step, bytes] : changes)
    if (alive += bytes; alive > peak) {
      peak = alive;
      peakStep = step;
    }
  auto line = [](const char *what, int64_t bytes) {
    return fmt::format("  {:<20} {:>14} bytes\n", what, bytes);
  };
  std::string text = fmt::format("{}: {} launches, copies and fills\n",
                                 called.name, plan.commands.size());
  text += line("parameters", parameters) + line("state", state) +
          line("constants", constants) + line("inputs", inputs) +
          line("temporaries, peak", plan.arenaBytes - plan.inputBytes) +
          line("of these results", results);
  text += line("total", parameters + state + constants + plan.arenaBytes);

  std::vector<const PlannedBuffer *> atPeak;
  for (const PlannedBuffer &buffer : plan.buffers)
    if (buffer.place == PlannedBuffer::Place::kArena &&
        buffer.begin <= peakStep && peakStep < buffer.end)
      atPeak.push_back(&buffer);
  std::sort(atPeak.begin(), atPeak.end(), [](auto *a, auto *b) {
    return a->bytes != b->bytes ? a->bytes > b->bytes : a < b;
  });
  for (size_t i = 0; i < atPeak.size() && i < static_cast<size_t>(largest);
       ++i) {
    // A buffer is named after the command that writes it first.
    std::string by = "nothing yet";
    if (auto command = static_cast<size_t>(atPeak[i]->begin);
        command < plan.commands.size())
      by = plan.commands[command].kind == PlannedCommand::Kind::kLaunch
               ? program.kernels[plan.commands[command].kernel].name
               : "copy or fill";
    text += fmt::format(
        "  at the peak {:>22} bytes  {} {}, since {} (command {})\n",
        atPeak[i]->bytes, nameOf(atPeak[i]->dtype), toString(atPeak[i]->shape),
        by, atPeak[i]->begin);
  }
  return text;
}

} // namespace nibble
