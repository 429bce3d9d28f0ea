// Executes planned calls on a device, and records repeated calls as graphs.
#include "runtime/bundle/device/executor.h"

#include "runtime/bundle/device/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace nibble {

namespace {

constexpr size_t kMostPlans = 64;
constexpr int kRunsBeforeGraph = 2;
// Most bytes that are combined into one upload or one download.
constexpr int64_t kStagedTogether = int64_t{4} << 20;
constexpr int64_t kSmallResult = int64_t{1} << 16; // bytes

using Place = PlannedBuffer::Place;

} // namespace

Result<std::unique_ptr<DeviceExecutor>>
DeviceExecutor::create(DeviceProgram program,
                       std::shared_ptr<DeviceResidence> residence) {
  std::unique_ptr<DeviceExecutor> executor(
      new DeviceExecutor(std::move(program), std::move(residence)));
  Device &device = executor->residence_->device();
  std::vector<std::string> kernels;
  for (const ProgramKernel &kernel : executor->program_.kernels)
    kernels.push_back(kernel.name);
  NIBBLE_ASSIGN(executor->module_,
                device.load(executor->program_.image, kernels));
  for (const ProgramConstant &constant : executor->program_.constants) {
    auto bytes = static_cast<int64_t>(constant.bytes.size());
    NIBBLE_ASSIGN(
        DeviceAddress address,
        device.allocate(std::max<int64_t>(bytes, 1), "constants of a program"));
    executor->constants_.push_back(address);
    NIBBLE_TRY(device.upload(address, constant.bytes.data(), bytes));
  }
  for (const ProgramFunction &function : executor->program_.functions) {
    std::vector<int> &open = executor->open_.emplace_back();
    for (size_t i = 0; i < function.arguments.size(); ++i)
      if (const auto &shape = function.arguments[i].shape;
          std::find(shape.begin(), shape.end(), -1) != shape.end())
        open.push_back(static_cast<int>(i));
  }
  return executor;
}

DeviceExecutor::~DeviceExecutor() {
  prepared_.clear(); // graphs go before the memory that they refer to
  module_.reset();
  for (DeviceAddress address : constants_)
    residence_->device().release(address);
  for (const auto &[result, kept] : kept_)
    residence_->device().release(kept.address);
}

Result<DeviceExecutor::Prepared *>
DeviceExecutor::prepare(int function, std::span<const TensorView> arguments) {
  std::vector<int64_t> key = {function};
  std::vector<Shape> shapes;
  for (int argument : open_[function])
    key.insert(key.end(), arguments[argument].shape.begin(),
               arguments[argument].shape.end());
  if (auto found = byKey_.find(key); found != byKey_.end()) {
    prepared_.splice(prepared_.begin(), prepared_, found->second);
    return &prepared_.front();
  }
  for (const TensorView &argument : arguments)
    shapes.push_back(argument.shape);
  Prepared prepared;
  NIBBLE_ASSIGN(prepared.plan, planCall(program_, function, shapes));
  prepared.key = key;
  ++statistics_.plans;
  if (prepared_.size() >= kMostPlans) {
    byKey_.erase(prepared_.back().key);
    prepared_.pop_back();
  }
  prepared_.push_front(std::move(prepared));
  byKey_[std::move(key)] = prepared_.begin();
  return &prepared_.front();
}

// Uploads the host's inputs to the beginning of the arena. They go in one piece
// when the span from the first to the last is short.
Status DeviceExecutor::upload(const CallPlan &plan,
                              std::span<const TensorView> arguments,
                              DeviceAddress arena) {
  Device &device = residence_->device();
  auto isHosts = [&](size_t i) {
    const PlannedBuffer &buffer = plan.buffers[i];
    return buffer.place == Place::kInput && !arguments[i].device &&
           buffer.bytes > 0;
  };
  int64_t begin = plan.inputBytes;
  int64_t end = 0;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (isHosts(i)) {
      begin = std::min(begin, plan.buffers[i].offset);
      end = std::max(end, plan.buffers[i].offset + plan.buffers[i].bytes);
    }
  bool together = end - begin <= kStagedTogether && arena;
  if (together && end > begin)
    staging_.resize(static_cast<size_t>(end - begin));
  for (size_t i = 0; i < arguments.size(); ++i) {
    const PlannedBuffer &buffer = plan.buffers[i];
    if (!isHosts(i))
      continue;
    if (together)
      std::memcpy(staging_.data() + (buffer.offset - begin), arguments[i].data,
                  static_cast<size_t>(buffer.bytes));
    else
      NIBBLE_TRY(device.upload(arena + static_cast<uint64_t>(buffer.offset),
                               arguments[i].data, buffer.bytes));
  }
  return together && end > begin
             ? device.upload(arena + static_cast<uint64_t>(begin),
                             staging_.data(), end - begin)
             : Status::ok();
}

