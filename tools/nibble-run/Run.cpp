// Runs a function of a program and prints its results.
#include "tools/nibble-run/Run.h"

#include "lib/Numerics/bf16.h"
#include "lib/Numerics/half.h"
#include "runtime/core/program/check.h"
#include "runtime/core/program/profile.h"
#include "tools/CheckpointFolder.h"
#include "tools/nibble-run/Inputs.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <map>

namespace nibble {

namespace {

// Provides parameters and state from a checkpoint or at random, according to
// `options`. The store is empty when they ask for neither.
Result<ParameterStore> makeStore(const RunOptions &options,
                                 const Program &program) {
  ParameterStore store;
  if (options.model.empty() && !options.random)
    return store;
  NIBBLE_TRY(store.declare(program, {options.entry}));
  std::unique_ptr<WeightSource> source;
  if (options.model.empty()) {
    source = std::make_unique<RandomWeights>(*options.random, store);
  } else {
    NIBBLE_ASSIGN(source, openModel(options.model));
  }
  NIBBLE_TRY(store.initialize(*source));
  return store;
}

// Prints a line such as "logp F32 [3]: -4.1 -4.7 -3.9". The digits distinguish
// a float32 from every other. A long tensor shows its first four values.
std::string describe(const NamedTensor &tensor) {
  const TensorView &view = tensor.view;
  std::string text = fmt::format("{} {} {}:", tensor.name, nameOf(view.dtype),
                                 toString(view.shape));
  int64_t shown = view.elements() > 8 ? 4 : view.elements();
  for (int64_t i = 0; i < shown; ++i)
    switch (view.dtype) {
    case DType::kF32:
      text += fmt::format(" {:.9g}", view.as<float>()[i]);
      break;
    case DType::kF64:
      text += fmt::format(" {:.17g}", view.as<double>()[i]);
      break;
    case DType::kBF16:
      text += fmt::format(" {:.9g}",
                          numerics::floatFromBf16(view.as<uint16_t>()[i]));
      break;
    case DType::kF16:
      text += fmt::format(" {:.9g}",
                          numerics::floatFromHalf(view.as<uint16_t>()[i]));
      break;
    case DType::kI32:
      text += fmt::format(" {}", view.as<int32_t>()[i]);
      break;
    case DType::kI64:
      text += fmt::format(" {}", view.as<int64_t>()[i]);
      break;
    default:
      text += fmt::format(" {}", static_cast<int>(view.as<uint8_t>()[i]));
    }
  return shown < view.elements() ? text + " ..." : text;
}

// The tensor in host memory: in place, or in `copy` when only a device has it.
Result<TensorView> onHost(const TensorView &tensor, Residence *residence,
                          Tensor &copy) {
  if (!tensor.device)
    return tensor;
  NIBBLE_ASSIGN(copy, Tensor::create(tensor.dtype, tensor.shape));
  NIBBLE_TRY(residence->read(
      tensor, 0, std::span(copy.data(), static_cast<size_t>(copy.bytes()))));
  return copy.view();
}

Status print(const std::vector<NamedTensor> &outputs, Residence *residence) {
  for (const NamedTensor &output : outputs) {
    Tensor copy;
    NIBBLE_ASSIGN(TensorView view, onHost(output.view, residence, copy));
    fmt::print("{}\n", describe({output.name, view}));
  }
  return Status::ok();
}

Status write(const std::string &path, const std::vector<NamedTensor> &outputs,
             Residence *residence) {
  std::vector<TensorSpec> specs;
  std::map<std::string, TensorView> views;
  for (const NamedTensor &output : outputs) {
    specs.push_back({output.name, output.view.dtype, output.view.shape});
    views[output.name] = output.view;
  }
  auto produce = [&](const TensorSpec &spec, const TensorSink &sink) -> Status {
    Tensor copy;
    NIBBLE_ASSIGN(TensorView view,
                  onHost(views.at(spec.name), residence, copy));
    return sink(std::span(view.data, static_cast<size_t>(view.bytes())));
  };
  auto written = streamSafetensors(path, std::move(specs), produce);
  return written.isOk() ? Status::ok() : std::move(written).takeStatus();
}

// Repeats the call and keeps the last results. Prints the kernel times to
// standard error.
Status profile(const RunOptions &options, Function &function, Arena &arena,
               std::vector<TensorView> &results) {
  if (function.residence()) {
    NIBBLE_ASSIGN(std::string table, function.profile(options.profile));
    fmt::print(stderr, "{}", table);
    return Status::ok();
  }
  takeProfile(); // drops the times of the warm-up call
  for (int call = 0; call < options.profile; ++call) {
    arena.reset();
    NIBBLE_ASSIGN(results, function.call(arena));
  }
  fmt::print(stderr, "{}", describeProfile(takeProfile()));
  return Status::ok();
}

} // namespace

Status runProgram(const RunOptions &options,
                  const std::function<Result<Program>()> &load) {
  if (options.threads > 0)
    omp_set_num_threads(options.threads);
  NIBBLE_ASSIGN(InputFiles files, InputFiles::open(options.inputs));
  NIBBLE_ASSIGN(Program program, load());
  NIBBLE_ASSIGN(Function function, program.function(options.entry));
  NIBBLE_ASSIGN(ParameterStore store, makeStore(options, program));

  const nibble_function &info = function.info();
  // The arguments from files. In a device program only inputs stay on the host.
  std::vector<Tensor> arguments;
  std::vector<ResidentTensor> resident;
  std::shared_ptr<Residence> residence = program.residence();
  std::vector<NamedTensor> outputs;
  for (int i = 0; i < info.argument_count; ++i) {
    const nibble_value_info &argument = info.arguments[i];
    NIBBLE_ASSIGN(std::optional<Tensor> given, files.read(argument));
    if (!given && options.random) {
      NIBBLE_ASSIGN(given, randomInput(*options.random, argument));
    }
    TensorView view;
    if (given && residence && argument.role != NIBBLE_ROLE_INPUT) {
      NIBBLE_ASSIGN(ResidentTensor tensor,
                    ResidentTensor::create(residence, given->dtype(),
                                           given->shape(), argument.name));
      NIBBLE_TRY(tensor.write(
          std::span(given->data(), static_cast<size_t>(given->bytes()))));
      resident.push_back(std::move(tensor));
      view = resident.back().view();
    } else if (given) {
      arguments.push_back(std::move(*given));
      view = arguments.back().view();
    } else if (auto stored = store.lookup(argument); stored.isOk()) {
      view = *stored;
    } else {
      return Status::badInput(fmt::format(
          "no tensor '{}', an argument of '{}' ({} of rank {}); give it with "
          "--inputs{}",
          argument.name, options.entry,
          nameOf(static_cast<DType>(argument.dtype)), argument.rank,
          argument.role == NIBBLE_ROLE_INPUT ? "" : ", --model or --random"));
    }
    NIBBLE_TRY(function.bind(i, view));
    if (argument.role == NIBBLE_ROLE_STATE)
      outputs.push_back({argument.name, view});
  }
  Arena arena;
  NIBBLE_ASSIGN(auto results, function.call(arena));
  if (options.profile > 0)
    NIBBLE_TRY(profile(options, function, arena, results));
  std::vector<std::string> failures = takeCheckFailures();
  for (size_t i = 1; i < failures.size(); ++i)
    fmt::print(stderr, "nibble-run: {}\n", failures[i - 1]);
  if (!failures.empty())
    return Status::failed(failures.back());
  for (int i = 0; i < info.result_count; ++i)
    outputs.insert(outputs.begin() + i, {info.results[i].name, results[i]});
  return options.out.empty() ? print(outputs, residence.get())
                             : write(options.out, outputs, residence.get());
}

} // namespace nibble
