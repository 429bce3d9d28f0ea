// How long a call takes, and which kernels it is spent in.
#include "runtime/bundle/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace nibble {

// Commands recorded once and replayed: the median of five replays of `repeats` of them.
Result<double> DeviceExecutor::secondsOf(int repeats, const std::function<Status()> &issueOnce) {
  Device &device = residence_->device();
  NIBBLE_TRY(device.beginGraph());
  Status issued;
  for (int i = 0; i < repeats && issued.isOk(); ++i)
    issued = issueOnce();
  auto graph = device.endGraph();
  NIBBLE_TRY(std::move(issued));
  NIBBLE_ASSIGN(std::unique_ptr<DeviceGraph> recorded, std::move(graph));
  if (!recorded)
    return Status::usage("profile: this device records no graphs");
  std::vector<double> seconds;
  for (int run = 0; run < 6; ++run) {
    NIBBLE_TRY(device.synchronize());
    auto begin = std::chrono::steady_clock::now();
    NIBBLE_TRY(device.run(*recorded));
    NIBBLE_TRY(device.synchronize());
    if (run > 0) // the first warms up
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / repeats);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

Result<DeviceExecutor::CallTime> DeviceExecutor::time(int function, std::span<const TensorView> arguments,
                                                      int repeats) {
  if (residence_->device().checksAccesses())
    return Status::usage("profile: a device that checks every access has no time worth knowing; use cuda");
  Arena arena;
  NIBBLE_ASSIGN(auto results, call(function, arguments, arena));
  (void)results;
  NIBBLE_ASSIGN(Prepared * prepared, prepare(function, arguments));
  const CallPlan &plan = prepared->plan;
  const std::vector<DeviceAddress> addresses = prepared->addresses;
  CallTime time;
  NIBBLE_ASSIGN(time.seconds, secondsOf(repeats, [&] { return issueAll(plan, addresses); }));
  std::map<std::string, LaunchTime> kernels;
  for (const PlannedCommand &command : plan.commands) {
    bool launches = command.kind == PlannedCommand::Kind::kLaunch;
    std::string name = launches ? program_.kernels[command.kernel].name : "copies and fills";
    LaunchTime &kernel = kernels[name];
    kernel.kernel = name;
    ++kernel.launches;
    NIBBLE_ASSIGN(double seconds, secondsOf(repeats, [&] { return issue(plan, command, addresses); }));
    kernel.seconds += seconds;
    kernel.operations += command.operations;
    kernel.bytes += bytesGiven(plan, command);
  }
  for (auto &[name, kernel] : kernels)
    time.kernels.push_back(std::move(kernel));
  std::sort(time.kernels.begin(), time.kernels.end(), [](auto &a, auto &b) { return a.seconds > b.seconds; });
  return time;
}

std::string describe(const DeviceExecutor::CallTime &time) {
  std::string text = fmt::format("{:>10.1f} us a call\n", 1e6 * time.seconds);
  for (const DeviceExecutor::LaunchTime &kernel : time.kernels)
    text += fmt::format("{:>10.1f} us {:>5} launches {:>7.3f} TB/s {:>7.1f} TFLOP/s  {}\n", 1e6 * kernel.seconds,
                        kernel.launches, 1e-12 * static_cast<double>(kernel.bytes) / kernel.seconds,
                        1e-12 * static_cast<double>(kernel.operations) / kernel.seconds, kernel.kernel);
  return text;
}

} // namespace nibble