Status DeviceExecutor::launch(const PlannedCommand &command,
                              std::span<const DeviceAddress> addresses) {
  std::vector<KernelArgument> arguments;
  arguments.reserve(command.arguments.size());
  for (const PlannedArgument &argument : command.arguments) {
    if (const auto *integer = std::get_if<uint64_t>(&argument)) {
      arguments.emplace_back(*integer);
    } else if (const auto *pointer = std::get_if<PlannedPointer>(&argument)) {
      arguments.emplace_back(addresses[pointer->buffer]);
    } else {
      const auto &planned = std::get<PlannedTensorMap>(argument);
      TensorMap map = planned.map;
      map.address =
          addresses[planned.buffer] + static_cast<uint64_t>(planned.offset);
      arguments.emplace_back(map);
    }
  }
  return residence_->device().launch(*module_, command.kernel, command.launch,
                                     arguments);
}

Status DeviceExecutor::issue(const CallPlan &plan,
                             const PlannedCommand &command,
                             std::span<const DeviceAddress> addresses) {
  Device &device = residence_->device();
  switch (command.kind) {
  case PlannedCommand::Kind::kCopy:
    return device.copy(addresses[command.to], addresses[command.from],
                       plan.buffers[command.to].bytes);
  case PlannedCommand::Kind::kFill:
    return device.fill(addresses[command.to], command.value,
                       plan.buffers[command.to].bytes);
  default:
    return launch(command, addresses);
  }
}

Status DeviceExecutor::issueAll(const CallPlan &plan,
                                std::span<const DeviceAddress> addresses) {
  for (const PlannedCommand &command : plan.commands)
    NIBBLE_TRY(issue(plan, command, addresses));
  return Status::ok();
}

// Replays the graph for these addresses when there is one. Records one when the
// addresses have recurred often enough.
Status DeviceExecutor::runAsOne(Prepared &prepared) {
  Device &device = residence_->device();
  if (!prepared.graph) {
    if (!hasGraphs_ || prepared.runs < kRunsBeforeGraph) {
      ++prepared.runs;
      return issueAll(prepared.plan, prepared.addresses);
    }
    NIBBLE_TRY(device.beginGraph());
    Status issued = issueAll(prepared.plan, prepared.addresses);
    // Also after an error, because the queue must stop recording.
    auto graph = device.endGraph();
    NIBBLE_TRY(std::move(issued));
    NIBBLE_ASSIGN(prepared.graph, std::move(graph));
    if (!prepared.graph) {
      hasGraphs_ = false;
      return Status::ok();
    }
    ++statistics_.graphs;
  }
  ++statistics_.replays;
  return device.run(*prepared.graph);
}

Result<std::vector<TensorView>>
DeviceExecutor::download(const CallPlan &plan,
                         std::span<const DeviceAddress> addresses,
                         std::span<const int> kept, Arena &arena) {
  std::vector<TensorView> results;
  if (piece_.bytes > 0) {
    staging_.resize(static_cast<size_t>(piece_.bytes));
    NIBBLE_TRY(residence_->device().download(staging_.data(), piece_.address,
                                             piece_.bytes));
  }
  for (int32_t index : plan.results) {
    const PlannedBuffer &buffer = plan.buffers[index];
    if (std::binary_search(kept.begin(), kept.end(),
                           static_cast<int>(results.size()))) {
      results.push_back(
          {buffer.dtype, buffer.shape, nullptr, addresses[index]});
      continue;
    }
    TensorView view{buffer.dtype, buffer.shape,
                    static_cast<std::byte *>(arena.allocate(64, buffer.bytes))};
    if (!view.data)
      return Status::environment(
          fmt::format("program: no memory for a result of {} bytes; let a call "
                      "take fewer tokens",
                      buffer.bytes));
    uint64_t offset = addresses[index] - piece_.address;
    if (offset < static_cast<uint64_t>(piece_.bytes))
      std::memcpy(view.data, staging_.data() + offset,
                  static_cast<size_t>(buffer.bytes));
    else if (buffer.bytes > 0)
      NIBBLE_TRY(residence_->device().download(view.data, addresses[index],
                                               buffer.bytes));
    results.push_back(std::move(view));
  }
  return results;
}

