// Measures the time of a call and of each of its kernels.
#include "runtime/bundle/device/executor.h"

#include "runtime/bundle/device/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace nibble {

namespace {

// Copies of buffers, `count` for each, in memory of their own.
class BufferCopies {
public:
  explicit BufferCopies(int count) : count_(count) {}

  void add(const CallPlan &plan, std::span<const DeviceAddress> addresses,
           int32_t buffer) {
    int64_t bytes = plan.buffers[buffer].bytes;
    auto isSame = [&](const Item &item) { return item.buffer == buffer; };
    if (bytes == 0 || std::any_of(items_.begin(), items_.end(), isSame))
      return;
    items_.push_back({buffer, addresses[buffer], bytes, stride_});
    stride_ +=
        (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  }
  Status allocate(const std::shared_ptr<DeviceResidence> &residence) {
    if (items_.empty())
      return Status::ok();
    auto memory =
        ResidentTensor::create(residence, DType::kU8, {count_ * stride_},
                               "copies of a kernel's buffers");
    if (!memory.isOk())
      return std::move(memory).takeStatus().within("profile");
    memory_.emplace(*std::move(memory));
    return Status::ok();
  }
  // Fills every copy from its buffer.
  Status take(Device &device) const {
    for (const Item &item : items_)
      for (int i = 0; i < count_; ++i)
        NIBBLE_TRY(device.copy(place(item, i), item.address, item.bytes));
    return Status::ok();
  }
  // Restores the buffers from their first copies.
  Status putBack(Device &device) const {
    for (const Item &item : items_)
      NIBBLE_TRY(device.copy(item.address, place(item, 0), item.bytes));
    return Status::ok();
  }
  // Replaces the buffers in `addresses` by their copies number `i`.
  void point(std::vector<DeviceAddress> &addresses, int i) const {
    for (const Item &item : items_)
      addresses[item.buffer] = place(item, i);
  }

private:
  struct Item {
    int32_t buffer;
    DeviceAddress address;
    int64_t bytes, offset;
  };
  DeviceAddress place(const Item &item, int i) const {
    return memory_->view().device +
           static_cast<uint64_t>(i * stride_ + item.offset);
  }

  int count_;
  std::vector<Item> items_;
  int64_t stride_ = 0; // bytes of one copy of all buffers
  std::optional<ResidentTensor> memory_;
};

} // namespace

// Records `repeats` runs of the commands and replays them; returns the median
// of five replays, divided by `repeats`. `issueOnce` gets the number of the
// repetition. `before` runs before each replay, off the clock.
Result<double>
DeviceExecutor::secondsOf(int repeats,
                          const std::function<Status(int)> &issueOnce,
                          const std::function<Status()> &before) {
  Device &device = residence_->device();
  NIBBLE_TRY(device.beginGraph());
  Status issued;
  for (int i = 0; i < repeats && issued.isOk(); ++i)
    issued = issueOnce(i);
  auto graph = device.endGraph();
  NIBBLE_TRY(std::move(issued));
  NIBBLE_ASSIGN(std::unique_ptr<DeviceGraph> recorded, std::move(graph));
  if (!recorded)
    return Status::usage(
        "profile: this device records no graphs; use --target=cuda");
  std::vector<double> seconds;
  for (int run = 0; run < 6; ++run) {
    if (before)
      NIBBLE_TRY(before());
    NIBBLE_TRY(device.synchronize());
    auto begin = std::chrono::steady_clock::now();
    NIBBLE_TRY(device.run(*recorded));
    NIBBLE_TRY(device.synchronize());
    if (run > 0) // the first run warms up
      seconds.push_back(std::chrono::duration<double>(
                            std::chrono::steady_clock::now() - begin)
                            .count() /
                        repeats);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

// Measures one command alone at its position in the call. Earlier commands have
// run and later ones have not, so its buffers hold what they hold in a call.
// (The arena gives their memory to other buffers later.) Each repetition has
// its own copies of the buffers that the command consumes, made off the clock,
// so each does the same work. At the end the temporaries are restored, and the
// command runs once more for the later commands.
Result<double>
DeviceExecutor::secondsOf(const CallPlan &plan, const PlannedCommand &command,
                          std::span<const DeviceAddress> addresses,
                          int repeats) {
  Device &device = residence_->device();
  BufferCopies temporaries(1);
  BufferCopies consumed(repeats);
  auto add = [&](int32_t buffer) {
    if (plan.buffers[buffer].place == PlannedBuffer::Place::kArena)
      temporaries.add(plan, addresses, buffer);
  };
  for (const PlannedArgument &argument : command.arguments) {
    if (const auto *pointer = std::get_if<PlannedPointer>(&argument)) {
      add(pointer->buffer);
      if (pointer->consumed)
        consumed.add(plan, addresses, pointer->buffer);
    } else if (const auto *map = std::get_if<PlannedTensorMap>(&argument)) {
      add(map->buffer);
    }
  }
  NIBBLE_TRY(temporaries.allocate(residence_));
  NIBBLE_TRY(consumed.allocate(residence_));
  NIBBLE_TRY(temporaries.take(device));
  std::vector<DeviceAddress> own(addresses.begin(), addresses.end());
  auto issueOnce = [&](int repetition) {
    consumed.point(own, repetition);
    return issue(plan, command, own);
  };
  NIBBLE_ASSIGN(double seconds, secondsOf(repeats, issueOnce, [&] {
                  return consumed.take(device);
                }));
  NIBBLE_TRY(temporaries.putBack(device));
  NIBBLE_TRY(issue(plan, command, addresses));
  NIBBLE_TRY(device.synchronize()); // before the copies are released
  return seconds;
}

Result<DeviceExecutor::CallTime>
DeviceExecutor::time(int function, std::span<const TensorView> arguments,
                     int repeats) {
  if (residence_->device().checksAccesses())
    return Status::usage("profile: a device that checks every access has no "
                         "time worth knowing; use cuda");
  Arena arena;
  NIBBLE_ASSIGN(auto results, call(function, arguments, arena));
  (void)results;
  NIBBLE_ASSIGN(Prepared * prepared, prepare(function, arguments));
  const CallPlan &plan = prepared->plan;
  const std::vector<DeviceAddress> addresses = prepared->addresses;
  CallTime time;
  time.limits = residence_->device().limits();
  NIBBLE_ASSIGN(
      time.seconds,
      secondsOf(repeats, [&](int) { return issueAll(plan, addresses); }, {}));
  std::map<std::string, LaunchTime> kernels;
  for (const PlannedCommand &command : plan.commands) {
    bool launches = command.kind == PlannedCommand::Kind::kLaunch;
    std::string name =
        launches ? program_.kernels[command.kernel].name : "copies and fills";
    LaunchTime &kernel =
        kernels.try_emplace(name, LaunchTime{name, 0, 0, int64_t{0}, 0, 0})
            .first->second;
    ++kernel.launches;
    NIBBLE_ASSIGN(double seconds, secondsOf(plan, command, addresses, repeats));
    kernel.seconds += seconds;
    kernel.operations += command.operations;
    std::optional<int64_t> bytes = bytesTouched(plan, command);
    kernel.largest = std::max(kernel.largest, bytes.value_or(0));
    if (kernel.bytes)
      kernel.bytes =
          bytes ? std::optional(*kernel.bytes + *bytes) : std::nullopt;
  }
  for (auto &[name, kernel] : kernels)
    time.kernels.push_back(std::move(kernel));
  std::sort(time.kernels.begin(), time.kernels.end(),
            [](auto &a, auto &b) { return a.seconds > b.seconds; });
  return time;
}

std::string describe(const DeviceExecutor::CallTime &time) {
  std::string text = fmt::format("{:>10.1f} us a call\n", 1e6 * time.seconds);
  bool cached = false, impossible = false;
  for (const DeviceExecutor::LaunchTime &kernel : time.kernels) {
    double bytes =
        kernel.bytes ? static_cast<double>(*kernel.bytes) / kernel.seconds : 0;
    double operations = static_cast<double>(kernel.operations) / kernel.seconds;
    // ' ' marks a plausible rate, '*' one served by the cache, '!' an
    // implausible one.
    auto mark = [&](double rate, double most, bool fitsCache) {
      if (most <= 0 || rate <= most)
        return ' ';
      (fitsCache ? cached : impossible) = true;
      return fitsCache ? '*' : '!';
    };
    auto column = [](bool isKnown, int width, int digits, double rate) {
      return isKnown ? fmt::format("{:>{}.{}f}", 1e-12 * rate, width, digits)
                     : fmt::format("{:>{}}", "-", width);
    };
    bool fits =
        time.limits.cacheBytes > 0 && kernel.largest <= time.limits.cacheBytes;
    text +=
        fmt::format("{:>10.1f} us {:>5} launches {} TB/s{} {} TFLOP/s{}  {}\n",
                    1e6 * kernel.seconds, kernel.launches,
                    column(kernel.bytes.has_value(), 7, 3, bytes),
                    mark(bytes, time.limits.bytesPerSecond, fits),
                    column(kernel.operations > 0, 7, 1, operations),
                    mark(operations, time.limits.operationsPerSecond, false),
                    kernel.kernel);
  }
  if (cached)
    text += fmt::format("* more than the {:.1f} TB/s of the device's memory: "
                        "between repetitions the buffers stay in "
                        "its cache of {} MiB\n",
                        1e-12 * time.limits.bytesPerSecond,
                        time.limits.cacheBytes >> 20);
  if (impossible)
    text += fmt::format("! more than the device can do ({:.1f} TB/s, {:.0f} "
                        "TFLOP/s): what was counted or timed is "
                        "wrong, do not believe it\n",
                        1e-12 * time.limits.bytesPerSecond,
                        1e-12 * time.limits.operationsPerSecond);
  return text;
}

} // namespace nibble
