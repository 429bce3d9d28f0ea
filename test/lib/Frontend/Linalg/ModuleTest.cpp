// Recognizes and differentiates the modules of this folder in float64. Compares
// with JAX's own losses and gradients, and with finite differences.
#include "lib/Frontend/Linalg/Passes.h"
#include "lib/Reference/FiniteDifference.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"

#include "dialects/NN/NN.h"
#include "dialects/QAT/QAT.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace nibble;

namespace {

struct JaxValues {
  const char *name, *parameters;
  // The loss, and for each parameter's gradient the sum of gradient[i] *
  // cos(0.3 i).
  std::vector<double> values;
};

const JaxValues kJaxValues[] = {
#include "test/lib/Frontend/Linalg/jax_values.inc"
};

struct ModuleTest : ::testing::Test {
  MLIRContext context{makeRegistry()};
  std::string errors;
  OwningOpRef<ModuleOp> module;

  ModuleTest() {
    context.getDiagEngine().registerHandler(
        [this](Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; });
    static const bool registered = [] {
      registerNibbleDifferentiatePasses();
      registerNibbleLinalgPasses();
      registerCanonicalizer();
      return true;
    }();
    EXPECT_TRUE(registered);
  }

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registry.insert<func::FuncDialect, arith::ArithDialect, math::MathDialect,
                    tensor::TensorDialect, linalg::LinalgDialect, nn::NNDialect,
                    qat::QATDialect>();
    registerGradientModels(registry);
    return registry;
  }

  bool load(const std::string &name, const std::string &pipeline) {
    module = parseSourceFile<ModuleOp>(
        std::string(NIBBLE_TEST_DATA "/lib/Frontend/Linalg/") + name + ".mlir",
        &context);
    FailureOr<OpPassManager> parsed =
        parsePassPipeline(StringRef("builtin.module(" + pipeline + ")"));
    if (!module || failed(parsed))
      return false;
    PassManager manager(&context);
    static_cast<OpPassManager &>(manager) = std::move(*parsed);
    return succeeded(manager.run(*module));
  }

  func::FuncOp function(StringRef name) {
    return module->lookupSymbol<func::FuncOp>(name);
  }
};

// 0.5 sin(0.7 i + a + 1), in the order of the graph's own tensor.
ReferenceValue filled(func::FuncOp function, unsigned a) {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[a]);
  ReferenceValue value = ReferenceValue::zero(type);
  bool turned = function.getArgAttr(a, nn::kTransposedAttr) != nullptr;
  int64_t rows = turned ? type.getDimSize(0) : 1;
  int64_t columns = turned ? type.getDimSize(1) : value.count();
  for (int64_t i = 0; i < value.count(); ++i) {
    int64_t place = turned ? i % columns * rows + i / columns : i;
    value.reals[i] = 0.5 * std::sin(0.7 * static_cast<double>(place) + a + 1);
  }
  return value;
}

// Sum of gradient[i] * cos(0.3 i), with i in the order of the graph's own
// tensor.
double projected(func::FuncOp function, unsigned a,
                 const ReferenceValue &gradient) {
  bool turned = function.getArgAttr(a, nn::kTransposedAttr) != nullptr;
  int64_t rows = turned ? gradient.extent(0) : 1;
  int64_t columns = turned ? gradient.extent(1) : gradient.count();
  double sum = 0;
  for (int64_t i = 0; i < gradient.count(); ++i)
    sum += gradient.reals[i] *
           std::cos(0.3 * static_cast<double>(
                              turned ? i % columns * rows + i / columns : i));
  return sum;
}

TEST_F(ModuleTest, LossesAndGradientsAreJax) {
  for (const JaxValues &jax : kJaxValues) {
    for (const char *layout : {"argument", "value"}) {
      SCOPED_TRACE(std::string(jax.name) + " with layout=" + layout);
      ASSERT_TRUE(load(
          jax.name, std::string("nibble-recognize-linear{parameters=") +
                        jax.parameters + " layout=" + layout +
                        "},nibble-differentiate{function=main},canonicalize"))
          << errors;
      func::FuncOp step = function("train_step");
      std::vector<ReferenceValue> arguments;
      std::vector<unsigned> parameters;
      for (unsigned i = 0; i < step.getNumArguments(); ++i) {
        if (step.getArgAttr(i, nn::kParameterAttr))
          parameters.push_back(i);
        bool accumulator = step.getArgAttr(i, nn::kStateAttr) != nullptr;
        arguments.push_back(
            accumulator ? ReferenceValue::zero(step.getArgumentTypes()[i])
                        : filled(step, i));
      }
      auto results = evaluate(step, arguments, ReferenceOptions::exact());
      ASSERT_TRUE(succeeded(results)) << errors;
      ASSERT_EQ(jax.values.size(), parameters.size() + 1);
      ASSERT_EQ(results->size(), parameters.size() + 1);
      // The module's constants are float32, but JAX computed in float64.
      EXPECT_NEAR((*results)[0].reals[0], jax.values[0],
                  1e-6 * std::abs(jax.values[0]));
      for (unsigned p = 0; p < parameters.size(); ++p)
        EXPECT_NEAR(projected(step, parameters[p], (*results)[p + 1]),
                    jax.values[p + 1], 1e-6)
            << "parameter " << p;
    }
  }
}

// Compares the gradients of every module after recognition with finite
// differences of the original module.
TEST_F(ModuleTest, GradientsAgreeWithFiniteDifferences) {
  struct Case {
    const char *name, *function, *parameters;
  };
  for (const Case &c : {Case{"jax-mlp", "main", "0:b1,1:b2,2:w1,3:w2"},
                        Case{"torch-mlp", "forward", "1:w1,2:b1,3:w2"},
                        Case{"mlp", "loss", ""}}) {
    SCOPED_TRACE(c.name);
    std::string recognize =
        std::string("nibble-recognize-linear{layout=value function=") +
        c.function + " parameters=" + c.parameters + "}";
    ASSERT_TRUE(load(c.name, "canonicalize")) << errors;
    OwningOpRef<ModuleOp> original = std::move(module);
    ASSERT_TRUE(load(c.name, recognize + ",nibble-differentiate{function=" +
                                 c.function + "},canonicalize"))
        << errors;
    // The names that recognition gave, for the original forward.
    auto forward = original->lookupSymbol<func::FuncOp>(c.function);
    forward.setArgAttrsAttr(function(c.function).getArgAttrsAttr());
    std::mt19937_64 random(3);
    std::vector<ReferenceValue> arguments;
    for (Type type : forward.getArgumentTypes()) {
      auto tensor = cast<RankedTensorType>(type);
      SmallVector<int64_t> shape(tensor.getShape());
      for (int64_t &extent : shape)
        extent = ShapedType::isDynamic(extent) ? 3 : extent;
      arguments.push_back(
          isa<FloatType>(tensor.getElementType())
              ? randomValue(type, random, shape)
              : ReferenceValue::integerTensor({4}, tensor.getElementType(),
                                              {1, 0, 3, 1}));
    }
    auto comparisons =
        compareGradients(forward, function("train_step"), arguments);
    ASSERT_TRUE(succeeded(comparisons)) << errors;
    EXPECT_GE(comparisons->size(), 3u);
    for (const GradientComparison &comparison : *comparisons)
      EXPECT_LT(comparison.relativeError, 1e-6) << comparison.name;
  }
}

} // namespace
