// Implements the common program interface for a device program.
#include "runtime/bundle/device/device_backend.h"

#include "runtime/bundle/device/call_plan.h"

#include <algorithm>

namespace nibble {

namespace {

class DeviceBackend final : public ProgramBackend {
public:
  explicit DeviceBackend(std::unique_ptr<DeviceExecutor> executor)
      : executor_(std::move(executor)) {
    const DeviceProgram &program = executor_->program();
    for (size_t i = 0; i < program.functions.size(); ++i)
      if (program.functions[i].exported)
        exported_.push_back(static_cast<int>(i));
    // Collect all values first, because the functions point to them.
    for (int index : exported_) {
      values_.push_back(infos(program.functions[index].arguments));
      values_.push_back(infos(program.functions[index].results));
    }
    for (size_t i = 0; i < exported_.size(); ++i) {
      nibble_function function{};
      function.name = program.functions[exported_[i]].name.c_str();
      function.argument_count = static_cast<int32_t>(values_[2 * i].size());
      function.result_count = static_cast<int32_t>(values_[2 * i + 1].size());
      function.arguments = values_[2 * i].data();
      function.results = values_[2 * i + 1].data();
      functions_.push_back(function);
    }
    table_ = {NIBBLE_ABI_VERSION, static_cast<int32_t>(functions_.size()),
              functions_.data()};
  }

  const nibble_program &table() const { return table_; }
  DeviceExecutor &executor() { return *executor_; }

  Status bind(const nibble_value_info &argument,
              const TensorView &tensor) override {
    return executor_->residence()->mirror(tensor, argument.name);
  }
  Result<std::vector<TensorView>> call(int function,
                                       std::span<const TensorView> arguments,
                                       std::span<const int> kept,
                                       Arena &arena) override {
    auto results = executor_->call(exported_[function], arguments, arena, kept);
    if (!results.isOk())
      return std::move(results).takeStatus().within(
          "program function '" + std::string(functions_[function].name) + "'");
    return results;
  }
  std::shared_ptr<Residence> residence() const override {
    return executor_->residence();
  }
  Result<std::string> profile(int function,
                              std::span<const TensorView> arguments,
                              int repeats) override {
    NIBBLE_ASSIGN(DeviceExecutor::CallTime time,
                  executor_->time(exported_[function], arguments, repeats));
    return describe(time);
  }
  Result<int64_t> planBytes(int function, int64_t extent) const override {
    std::vector<Shape> shapes;
    for (const ProgramValue &argument :
         executor_->program().functions[exported_[function]].arguments) {
      shapes.push_back(argument.shape);
      std::replace(shapes.back().begin(), shapes.back().end(), int64_t{-1},
                   extent);
    }
    NIBBLE_ASSIGN(CallPlan plan,
                  planCall(executor_->program(), exported_[function], shapes));
    return plan.arenaBytes;
  }

private:
  static std::vector<nibble_value_info>
  infos(const std::vector<ProgramValue> &values) {
    std::vector<nibble_value_info> infos;
    for (const ProgramValue &value : values) {
      nibble_value_info info{};
      info.name = value.name.c_str();
      info.packed = value.packed.empty() ? nullptr : value.packed.c_str();
      info.role = value.role;
      info.dtype = value.dtype;
      info.rank = static_cast<int32_t>(value.shape.size());
      std::copy(value.shape.begin(), value.shape.end(), info.shape);
      infos.push_back(info);
    }
    return infos;
  }

  std::unique_ptr<DeviceExecutor> executor_;
  // Index in the program of each function in the table.
  std::vector<int> exported_;
  // Arguments and results of each function in turn.
  std::vector<std::vector<nibble_value_info>> values_;
  std::vector<nibble_function> functions_;
  nibble_program table_{};
};

} // namespace

Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence,
                                  DeviceExecutor *&executor) {
  NIBBLE_TRY(check(program));
  NIBBLE_ASSIGN(auto made, DeviceExecutor::create(std::move(program),
                                                  std::move(residence)));
  executor = made.get();
  auto backend = std::make_shared<DeviceBackend>(std::move(made));
  return Program::create(backend->table(), backend, backend);
}

Result<Program> loadDeviceProgram(DeviceProgram program,
                                  std::shared_ptr<DeviceResidence> residence) {
  DeviceExecutor *executor = nullptr;
  return loadDeviceProgram(std::move(program), std::move(residence), executor);
}

} // namespace nibble
