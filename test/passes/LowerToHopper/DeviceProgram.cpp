// Compiles a few lines of IR for an H200 and runs them on the device "simt".
#include "test/passes/LowerToHopper/DeviceProgram.h"
#include "test/passes/LowerToHost/CallArguments.h"
#include "test/passes/LowerToHost/OpCases.h"

#include "include/nibble/InitAll.h"
#include "lib/Reference/Reference.h"
#include "lib/Target/NVPTX/Compile.h"
#include "runtime/bundle/bundle.h"
#include "runtime/bundle/device/call_plan.h"
#include "runtime/bundle/device/device_backend.h"
#include "runtime/drivers/simt/simt.h"
#include "test/device/recorded_case.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/Program.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace nibble::test {

template <typename T> static T orThrow(Result<T> result) {
  if (!result.isOk())
    throw std::runtime_error(result.status().message());
  return *std::move(result);
}

static void orThrow(const Status &status) {
  if (!status.isOk())
    throw std::runtime_error(status.message());
}

// The module's program, or the diagnostics.
static std::optional<DeviceProgram> compileSource(const std::string &source,
                                                  std::string &diagnostics) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  mlir::ScopedDiagnosticHandler handler(
      &context, [&](mlir::Diagnostic &diagnostic) {
        diagnostics += diagnostic.str() + "\n";
        return mlir::success();
      });
  auto module = mlir::parseSourceString<mlir::ModuleOp>(source, &context);
  if (!module) {
    diagnostics = "does not parse: " + diagnostics;
    return std::nullopt;
  }
  auto compiled = nvptx::compile(*module);
  if (mlir::failed(compiled))
    return std::nullopt;
  return std::move(*compiled);
}

// ptxas's complaints about the PTX: errors, functions that spill, matrix
// instructions that it serializes. Empty without ptxas.
static std::string complaintOfPtxas(const std::string &ptx) {
  const char *wish = std::getenv("NIBBLE_TEST_PTXAS");
  auto ptxas = llvm::sys::findProgramByName("ptxas");
  if (!ptxas || (wish && std::string_view(wish) == "0"))
    return {};
  std::filesystem::path base = std::filesystem::temp_directory_path() /
                               fmt::format("nibble-ptxas-{}", getpid());
  std::string input = base.string() + ".ptx", log = base.string() + ".log",
              output = base.string() + ".cubin";
  std::ofstream(input) << ptx;
  std::optional<llvm::StringRef> redirects[] = {
      llvm::StringRef(), llvm::StringRef(log), llvm::StringRef(log)};
  int code = llvm::sys::ExecuteAndWait(
      *ptxas, {*ptxas, "-arch=sm_90a", "-v", input, "-o", output}, std::nullopt,
      redirects);
  std::ostringstream text;
  text << std::ifstream(log).rdbuf();
  std::filesystem::remove(input);
  std::filesystem::remove(log);
  // Not /dev/null, because ptxas removes its output file when it fails.
  std::filesystem::remove(output);
  if (code != 0)
    return text.str();
  std::istringstream lines(text.str());
  std::string complaint, function;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("Compiling entry function") != std::string::npos)
      function = line;
    bool spills = line.find("spill stores") != std::string::npos &&
                  line.find(" 0 bytes spill stores") == std::string::npos;
    if (spills || line.find("Potential Performance Loss") != std::string::npos)
      complaint += function + "\n" + line + "\n";
  }
  return complaint;
}

// The program of `source`, compiled once: many cases differ only in their
// tensors.
static const DeviceProgram &programOf(const std::string &source) {
  static std::map<std::string, DeviceProgram> programs;
  if (auto known = programs.find(source); known != programs.end())
    return known->second;
  std::string diagnostics;
  std::optional<DeviceProgram> compiled = compileSource(source, diagnostics);
  if (!compiled)
    throw std::runtime_error("does not compile: " + diagnostics);
  if (std::string complaint = complaintOfPtxas(compiled->image.ptx);
      !complaint.empty())
    throw std::runtime_error("ptxas: " + complaint);
  orThrow(check(*compiled));
  return programs.emplace(source, std::move(*compiled)).first->second;
}

