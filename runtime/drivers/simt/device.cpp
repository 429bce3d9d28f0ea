// The device "simt": modules, memory, launches and graphs on the CPU.
#include "runtime/drivers/simt/launch.h"
#include "runtime/drivers/simt/ptx/builder.h"
#include "runtime/drivers/simt/simt.h"
#include "runtime/drivers/simt/tensor_map.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>
#include <unistd.h>

namespace nibble {

namespace simt {

namespace {

class SimtModule : public DeviceModule {
public:
  explicit SimtModule(std::shared_ptr<AllocationMap> memory)
      : memory(std::move(memory)) {}
  ~SimtModule() override {
    for (uint64_t variable : variables)
      memory->remove(variable);
  }
  std::shared_ptr<AllocationMap> memory;
  std::vector<uint64_t> variables; // allocations of the module's variables
  std::vector<std::shared_ptr<Code>> kernels;
};

// Recorded commands, which run in their order.
class SimtGraph : public DeviceGraph {
public:
  std::vector<std::function<Status()>> commands;
};

class SimtDeviceImpl : public SimtDevice {
public:
  explicit SimtDeviceImpl(SimtOptions options) : options_(options) {}

  std::string describe() const override {
    return "simt, PTX on " + std::to_string(hostThreads()) + " host threads, " +
           (checks() ? "every access checked" : "no checks");
  }
  DeviceMemory memory() const override {
    int64_t page = sysconf(_SC_PAGESIZE);
    return {page * sysconf(_SC_PHYS_PAGES), page * sysconf(_SC_AVPHYS_PAGES),
            static_cast<int64_t>(memory_->liveBytes()),
            static_cast<int64_t>(memory_->peakBytes())};
  }

  Result<DeviceAddress> allocate(int64_t bytes,
                                 std::string_view what) override {
    if (bytes < 0)
      return Status::usage("simt: '" + std::string(what) + "' has " +
                           std::to_string(bytes) +
                           " bytes; give a size that is not negative");
    NIBBLE_ASSIGN(
        AllocationMap::Entry * entry,
        memory_->allocate(static_cast<uint64_t>(bytes), what, checks()));
    return entry->begin;
  }
  void release(DeviceAddress address) override { memory_->remove(address); }
  bool sharesHostMemory() const override { return true; }
  bool checksAccesses() const override { return checks(); }
  Status adopt(void *memory, int64_t bytes, std::string_view what) override {
    NIBBLE_ASSIGN(auto *entry,
                  memory_->adopt(reinterpret_cast<uint64_t>(memory),
                                 static_cast<uint64_t>(bytes), what, checks()));
    (void)entry;
    return Status::ok();
  }
  void disown(void *memory) override {
    memory_->remove(reinterpret_cast<uint64_t>(memory));
  }
  SimtCounters counters() const override { return counters_; }

  Status upload(DeviceAddress to, const void *from, int64_t bytes) override {
    NIBBLE_TRY(write(to, bytes, "upload"));
    std::memcpy(reinterpret_cast<void *>(to), from, static_cast<size_t>(bytes));
    return Status::ok();
  }
  Status download(void *to, DeviceAddress from, int64_t bytes) override {
    NIBBLE_ASSIGN(const AllocationMap::Entry *entry,
                  range(from, bytes, "download"));
    if (const void *hole = entry->written
                               ? std::memchr(entry->writtenAt(from), 0,
                                             static_cast<size_t>(bytes))
                               : nullptr)
      return Status::failed("simt: download of " + std::to_string(bytes) +
                            " bytes: nothing wrote byte " +
                            std::to_string(static_cast<const uint8_t *>(hole) -
                                           entry->written.get()) +
                            " of '" + entry->what +
                            "'; write it before it is read");
    std::memcpy(to, reinterpret_cast<const void *>(from),
                static_cast<size_t>(bytes));
    return Status::ok();
  }
  Status copy(DeviceAddress to, DeviceAddress from, int64_t bytes) override {
    return record([this, to, from, bytes] {
      NIBBLE_ASSIGN(const AllocationMap::Entry *source,
                    range(from, bytes, "copy"));
      NIBBLE_ASSIGN(const AllocationMap::Entry *target,
                    range(to, bytes, "copy"));
      if (target->written != nullptr && source->written != nullptr)
        std::memmove(target->writtenAt(to), source->writtenAt(from),
                     static_cast<size_t>(bytes));
      else if (target->written != nullptr)
        std::memset(target->writtenAt(to), 1, static_cast<size_t>(bytes));
      std::memmove(reinterpret_cast<void *>(to),
                   reinterpret_cast<const void *>(from),
                   static_cast<size_t>(bytes));
      return Status::ok();
    });
  }
  Status fill(DeviceAddress to, uint8_t value, int64_t bytes) override {
    return record([this, to, value, bytes] {
      NIBBLE_TRY(write(to, bytes, "fill"));
      std::memset(reinterpret_cast<void *>(to), value,
                  static_cast<size_t>(bytes));
      return Status::ok();
    });
  }

