// Differentiates a function and compares the gradients with finite differences.
#include "test/passes/Differentiate/GradientCase.h"

#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

using namespace nibble;

namespace {

constexpr int64_t kTokens = 6;

// Integer inputs by name, in the ranges that the ops need.
std::vector<int64_t> integersOf(StringRef name) {
  if (name == "positions")
    return {0, 1, 2, 0, 1, 2};
  if (name == "sequences")
    return {0, 3, 6};
  return {2, 0, 3, 1, 3, 0}; // tokens, targets, rows; some occur twice
}

ReferenceValue argumentOf(func::FuncOp function, unsigned i,
                          const GradientCase &gradientCase,
                          std::mt19937_64 &random) {
  Type type = function.getArgumentTypes()[i];
  SmallVector<int64_t> shape;
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    for (int64_t extent : tensor.getShape())
      shape.push_back(ShapedType::isDynamic(extent) ? kTokens : extent);
  Type element = getElementTypeOrSelf(type);
  if (isa<FloatType>(element)) {
    ReferenceValue value = randomValue(type, random, shape);
    for (double &number : value.reals)
      number = gradientCase.center + gradientCase.spread * number;
    return value;
  }
  auto name = function.getArgAttrOfType<StringAttr>(i, nn::kInputAttr);
  std::vector<int64_t> integers = integersOf(name ? name.getValue() : "");
  return ReferenceValue::integerTensor({static_cast<int64_t>(integers.size())},
                                       element, integers);
}

std::string pipelineOf(func::FuncOp function,
                       const GradientCase &gradientCase) {
  std::string wrt = gradientCase.wrt;
  if (wrt.empty()) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (isa<FloatType>(getElementTypeOrSelf(function.getArgumentTypes()[i])))
        wrt += (wrt.empty() ? "" : ",") + std::to_string(i);
  }
  if (wrt != "parameters")
    wrt = "args=" + wrt;
  return "builtin.module(nibble-differentiate{function=f result-function=step "
         "seed=arguments wrt=" +
         wrt + " recompute=" + gradientCase.recompute + "})";
}

// A module with @f, and the same with @step beside it.
struct Differentiated {
  std::string errors;
  MLIRContext context{makeRegistry()};
  OwningOpRef<ModuleOp> before, module;

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registry
        .insert<func::FuncDialect, arith::ArithDialect, cf::ControlFlowDialect,
                math::MathDialect, tensor::TensorDialect, linalg::LinalgDialect,
                nn::NNDialect, qat::QATDialect>();
    registerGradientModels(registry);
    return registry;
  }

  func::FuncOp forward() { return before->lookupSymbol<func::FuncOp>("f"); }
  func::FuncOp step() { return module->lookupSymbol<func::FuncOp>("step"); }

  void differentiate(const GradientCase &gradientCase) {
    static const bool registered = [] {
      return registerNibbleDifferentiatePasses(), mlir::registerCanonicalizer(),
             true;
    }();
    ASSERT_TRUE(registered);
    context.getDiagEngine().registerHandler(
        [&](Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; });
    module = parseSourceString<ModuleOp>(gradientCase.text, &context);
    ASSERT_TRUE(module) << errors;
    ASSERT_TRUE(module->lookupSymbol("f")) << "no @f";
    // The forward alone. Its loop bodies are cleaned of leftovers from foreign
    // front ends, as the reference requires.
    before = module->clone();
    PassManager clean(&context);
    ASSERT_TRUE(succeeded(parsePassPipeline("canonicalize", clean)));
    ASSERT_TRUE(succeeded(clean.run(*before))) << errors;
    std::string pipeline =
        pipelineOf(module->lookupSymbol<func::FuncOp>("f"), gradientCase);
    FailureOr<OpPassManager> parsed = parsePassPipeline(StringRef(pipeline));
    ASSERT_TRUE(succeeded(parsed)) << pipeline;
    PassManager manager(&context);
    static_cast<OpPassManager &>(manager) = std::move(*parsed);
    ASSERT_TRUE(succeeded(manager.run(*module))) << errors;
    ASSERT_TRUE(succeeded(verify(*module))) << errors;
  }
};

} // namespace

std::vector<double> nibble::gradientsAt(const std::string &text,
                                        const std::vector<double> &arguments) {
  Differentiated made;
  made.differentiate({"", text});
  if (::testing::Test::HasFatalFailure())
    return {};
  SmallVector<ReferenceValue> values;
  for (double argument : arguments) {
    values.push_back(ReferenceValue::zero(Float64Type::get(&made.context)));
    values.back().reals = {argument};
  }
  values.push_back(values.front());
  values.back().reals = {1.0}; // the gradient of the result
  auto results = evaluate(made.step(), values, ReferenceOptions::exact());
  std::vector<double> gradients;
  EXPECT_TRUE(succeeded(results)) << made.errors;
  if (succeeded(results))
    for (size_t i = 0; i < arguments.size(); ++i)
      gradients.push_back((*results)[i + 1].reals[0]);
  return gradients;
}

void nibble::checkGradients(const GradientCase &gradientCase) {
  Differentiated made;
  made.differentiate(gradientCase);
  if (::testing::Test::HasFatalFailure())
    return;
  func::FuncOp forward = made.forward();
  std::mt19937_64 random(7);
  SmallVector<ReferenceValue> arguments;
  for (unsigned i = 0; i < forward.getNumArguments(); ++i)
    arguments.push_back(argumentOf(forward, i, gradientCase, random));
  auto comparisons = compareGradients(forward, made.step(), arguments);
  ASSERT_TRUE(succeeded(comparisons)) << made.errors;
  for (const GradientComparison &comparison : *comparisons) {
    EXPECT_LT(comparison.relativeError, 1e-7)
        << comparison.name << ": gradient "
        << ::testing::PrintToString(comparison.fromGradient) << ", differences "
        << ::testing::PrintToString(comparison.fromDifferences);
    double size = 0;
    for (double value : comparison.fromDifferences)
      size += value * value;
    EXPECT_GT(size, 0.0)
        << comparison.name
        << " has no influence on the result: the case tests nothing";
  }
}

TEST_P(GradientTest, AgreesWithFiniteDifferences) {
  checkGradients(GetParam());
}