CompiledForDevice::CompiledForDevice(const std::string &source)
    : compiled_(programOf(source)) {
  device_ = orThrow(WatchedDevice::open(/*hidesChecks=*/false));
  residence_ = std::make_shared<DeviceResidence>(device_);
  program_ = std::make_unique<Program>(
      orThrow(loadDeviceProgram(compiled_, residence_)));
}

std::string whyNotForDevice(const std::string &source) {
  std::string diagnostics;
  return compileSource(source, diagnostics) ? "" : diagnostics;
}

std::vector<Tensor>
CompiledForDevice::call(const std::string &name,
                        const std::vector<const Tensor *> &arguments) {
  Function function = orThrow(program_->function(name));
  for (size_t i = 0; i < arguments.size(); ++i)
    orThrow(function.bind(static_cast<int>(i), arguments[i]->view()));
  Arena arena;
  std::vector<Tensor> results;
  device_->launched.clear();
  for (const TensorView &view : orThrow(function.call(arena)))
    results.push_back(copyOf(view));
  checkTouched(name, arguments);
  for (const Tensor *argument : arguments) {
    orThrow(residence_->fetch(argument->view()));
    residence_->forget(argument->view());
  }
  return results;
}

// Compares bytes touched. The figures must be equal for buffers that are
// touched as a whole, and an upper bound for partly touched ones. Rows that are
// looked up count once per lookup, and a list of tiles has more room than
// tiles.
void CompiledForDevice::checkTouched(
    const std::string &name,
    const std::vector<const Tensor *> &arguments) const {
  std::vector<Shape> shapes;
  for (const Tensor *argument : arguments)
    shapes.push_back(argument->shape());
  auto function = std::find_if(
      compiled_.functions.begin(), compiled_.functions.end(),
      [&](const ProgramFunction &function) { return function.name == name; });
  CallPlan plan = orThrow(planCall(
      compiled_, static_cast<int>(function - compiled_.functions.begin()),
      shapes));
  size_t next = 0;
  for (const PlannedCommand &command : plan.commands) {
    if (command.kind != PlannedCommand::Kind::kLaunch)
      continue;
    ASSERT_LT(next, device_->launched.size());
    int64_t seen = device_->launched[next++];
    std::optional<int64_t> told = bytesTouched(plan, command);
    if (!told)
      continue;
    if (command.partlyBytes >= 0)
      EXPECT_GE(*told, seen)
          << "bytes of " << compiled_.kernels[command.kernel].name;
    else
      EXPECT_EQ(*told, seen)
          << "bytes of " << compiled_.kernels[command.kernel].name;
  }
  EXPECT_EQ(next, device_->launched.size());
}

static std::vector<Tensor> callWith(CompiledForDevice &program, const OpCase &c,
                                    const std::vector<Tensor> &arguments) {
  CallArguments call(arguments);
  std::vector<Tensor> results = program.call("f", call.pointers);
  for (auto [argument, result] : c.inPlace)
    results.insert(results.begin() + result, copyOf(call.own[argument]));
  return results;
}

std::vector<Tensor> runOnDevice(CompiledForDevice &program, const OpCase &c) {
  return callWith(program, c, c.arguments);
}

// Ranges of rows that must give the same bits alone.
static std::vector<std::pair<int64_t, int64_t>> partsOf(const OpCase &c) {
  if (c.perToken.empty())
    return {};
  int64_t tokens = c.arguments[c.perToken[0]].shape()[0];
  std::vector<std::pair<int64_t, int64_t>> parts = {{0, 1},
                                                    {tokens / 2, tokens}};
  // Enough rows for every tile size. A row's bits are the same in each.
  if (tokens > 128)
    for (int64_t count : {8, 9, 17, 33, 65})
      parts.push_back({0, count});
  return parts;
}