  Result<std::unique_ptr<DeviceModule>>
  load(const KernelImage &image,
       std::span<const std::string> kernels) override {
    auto named = [&](Status status) {
      return std::move(status).within("kernel image " + image.name);
    };
    if (image.ptx.empty())
      return named(Status::environment("it has no PTX text, which is what simt "
                                       "executes; compile it for simt"));
    auto parsed = parsePtx(image.ptx);
    if (!parsed.isOk())
      return named(std::move(parsed).takeStatus());
    std::shared_ptr<Module> source = *parsed;
    auto module = std::make_unique<SimtModule>(memory_);
    DecodeContext context;
    if (Status status = placeVariables(*source, *module, context);
        !status.isOk())
      return named(std::move(status));
    for (const std::string &name : kernels) {
      auto found = source->functions.find(name);
      if (found == source->functions.end() || !found->second.isEntry ||
          !found->second.hasBody)
        return named(Status::badInput("it has no kernel '" + name +
                                      "'; compile it again"));
      auto code = decode(source, found->second, context);
      if (!code.isOk())
        return named(std::move(code).takeStatus());
      module->kernels.push_back(*code);
    }
    return std::unique_ptr<DeviceModule>(std::move(module));
  }

  Status launch(DeviceModule &module, int kernel, const Launch &shape,
                std::span<const KernelArgument> arguments) override {
    auto &own = static_cast<SimtModule &>(module);
    if (kernel < 0 || static_cast<size_t>(kernel) >= own.kernels.size())
      return Status::usage("simt: the module has no kernel " +
                           std::to_string(kernel) + "; report this defect");
    if (shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0)
      return Status::ok();
    std::shared_ptr<Code> code = own.kernels[static_cast<size_t>(kernel)];
    std::vector<uint8_t> parameters(code->parameterBytes);
    NIBBLE_TRY(encode(*code, shape.table, arguments, parameters));
    return record([this, code, shape, parameters = std::move(parameters)] {
      return runKernel(*code, shape, parameters);
    });
  }
  Status synchronize() override { return Status::ok(); }

  Status beginGraph() override {
    if (recording_ != nullptr)
      return Status::usage(
          "simt: a graph is being recorded already; end that one first");
    recording_ = std::make_unique<SimtGraph>();
    return Status::ok();
  }
  Result<std::unique_ptr<DeviceGraph>> endGraph() override {
    if (recording_ == nullptr)
      return Status::usage("simt: no graph is being recorded; begin one first");
    return std::unique_ptr<DeviceGraph>(std::move(recording_));
  }
  Status run(DeviceGraph &graph) override {
    for (const std::function<Status()> &command :
         static_cast<SimtGraph &>(graph).commands)
      NIBBLE_TRY(command());
    return Status::ok();
  }

private:
  bool checks() const { return options_.checks == SimtOptions::kFull; }
  uint32_t hostThreads() const {
    return options_.threads > 0
               ? static_cast<uint32_t>(options_.threads)
               : std::max(1u, std::thread::hardware_concurrency());
  }