// Addresses of the buffers outside the arena, and 0 for the others.
Result<std::vector<DeviceAddress>>
DeviceExecutor::fixedAddresses(const CallPlan &plan,
                               std::span<const TensorView> arguments) const {
  std::vector<DeviceAddress> addresses(plan.buffers.size(), 0);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const PlannedBuffer &buffer = plan.buffers[i];
    if (buffer.place == Place::kConstant) {
      addresses[i] = constants_[buffer.index];
    } else if (buffer.place == Place::kInput) {
      addresses[i] = arguments[buffer.index].device;
    } else if (buffer.place == Place::kBound) {
      NIBBLE_ASSIGN(addresses[i],
                    residence_->addressOf(arguments[buffer.index]));
    }
  }
  return addresses;
}

namespace {

// Allocations of one call, which the destructor releases.
class Allocations {
public:
  explicit Allocations(Device &device) : device_(device) {}
  ~Allocations() {
    for (DeviceAddress address : alive_)
      device_.release(address);
  }
  Result<DeviceAddress> take(int64_t bytes) {
    NIBBLE_ASSIGN(
        DeviceAddress address,
        device_.allocate(std::max<int64_t>(bytes, 1), "a buffer of a call"));
    alive_.insert(address);
    return address;
  }
  void giveBack(DeviceAddress address) {
    if (alive_.erase(address))
      device_.release(address);
  }

private:
  Device &device_;
  std::set<DeviceAddress> alive_;
};

} // namespace

// Provides memory for a result. With access checks it is exactly as large as
// the result, so that an access beyond its end is detected. Otherwise it only
// grows, and keeps its address as long as possible because graphs refer to it.
Status DeviceExecutor::reserve(Kept &kept, int64_t bytes) {
  Device &device = residence_->device();
  bytes = std::max<int64_t>(bytes, 1);
  if (!device.checksAccesses() && kept.bytes >= bytes)
    return Status::ok();
  NIBBLE_TRY(device.synchronize()); // running work still uses the old memory
  if (kept.address)
    device.release(kept.address);
  kept = {};
  NIBBLE_ASSIGN(kept.address, device.allocate(bytes, "results of a program"));
  kept.bytes = bytes;
  return Status::ok();
}

// Places the results that do not lie in the arena. Results that stay on the
// device must outlive the arena's next use. Small results lie side by side, so
// that one download fetches them all.
Status DeviceExecutor::placeResults(int function, const CallPlan &plan,
                                    std::span<const int> kept) {
  placed_.clear();
  piece_ = {};
  for (int result : kept) {
    if (result < 0 || result >= static_cast<int>(plan.results.size()))
      return Status::failed(
          fmt::format("program: there is no result {} to keep on the device; "
                      "report this defect",
                      result));
    const PlannedBuffer &buffer = plan.buffers[plan.results[result]];
    if (buffer.place != Place::kArena)
      return Status::failed(
          fmt::format("program: result {} is an argument and cannot be kept on "
                      "the device; report this defect",
                      result));
    Kept &own = kept_[{function, result}];
    NIBBLE_TRY(reserve(own, buffer.bytes));
    placed_.push_back({plan.results[result], own.address});
  }
  if (residence_->device().checksAccesses())
    return Status::ok();
  size_t stay = placed_.size();
  int64_t end = 0;
  for (int32_t index : plan.results) {
    const PlannedBuffer &buffer = plan.buffers[index];
    auto isPlaced = [&](const auto &place) { return place.first == index; };
    if (buffer.place != Place::kArena || buffer.bytes > kSmallResult ||
        end > kStagedTogether ||
        std::any_of(placed_.begin(), placed_.end(), isPlaced))
      continue;
    placed_.push_back({index, static_cast<DeviceAddress>(end)});
    end += (buffer.bytes + kBufferAlignment - 1) / kBufferAlignment *
           kBufferAlignment;
  }
  if (placed_.size() - stay < 2) {
    placed_.resize(stay); // a single result gains nothing
    return Status::ok();
  }
  Kept &own = kept_[{function, -1}];
  int64_t before = own.bytes;
  NIBBLE_TRY(reserve(own, end));
  // The download includes the gaps between the results, so those bytes must be
  // initialized too.
  if (own.bytes != before)
    NIBBLE_TRY(residence_->device().fill(own.address, 0, own.bytes));
  piece_ = {own.address, end};
  for (size_t i = stay; i < placed_.size(); ++i)
    placed_[i].second += own.address;
  return Status::ok();
}