static double boundOf(const OpCase &c, const Tensor &result) {
  bool isBf16 = result.dtype() == DType::kBF16 || c.dtype == DType::kBF16;
  return c.bound > 0 ? c.bound : isBf16 ? 4e-3 : 1e-5;
}

static Tensor doubles(const Shape &shape, const std::vector<double> &values) {
  Tensor tensor = orThrow(Tensor::create(DType::kF64, shape));
  std::copy(values.begin(), values.end(), tensor.as<double>());
  return tensor;
}

// Records a case with the expected results and the `bounds` of their errors.
static void record(const OpCase &c, const CompiledForDevice &program,
                   std::vector<double> bounds, std::vector<Tensor> expected) {
  const char *folder = std::getenv("NIBBLE_RECORD");
  if (!folder)
    return;
  static int number = 0;
  std::string path = fmt::format("{}/{:03}", folder, number++);
  RecordedCase recorded;
  recorded.name = c.name;
  recorded.inPlace = c.inPlace;
  recorded.perToken = c.perToken;
  recorded.parts = partsOf(c);
  for (const Tensor &argument : c.arguments)
    recorded.arguments.push_back(copyOf(argument));
  recorded.bounds = std::move(bounds);
  recorded.expected = std::move(expected);
  orThrow(recorded.write(path));
  orThrow(writeBundle(path + "/program.nbl", program.deviceProgram()));
}

void checkOnDevice(const OpCase &c) {
  CompiledForDevice program(withElement(c.source, c.dtype));
  std::vector<Tensor> results = runOnDevice(program, c);
  std::vector<ReferenceValue> expected = reference(c);
  ASSERT_EQ(results.size(), expected.size()) << c.name;
  std::vector<double> bounds;
  std::vector<Tensor> numbers;
  for (size_t i = 0; i < results.size(); ++i) {
    bounds.push_back(boundOf(c, results[i]));
    numbers.push_back(doubles(results[i].shape(), expected[i].reals));
  }
  record(c, program, std::move(bounds), std::move(numbers));
  std::string errors;
  for (size_t i = 0; i < results.size(); ++i) {
    double error = relativeError(valuesOf(results[i]), expected[i].reals);
    EXPECT_LT(error, boundOf(c, results[i])) << c.name << " result " << i;
    errors += fmt::format(" {:.2e}", error);
  }
  fmt::print("{}:{}\n", c.name, errors);
  for (auto [first, last] : partsOf(c)) {
    std::vector<Tensor> part;
    for (size_t i = 0; i < c.arguments.size(); ++i) {
      bool cut = std::find(c.perToken.begin(), c.perToken.end(),
                           static_cast<int>(i)) != c.perToken.end();
      part.push_back(cut ? rowsOf(c.arguments[i], first, last)
                         : copyOf(c.arguments[i]));
    }
    std::vector<Tensor> alone = callWith(program, c, part);
    for (size_t i = 0; i < alone.size(); ++i)
      EXPECT_EQ(difference(alone[i], rowsOf(results[i], first, last)),
                "the same")
          << c.name << " result " << i << " of tokens " << first << " to "
          << last;
  }
}

void checkExactlyOnDevice(CompiledForDevice &program, const OpCase &c,
                          const std::vector<Tensor> &expected,
                          double recordedBound) {
  std::vector<Tensor> results = runOnDevice(program, c);
  std::vector<Tensor> numbers;
  ASSERT_EQ(results.size(), expected.size()) << c.name;
  int64_t bytes = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(differentBytes(results[i], expected[i]), 0)
        << c.name << " result " << i;
    numbers.push_back(
        doubles(expected[i].shape(), numbersOf(expected[i].view())));
    bytes += expected[i].bytes();
  }
  fmt::print("{}: {} bytes compared\n", c.name, bytes);
  record(c, program, std::vector<double>(expected.size(), recordedBound),
         std::move(numbers));
}

} // namespace nibble::test
