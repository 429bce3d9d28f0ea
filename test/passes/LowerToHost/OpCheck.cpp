// Runs an op on the host with several numbers of threads and compares it with
// the reference.
#include "test/passes/LowerToHost/OpCheck.h"
#include "test/passes/LowerToHost/CallArguments.h"

#include "include/nibble/InitAll.h"
#include "lib/Reference/Packed.h"

#include "mlir/Parser/Parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace nibble::test {

std::string withElement(std::string source, DType dtype) {
  std::string element = dtype == DType::kBF16 ? "xbf16" : "xf32";
  for (size_t at = source.find("xE"); at != std::string::npos;
       at = source.find("xE", at))
    source.replace(at, 2, element);
  return source;
}

static std::vector<Tensor> callOn(HostProgram &program, const OpCase &c,
                                  const std::vector<Tensor> &arguments,
                                  int threads) {
  CallArguments call(arguments);
  std::vector<Tensor> results = program.call("f", call.pointers, threads);
  // Results in an argument's buffer are not returned. Insert them at their
  // places.
  for (auto [argument, result] : c.inPlace)
    results.insert(results.begin() + result, copyOf(call.own[argument]));
  return results;
}

std::vector<Tensor> runOp(HostProgram &program, const OpCase &c, int threads) {
  return callOn(program, c, c.arguments, threads);
}

std::vector<ReferenceValue> reference(const OpCase &c) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      withElement(c.source, c.dtype), &context);
  mlir::Builder b(&context);
  auto function = module->lookupSymbol<mlir::func::FuncOp>("f");
  std::vector<ReferenceValue> arguments;
  for (const Tensor &tensor : c.arguments) {
    if (auto packed = mlir::dyn_cast<qat::PackedType>(
            function.getArgumentTypes()[arguments.size()])) {
      arguments.push_back(packedValue(
          packed, {tensor.as<uint8_t>(), static_cast<size_t>(tensor.bytes())}));
      continue;
    }
    std::vector<double> values = valuesOf(tensor);
    if (tensor.dtype() == DType::kI32)
      arguments.push_back(ReferenceValue::integerTensor(
          tensor.shape(), b.getI32Type(),
          std::vector<int64_t>(values.begin(), values.end())));
    else
      arguments.push_back(ReferenceValue::tensor(
          tensor.shape(),
          tensor.dtype() == DType::kBF16 ? mlir::Type(b.getBF16Type())
                                         : b.getF32Type(),
          values));
  }
  auto results = evaluate(function, arguments);
  EXPECT_TRUE(mlir::succeeded(results)) << c.name;
  std::vector<ReferenceValue> out;
  if (mlir::succeeded(results))
    for (ReferenceValue &value : *results) {
      value.type = mlir::Type(); // the type belongs to the context
      out.push_back(std::move(value));
    }
  return out;
}

void checkOp(const OpCase &c) {
  HostProgram program(withElement(c.source, c.dtype));
  std::vector<Tensor> results = runOp(program, c, 2);
  std::vector<Tensor> single = runOp(program, c, 1);
  std::vector<ReferenceValue> expected = reference(c);
  ASSERT_EQ(results.size(), expected.size()) << c.name;
  std::string errors;
  for (size_t i = 0; i < results.size(); ++i) {
    double error = relativeError(valuesOf(results[i]), expected[i].reals);
    double bound =
        c.bound > 0 ? c.bound
        : results[i].dtype() == DType::kBF16 || c.dtype == DType::kBF16 ? 4e-3
                                                                        : 1e-5;
    EXPECT_LT(error, bound) << c.name << " result " << i;
    EXPECT_EQ(difference(results[i], single[i]), "the same")
        << c.name << " result " << i << " with one thread";
    errors += fmt::format(" {:.2e}", error);
  }
  fmt::print("{}:{}\n", c.name, errors);
  if (c.perToken.empty())
    return;
  int64_t tokens = c.arguments[c.perToken[0]].shape()[0];
  for (auto [first, last] :
       {std::pair<int64_t, int64_t>{0, 1}, {tokens / 2, tokens}}) {
    std::vector<Tensor> part;
    for (size_t i = 0; i < c.arguments.size(); ++i) {
      bool cut = std::find(c.perToken.begin(), c.perToken.end(),
                           static_cast<int>(i)) != c.perToken.end();
      part.push_back(cut ? rowsOf(c.arguments[i], first, last)
                         : copyOf(c.arguments[i]));
    }
    std::vector<Tensor> alone = callOn(program, c, part, 2);
    for (size_t i = 0; i < alone.size(); ++i)
      EXPECT_EQ(difference(alone[i], rowsOf(results[i], first, last)),
                "the same")
          << c.name << " result " << i << " of tokens " << first << " to "
          << last;
  }
}

} // namespace nibble::test