  Status record(std::function<Status()> command) {
    if (recording_ == nullptr)
      return command();
    recording_->commands.push_back(std::move(command));
    return Status::ok();
  }

  // The allocation that contains the `bytes` bytes.
  Result<const AllocationMap::Entry *>
  range(DeviceAddress address, int64_t bytes, const char *what) const {
    const AllocationMap::Entry *entry =
        bytes < 0 ? nullptr
                  : memory_->find(address, static_cast<uint64_t>(bytes));
    if (entry == nullptr)
      return Status::usage(
          std::string("simt: ") + what + " of " + std::to_string(bytes) +
          " bytes at " + hex(address) + ": " +
          memory_->nearest(address,
                           static_cast<uint64_t>(bytes < 0 ? 0 : bytes)) +
          "; give a range inside one allocation");
    return entry;
  }
  Status write(DeviceAddress address, int64_t bytes, const char *what) {
    NIBBLE_ASSIGN(const AllocationMap::Entry *entry,
                  range(address, bytes, what));
    if (entry->written != nullptr)
      std::memset(entry->writtenAt(address), 1, static_cast<size_t>(bytes));
    return Status::ok();
  }

  Status placeVariables(const Module &source, SimtModule &module,
                        DecodeContext &context) {
    for (const Variable &variable : source.variables) {
      if (variable.space != Variable::kGlobal &&
          variable.space != Variable::kConst)
        continue;
      if (variable.isExtern)
        return Status::badInput("PTX line " + std::to_string(variable.line) +
                                ": the variable " + std::string(variable.name) +
                                " is defined elsewhere; link it in");
      std::string what = "variable " + std::string(variable.name);
      NIBBLE_ASSIGN(AllocationMap::Entry * entry,
                    memory_->allocate(variable.bytes, what, checks()));
      module.variables.push_back(entry->begin);
      entry->isVariable = true;
      auto *bytes = reinterpret_cast<uint8_t *>(entry->begin);
      std::memset(bytes, 0, variable.bytes);
      if (!variable.value.empty())
        std::memcpy(bytes, variable.value.data(), variable.value.size());
      // A variable without an initial value is zero, which counts as written.
      entry->written = nullptr;
      entry->readOnly = variable.space == Variable::kConst;
      context.globals[variable.name] = {
          variable.space == Variable::kConst ? Space::kConst : Space::kGlobal,
          entry->begin};
    }
    for (const Variable &variable : source.variables)
      for (const Variable::Reference &reference : variable.references) {
        auto target = context.globals.find(reference.symbol);
        auto holder = context.globals.find(variable.name);
        if (target == context.globals.end() ||
            holder == context.globals.end() ||
            reference.at + 8 > variable.bytes)
          return Status::badInput("PTX line " + std::to_string(variable.line) +
                                  ": the address of " +
                                  std::string(reference.symbol) +
                                  " is not known; link its definition in");
        uint64_t value =
            target->second.address + static_cast<uint64_t>(reference.offset);
        std::memcpy(reinterpret_cast<uint8_t *>(holder->second.address) +
                        reference.at,
                    &value, 8);
      }
    return Status::ok();
  }

  // Encodes the last parameter, a table of contiguous 8-byte values.
  static Status encodeTable(const Code &code,
                            std::span<const KernelArgument> values,
                            std::vector<uint8_t> &parameters) {
    const Parameter &parameter = code.parameters.back();
    if (parameter.bytes != 8 * values.size())
      return Status::usage(
          "simt: kernel " + code.name + " has a last parameter of " +
          std::to_string(parameter.bytes) + " bytes, given a table of " +
          std::to_string(values.size()) +
          " values; pass as many values as the parameter holds");
    for (size_t i = 0; i < values.size(); ++i) {
      const auto *value = std::get_if<uint64_t>(&values[i]);
      if (!value)
        return Status::usage("simt: kernel " + code.name +
                             " is given a tensor map in its table; pass it as "
                             "an argument of its own");
      std::memcpy(parameters.data() + parameter.offset + 8 * i, value, 8);
    }
    return Status::ok();
  }