// Gives each buffer an allocation of its own, from its first command to its
// last. The device then detects accesses that leave a buffer.
Result<std::vector<TensorView>>
DeviceExecutor::callChecked(const CallPlan &plan,
                            std::span<const TensorView> arguments,
                            std::span<const int> kept, Arena &arena) {
  Device &device = residence_->device();
  NIBBLE_ASSIGN(std::vector<DeviceAddress> addresses,
                fixedAddresses(plan, arguments));
  for (auto [buffer, address] : placed_)
    addresses[buffer] = address;
  Allocations allocations(device);
  std::vector<std::vector<size_t>> begins(plan.commands.size() + 1);
  std::vector<std::vector<size_t>> ends(plan.commands.size() + 2);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const PlannedBuffer &buffer = plan.buffers[i];
    if (buffer.place == Place::kInput && !addresses[i]) {
      NIBBLE_ASSIGN(addresses[i], allocations.take(buffer.bytes));
      NIBBLE_TRY(device.upload(addresses[i], arguments[buffer.index].data,
                               buffer.bytes));
    } else if (buffer.place == Place::kArena && buffer.end > buffer.begin &&
               !addresses[i]) {
      begins[buffer.begin].push_back(i);
      ends[buffer.end].push_back(i);
    }
  }
  for (size_t step = 0; step <= plan.commands.size(); ++step) {
    for (size_t buffer : ends[step])
      allocations.giveBack(addresses[buffer]);
    for (size_t buffer : begins[step]) {
      NIBBLE_ASSIGN(addresses[buffer],
                    allocations.take(plan.buffers[buffer].bytes));
    }
    if (step < plan.commands.size())
      NIBBLE_TRY(issue(plan, plan.commands[step], addresses));
  }
  NIBBLE_TRY(device.synchronize());
  return download(plan, addresses, kept, arena);
}

Result<std::vector<TensorView>>
DeviceExecutor::call(int function, std::span<const TensorView> arguments,
                     Arena &arena, std::span<const int> kept) {
  NIBBLE_ASSIGN(Prepared * prepared, prepare(function, arguments));
  const CallPlan &plan = prepared->plan;
  ++statistics_.calls;
  NIBBLE_TRY(placeResults(function, plan, kept));
  if (residence_->device().checksAccesses())
    return callChecked(plan, arguments, kept, arena);
  NIBBLE_ASSIGN(DeviceAddress base, residence_->arena(plan.arenaBytes));
  NIBBLE_TRY(place(*prepared, arguments, base));
  NIBBLE_TRY(upload(plan, arguments, base));
  NIBBLE_TRY(runAsOne(*prepared));
  return download(plan, prepared->addresses, kept, arena);
}

// Sets the addresses of all buffers. A model has thousands of parameters, so
// lookups happen only after a change.
Status DeviceExecutor::place(Prepared &prepared,
                             std::span<const TensorView> arguments,
                             DeviceAddress base) {
  bindings_.assign({base, residence_->version()});
  for (size_t i = 0; i < arguments.size(); ++i) {
    bool input = prepared.plan.buffers[i].place == Place::kInput;
    bindings_.push_back(arguments[i].device);
    bindings_.push_back(input ? 0
                              : reinterpret_cast<uint64_t>(arguments[i].data));
  }
  for (auto [buffer, address] : placed_)
    bindings_.push_back(address);
  if (bindings_ == prepared.bindings)
    return Status::ok();
  prepared.bindings.clear(); // valid again once all addresses are known
  NIBBLE_ASSIGN(std::vector<DeviceAddress> addresses,
                fixedAddresses(prepared.plan, arguments));
  for (size_t i = 0; i < addresses.size(); ++i) {
    const PlannedBuffer &buffer = prepared.plan.buffers[i];
    if (buffer.place == Place::kArena ||
        (buffer.place == Place::kInput && !addresses[i]))
      addresses[i] = base + static_cast<uint64_t>(buffer.offset);
  }
  for (auto [buffer, address] : placed_)
    addresses[buffer] = address;
  if (addresses != prepared.addresses) {
    prepared.graph.reset();
    prepared.runs = 0;
    prepared.addresses = std::move(addresses);
  }
  prepared.bindings = bindings_;
  return Status::ok();
}

} // namespace nibble
