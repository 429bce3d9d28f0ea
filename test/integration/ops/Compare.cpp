// Compiles an op, evaluates it with the reference, and compares the results.
#include "test/integration/ops/Compare.h"

#include "lib/Numerics/bf16.h"
#include "lib/Reference/Packed.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace nibble {

static DType dtypeOf(Type element) {
  if (isa<qat::PackedType>(element))
    return DType::kU8;
  if (element.isBF16())
    return DType::kBF16;
  if (element.isInteger(32))
    return DType::kI32;
  EXPECT_TRUE(element.isF32())
      << "an element type that these tests do not pass";
  return DType::kF32;
}

Tensor tensorOf(const ReferenceValue &value) {
  Shape shape(value.shape.begin(), value.shape.end());
  std::vector<uint8_t> bytes;
  if (isa<qat::PackedType>(value.type)) {
    bytes = packedBytes(value);
    shape = {static_cast<int64_t>(bytes.size())};
  }
  Result<Tensor> made = Tensor::create(dtypeOf(value.elementType()), shape);
  EXPECT_TRUE(made.isOk()) << made.status().message();
  Tensor tensor = *std::move(made);
  if (!bytes.empty())
    std::memcpy(tensor.data(), bytes.data(), bytes.size());
  else if (value.elementType().isBF16())
    for (auto [i, real] : llvm::enumerate(value.reals))
      tensor.as<uint16_t>()[i] =
          numerics::bf16FromFloat(static_cast<float>(real));
  else if (value.isReal())
    for (auto [i, real] : llvm::enumerate(value.reals))
      tensor.as<float>()[i] = static_cast<float>(real);
  else
    for (auto [i, integer] : llvm::enumerate(value.integers))
      tensor.as<int32_t>()[i] = static_cast<int32_t>(integer);
  return tensor;
}

ReferenceValue valueOf(const TensorView &view, Type type) {
  if (auto packed = dyn_cast<qat::PackedType>(type))
    return packedValue(packed, ArrayRef(view.as<uint8_t>(), view.elements()));
  ReferenceValue value = ReferenceValue::zero(RankedTensorType::get(
      ArrayRef<int64_t>(view.shape.data(), view.shape.size()),
      getElementTypeOrSelf(type)));
  for (auto [i, real] : llvm::enumerate(value.reals))
    real = view.dtype == DType::kBF16
               ? numerics::floatFromBf16(view.as<uint16_t>()[i])
               : view.as<float>()[i];
  for (auto [i, integer] : llvm::enumerate(value.integers))
    integer = view.as<int32_t>()[i];
  return value;
}

ReferenceValue OpTest::numbers(ArrayRef<int64_t> shape, Type element,
                               double scale, double center) {
  ReferenceValue value =
      ReferenceValue::zero(RankedTensorType::get(shape, element));
  std::normal_distribution<double> normal(center, scale);
  for (double &real : value.reals)
    real = roundTo(normal(random), element);
  return value;
}

ReferenceValue OpTest::indices(ArrayRef<int64_t> shape, int64_t bound) {
  ReferenceValue value =
      ReferenceValue::zero(RankedTensorType::get(shape, b.getI32Type()));
  for (int64_t &integer : value.integers)
    integer = static_cast<int64_t>(random() % bound);
  return value;
}

ReferenceValue OpTest::integers(ArrayRef<int64_t> elements) {
  return ReferenceValue::integerTensor({static_cast<int64_t>(elements.size())},
                                       b.getI32Type(), elements);
}

OwningOpRef<ModuleOp> OpTest::parse(std::string &text) {
  for (size_t at; (at = text.find("$E")) != std::string::npos;)
    text.replace(at, 2, GetParam());
  auto module = session.parseText(text, "test");
  EXPECT_TRUE(module.isOk()) << module.status().message() << "\n" << text;
  return module.isOk() ? *std::move(module) : OwningOpRef<ModuleOp>();
}

std::vector<ReferenceValue> OpTest::reference(std::string text,
                                              const Arguments &arguments) {
  OwningOpRef<ModuleOp> module = parse(text);
  if (!module)
    return {};
  auto results = evaluate(module->lookupSymbol<func::FuncOp>("f"), arguments);
  EXPECT_TRUE(succeeded(results))
      << session.failure(Code::kFailed, "no reason given").message();
  return succeeded(results)
             ? std::vector<ReferenceValue>(results->begin(), results->end())
             : std::vector<ReferenceValue>();
}

static void expectSame(const ReferenceValue &actual,
                       const ReferenceValue &expected, bool exactly,
                       const std::string &what) {
  EXPECT_EQ(actual.shape, expected.shape) << what;
  EXPECT_EQ(actual.integers, expected.integers) << what;
  if (exactly || isa<qat::PackedType>(expected.type)) {
    EXPECT_EQ(actual.reals, expected.reals) << what;
    return;
  }
  double bound = expected.elementType().isBF16() ? 4e-3 : 1e-5;
  EXPECT_LT(relativeError(actual.reals, expected.reals), bound)
      << what << "\n  host      " << toString(actual) << "\n  reference "
      << toString(expected);
}

void OpTest::compare(std::string text, const std::vector<int64_t> &tokens,
                     const std::function<Arguments(int64_t)> &arguments,
                     bool exactly) {
  OwningOpRef<ModuleOp> module = parse(text), compiled = parse(text);
  ASSERT_TRUE(module && compiled);
  auto forward = module->lookupSymbol<func::FuncOp>("f");
  Result<Program> program = session.compileForHost(*compiled);
  ASSERT_TRUE(program.isOk()) << program.status().message() << "\n" << text;
  Result<Function> function = program->function("f");
  ASSERT_TRUE(function.isOk()) << function.status().message();
  for (int64_t T : tokens) {
    Arguments given = arguments(T);
    auto expected = evaluate(forward, given);
    ASSERT_TRUE(succeeded(expected))
        << session.failure(Code::kFailed, "no reason given").message();
    std::vector<Tensor> tensors;
    for (const ReferenceValue &value : given)
      tensors.push_back(tensorOf(value));
    for (auto [i, tensor] : llvm::enumerate(tensors)) {
      Status bound = function->bind(static_cast<int>(i), tensor.view());
      ASSERT_TRUE(bound.isOk()) << bound.message();
    }
    Arena arena;
    auto results = function->call(arena);
    ASSERT_TRUE(results.isOk()) << results.status().message();
    ASSERT_EQ(results->size(), expected->size());
    for (auto [i, view] : llvm::enumerate(*results))
      expectSame(
          valueOf(view, forward.getResultTypes()[i]), (*expected)[i], exactly,
          "result " + std::to_string(i) + " for T = " + std::to_string(T));
  }
}

} // namespace nibble