  static Status encode(const Code &code, uint32_t table,
                       std::span<const KernelArgument> arguments,
                       std::vector<uint8_t> &parameters) {
    if (arguments.size() < table ||
        arguments.size() - table + (table > 0 ? 1 : 0) !=
            code.parameters.size())
      return Status::usage("simt: kernel " + code.name + " takes " +
                           std::to_string(code.parameters.size()) +
                           " arguments, not " +
                           std::to_string(arguments.size()) + "; pass as many");
    if (table > 0)
      NIBBLE_TRY(encodeTable(code, arguments.last(table), parameters));
    arguments = arguments.first(arguments.size() - table);
    for (size_t i = 0; i < arguments.size(); ++i) {
      const Parameter &parameter = code.parameters[i];
      uint8_t *to = parameters.data() + parameter.offset;
      if (const auto *map = std::get_if<TensorMap>(&arguments[i])) {
        if (parameter.bytes != 128)
          return Status::usage("simt: kernel " + code.name + ": argument " +
                               std::to_string(i) +
                               " is a tensor map, the parameter has " +
                               std::to_string(parameter.bytes) +
                               " bytes; pass one where the kernel takes one");
        TensorMapBytes bytes;
        NIBBLE_TRY(encodeTensorMap(*map, bytes)
                       .within("kernel " + code.name + ", argument " +
                               std::to_string(i)));
        std::memcpy(to, &bytes, sizeof bytes);
      } else {
        if (parameter.bytes > 8)
          return Status::usage("simt: kernel " + code.name + ": argument " +
                               std::to_string(i) +
                               " is a number, the parameter has " +
                               std::to_string(parameter.bytes) +
                               " bytes; pass one of that size");
        std::memcpy(to, &std::get<uint64_t>(arguments[i]), parameter.bytes);
      }
    }
    return Status::ok();
  }

  Status runKernel(const Code &code, const Launch &shape,
                   const std::vector<uint8_t> &parameters) {
    LaunchState state;
    state.code = &code;
    state.shape = shape;
    state.options = options_;
    state.memory = memory_.get();
    state.parameters = parameters;
    state.serial = ++serial_;
    if (options_.countTouched && checks())
      NIBBLE_TRY(memory_->beginTouching());
    Status status = runLaunch(state);
    counters_.touchedBytes += memory_->touchedBytes();
    ++counters_.launches;
    counters_.warpInstructions += state.stepCount;
    counters_.threadInstructions += state.laneCount;
    counters_.localAccesses += state.localCount;
    return status;
  }

  SimtOptions options_;
  std::shared_ptr<AllocationMap> memory_ = std::make_shared<AllocationMap>();
  std::unique_ptr<SimtGraph> recording_;
  SimtCounters counters_;
  uint32_t serial_ = 0;
};

} // namespace

} // namespace simt

Result<SimtOptions> SimtOptions::fromEnvironment() {
  SimtOptions options;
  const char *checks = std::getenv("NIBBLE_SIMT_CHECKS");
  std::string_view wish = checks ? checks : "full";
  if (wish != "full" && wish != "off")
    return Status::usage("simt: NIBBLE_SIMT_CHECKS is '" + std::string(wish) +
                         "'; set it to full or off");
  options.checks = wish == "off" ? kOff : kFull;
  if (const char *seed = std::getenv("NIBBLE_SIMT_SEED"); seed && *seed) {
    const char *end = seed + std::strlen(seed);
    auto [stop, error] = std::from_chars(seed, end, options.seed);
    if (error != std::errc() || stop != end)
      return Status::usage(std::string("simt: NIBBLE_SIMT_SEED is '") + seed +
                           "'; set it to a number");
  }
  return options;
}

Result<std::shared_ptr<Device>> openSimt(SimtOptions options) {
  return std::shared_ptr<Device>(
      std::make_shared<simt::SimtDeviceImpl>(options));
}

} // namespace nibble
