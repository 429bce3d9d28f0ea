#include "test/passes/LowerToHost/HostProgram.h"

#include "include/nibble/InitAll.h"
#include "lib/Target/Host/Compile.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <cstring>
#include <fmt/format.h>
#include <omp.h>
#include <stdexcept>

namespace nibble::test {

template <typename T> static T orThrow(Result<T> result) {
  if (!result.isOk())
    throw std::runtime_error(result.status().message());
  return *std::move(result);
}

Tensor makeTensor(DType dtype, Shape shape, const std::vector<double> &values) {
  if (dtype != DType::kBF16 && dtype != DType::kF32)
    throw std::runtime_error("a tensor of numbers is of bf16 or float32");
  Tensor tensor = orThrow(Tensor::create(dtype, std::move(shape)));
  if (tensor.elements() != static_cast<int64_t>(values.size()))
    throw std::runtime_error(fmt::format("{} values for {}", values.size(),
                                         toString(tensor.shape())));
  for (size_t i = 0; i < values.size(); ++i) {
    float value = static_cast<float>(values[i]);
    if (dtype == DType::kBF16)
      tensor.as<uint16_t>()[i] = numerics::bf16FromFloat(value);
    else
      tensor.as<float>()[i] = value;
  }
  return tensor;
}

Tensor makeIndices(Shape shape, const std::vector<int> &values) {
  Tensor tensor = orThrow(Tensor::create(DType::kI32, std::move(shape)));
  std::copy(values.begin(), values.end(), tensor.as<int32_t>());
  return tensor;
}

Tensor copyOf(const TensorView &view) {
  Tensor tensor = orThrow(Tensor::create(view.dtype, view.shape));
  std::memcpy(tensor.data(), view.data, view.bytes());
  return tensor;
}

Tensor rowsOf(const Tensor &tensor, int64_t first, int64_t last) {
  Shape shape = tensor.shape();
  int64_t stride = tensor.bytes() / shape[0];
  shape[0] = last - first;
  Tensor part = orThrow(Tensor::create(tensor.dtype(), shape));
  std::memcpy(part.data(), tensor.data() + first * stride,
              (last - first) * stride);
  return part;
}

std::vector<double> valuesOf(const Tensor &tensor) {
  std::vector<double> values(tensor.elements());
  for (size_t i = 0; i < values.size(); ++i) {
    if (tensor.dtype() == DType::kBF16)
      values[i] = numerics::floatFromBf16(tensor.as<uint16_t>()[i]);
    else if (tensor.dtype() == DType::kF32)
      values[i] = tensor.as<float>()[i];
    else if (tensor.dtype() == DType::kI32)
      values[i] = tensor.as<int32_t>()[i];
    else
      throw std::runtime_error(
          "numbers are read of tensors of bf16, float32 or i32");
  }
  return values;
}

bool sameBits(const Tensor &a, const Tensor &b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

std::string difference(const Tensor &a, const Tensor &b) {
  if (a.dtype() != b.dtype() || a.shape() != b.shape())
    return toString(a.shape()) + " and " + toString(b.shape());
  int64_t size = a.elements() == 0 ? 1 : a.bytes() / a.elements();
  int64_t count = 0;
  int64_t first = -1;
  for (int64_t i = 0; i < a.elements(); ++i)
    if (std::memcmp(a.data() + i * size, b.data() + i * size, size) != 0 &&
        count++ == 0)
      first = i;
  if (count == 0)
    return "the same";
  return fmt::format("{} of {} differ, first at {}: {} and {}", count,
                     a.elements(), first, valuesOf(a)[first],
                     valuesOf(b)[first]);
}

Tensor Random::normal(DType dtype, Shape shape, double scale, double mean) {
  std::normal_distribution<double> distribution(mean, scale);
  std::vector<double> values(*elementCount(shape));
  for (double &value : values)
    value = distribution(engine_);
  return makeTensor(dtype, std::move(shape), values);
}

Tensor Random::indices(Shape shape, int bound) {
  std::vector<int> values(*elementCount(shape));
  for (int &value : values)
    value = below(bound);
  return makeIndices(std::move(shape), values);
}

HostProgram::HostProgram(const std::string &source, const std::string &cpu) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  context_ = std::make_unique<mlir::MLIRContext>(registry);
  std::string diagnostics;
  mlir::ScopedDiagnosticHandler handler(
      context_.get(), [&](mlir::Diagnostic &diagnostic) {
        diagnostics += diagnostic.str() + "\n";
        return mlir::success();
      });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(source, context_.get());
  if (!module)
    throw std::runtime_error("does not parse: " + diagnostics);
  host::CompileOptions options;
  options.cpu = cpu;
  auto compiled = host::compile(*module, options);
  if (mlir::failed(compiled))
    throw std::runtime_error("does not compile: " + diagnostics);
  program_ = std::make_unique<Program>(
      orThrow(Program::create((*compiled)->table(), *compiled)));
}

std::vector<Tensor>
HostProgram::call(const std::string &name,
                  const std::vector<const Tensor *> &arguments, int threads) {
  omp_set_num_threads(threads);
  Function function = orThrow(program_->function(name));
  for (size_t i = 0; i < arguments.size(); ++i)
    if (Status status =
            function.bind(static_cast<int>(i), arguments[i]->view());
        !status.isOk())
      throw std::runtime_error(status.message());
  Arena arena;
  std::vector<Tensor> results;
  for (const TensorView &view : orThrow(function.call(arena)))
    results.push_back(copyOf(view));
  return results;
}

} // namespace nibble::test
