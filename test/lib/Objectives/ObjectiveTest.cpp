// The built-in objectives: values by the formulas of the papers, gradients by
// finite differences.
#include "lib/Objectives/Objectives.h"
#include "lib/Reference/FiniteDifference.h"
#include "passes/Differentiate/GradientOpInterface.h"
#include "passes/Differentiate/Passes.h"

#include "dialects/NN/NN.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

using namespace mlir;
using namespace nibble;

namespace {

// The graph's logits are its input, so that a loss is a function of them alone.
constexpr const char *kLogits = R"(
  func.func @logits(%x: tensor<?x4xf32> {nn.input = "x"}, %sequences: tensor<?xi32> {nn.input = "sequences"}) -> tensor<?x4xf32> {
    return %x : tensor<?x4xf32>
  })";

// Six tokens of two sequences. The mask excludes the first token of each.
// Ratios lie on both sides of every clip.
using Numbers = std::vector<double>;
const Numbers kLogitValues = {0.1, 0.9, -0.4, 0.3, -0.2, 0.5, 0.7,  -0.9,
                              0.4, 0.4, -0.1, 0.2, -0.6, 0.8, 0.3,  0.1,
                              0.9, 0.2, -0.3, 0.5, 0.0,  0.6, -0.7, 0.4};
const std::map<std::string, Numbers> kInputs = {
    {"temperature", {1, 1, 0.5, 1, 2, 1}},
    {"mask", {0, 1, 1, 0, 1, 1}},
    {"weight", {0.25, 0.25, 0.25, 0.5, 0.5, 0.5}},
    {"advantage", {1.5, 1.5, 1.5, -0.5, -0.5, -0.5}},
    {"old_logp", {-1.5, -1.0, -2.4, -1.2, -2.9, -1.3}},
    {"reference_logp", {-1.4, -1.6, -1.1, -1.3, -1.2, -1.9}}};
const std::vector<int64_t> kTargets = {1, 2, 0, 1, 3, 2};
const std::vector<int64_t> kSequences = {0, 3, 6};

struct ObjectiveTest : ::testing::Test {
  MLIRContext context{makeRegistry()};
  std::string errors;
  OwningOpRef<ModuleOp> module;

  ObjectiveTest() {
    context.getDiagEngine().registerHandler(
        [this](Diagnostic &diagnostic) { errors += diagnostic.str() + "\n"; });
    static const bool registered = [] {
      return registerNibbleDifferentiatePasses(), true;
    }();
    EXPECT_TRUE(registered);
  }

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registry
        .insert<func::FuncDialect, arith::ArithDialect, math::MathDialect,
                tensor::TensorDialect, linalg::LinalgDialect, nn::NNDialect>();
    registerGradientModels(registry);
    return registry;
  }

  // Builds @loss and @train_step, whose gradient is by the logits.
  bool build(const std::string &objective, const std::string &options) {
    module = parseSourceString<ModuleOp>(kLogits, &context);
    FailureOr<OpPassManager> parsed = parsePassPipeline(StringRef(
        "builtin.module(nibble-attach-objective{objective=" + objective +
        " options=" + options + "},nibble-differentiate{wrt=args=0})"));
    if (!module || failed(parsed))
      return false;
    PassManager manager(&context);
    static_cast<OpPassManager &>(manager) = std::move(*parsed);
    return succeeded(manager.run(*module));
  }

  std::vector<ReferenceValue> arguments() {
    std::vector<ReferenceValue> values;
    auto loss = module->lookupSymbol<func::FuncOp>("loss");
    Builder b(&context);
    for (unsigned i = 0; i < loss.getNumArguments(); ++i) {
      std::string name =
          loss.getArgAttrOfType<StringAttr>(i, nn::kInputAttr).str();
      if (name == "x")
        values.push_back(
            ReferenceValue::tensor({6, 4}, b.getF64Type(), kLogitValues));
      else if (name == "targets" || name == "sequences")
        values.push_back(ReferenceValue::integerTensor(
            {name == "targets" ? 6 : 3}, b.getI32Type(),
            name == "targets" ? kTargets : kSequences));
      else
        values.push_back(
            ReferenceValue::tensor({6}, b.getF64Type(), kInputs.at(name)));
      // The numbers are float64, but the type is the graph's.
      values.back().type = loss.getArgumentTypes()[i];
    }
    return values;
  }

  // Results of @loss by name.
  std::map<std::string, Numbers> evaluateLoss() {
    auto loss = module->lookupSymbol<func::FuncOp>("loss");
    auto results = evaluate(loss, arguments(), ReferenceOptions::exact());
    EXPECT_TRUE(succeeded(results)) << errors;
    std::map<std::string, Numbers> named;
    for (unsigned i = 0; succeeded(results) && i < results->size(); ++i)
      named[loss.getResultAttrOfType<StringAttr>(i, nn::kOutputAttr).str()] =
          (*results)[i].reals;
    return named;
  }

  void expectGradients() {
    auto comparisons = compareGradients(
        module->lookupSymbol<func::FuncOp>("loss"),
        module->lookupSymbol<func::FuncOp>("train_step"), arguments());
    ASSERT_TRUE(succeeded(comparisons)) << errors;
    ASSERT_EQ(comparisons->size(), 1u);
    EXPECT_LT(comparisons->front().relativeError, 1e-7);
    EXPECT_GT(std::abs(comparisons->front().fromDifferences[4]), 1e-3)
        << "a loss that does not depend on the logits";
  }
};

double at(const char *name, int t) { return kInputs.at(name)[t]; }
double factor(int t) { return at("mask", t) * at("weight", t); }

TEST_F(ObjectiveTest, Sft) {
  ASSERT_TRUE(build("sft", "")) << errors;
  auto results = evaluateLoss();
  double expected = 0;
  for (int t = 0; t < 6; ++t)
    expected -= factor(t) * results["logp"][t];
  EXPECT_NEAR(results["loss"][0], expected, 1e-12);
  expectGradients();
}

TEST_F(ObjectiveTest, Reinforce) {
  ASSERT_TRUE(build("reinforce", "entropy=0.25")) << errors;
  auto results = evaluateLoss();
  double expected = 0;
  for (int t = 0; t < 6; ++t)
    expected -= factor(t) * (at("advantage", t) * results["logp"][t] +
                             0.25 * results["entropy"][t]);
  EXPECT_NEAR(results["loss"][0], expected, 1e-12);
  expectGradients();
}

TEST_F(ObjectiveTest, Grpo) {
  for (double dualClip : {0.0, 2.0}) {
    SCOPED_TRACE(dualClip);
    ASSERT_TRUE(
        build("grpo",
              "clip_low=0.25,clip_high=0.5,kl=0.125,entropy=0.0625,dual_clip=" +
                  std::to_string(dualClip)))
        << errors;
    auto results = evaluateLoss();
    double loss = 0, kls = 0, clips = 0;
    int bounded = 0;
    for (int t = 0; t < 6; ++t) {
      double a = at("advantage", t);
      double ratio = std::exp(results["logp"][t] - at("old_logp", t));
      double clipped = std::min(std::max(ratio, 0.75), 1.5);
      double gain = std::min(ratio * a, clipped * a);
      if (dualClip > 0 && a < 0 && gain < dualClip * a) {
        gain = dualClip * a;
        bounded += at("mask", t) > 0;
      }
      double d = at("reference_logp", t) - results["logp"][t];
      double kl = std::exp(d) - d - 1;
      loss += factor(t) * (-gain + 0.125 * kl - 0.0625 * results["entropy"][t]);
      kls += factor(t) * kl;
      clips += factor(t) * (clipped * a < ratio * a);
    }
    EXPECT_NEAR(results["loss"][0], loss, 1e-12);
    EXPECT_NEAR(results["kl"][0], kls, 1e-12);
    EXPECT_NEAR(results["clip_fraction"][0], clips, 1e-12);
    EXPECT_GT(clips, 0.0) << "no token is clipped: the case tests nothing";
    if (dualClip > 0)
      EXPECT_GT(bounded, 0) << "no token is bounded: the case tests nothing";
    expectGradients();
  }
}

TEST_F(ObjectiveTest, GspoHasOneRatioForASequence) {
  for (const char *clip : {"clip_low=0.0078125,clip_high=0.0078125",
                           "clip_low=0.96875,clip_high=64"}) {
    SCOPED_TRACE(clip);
    ASSERT_TRUE(build("gspo", clip)) << errors;
    bool tight = std::string(clip).ends_with("125");
    double low = tight ? 1 - 0.0078125 : 1 - 0.96875;
    double high = tight ? 1.0078125 : 65;
    auto results = evaluateLoss();
    double loss = 0;
    for (int s = 0; s < 2; ++s) {
      double sum = 0, length = 0;
      for (int t = 3 * s; t < 3 * s + 3; ++t) {
        sum += at("mask", t) * (results["logp"][t] - at("old_logp", t));
        length += at("mask", t);
      }
      double ratio = std::exp(sum / length);
      for (int t = 3 * s; t < 3 * s + 3; ++t)
        loss -= factor(t) * std::min(ratio * at("advantage", t),
                                     std::min(std::max(ratio, low), high) *
                                         at("advantage", t));
    }
    EXPECT_NEAR(results["loss"][0], loss, 1e-12);
    if (!tight)
      expectGradients();
  }
}

TEST(Objectives, AreFoundByName) {
  std::vector<std::string_view> names;
  for (const Objective &objective : builtinObjectives())
    names.push_back(objective.name);
  EXPECT_THAT(names,
              ::testing::IsSupersetOf({"grpo", "gspo", "reinforce", "sft"}));
  EXPECT_TRUE(llvm::is_sorted(names));
  EXPECT_THAT(objectiveNames(", ", " or ", "old_logp"),
              ::testing::AllOf(::testing::HasSubstr("grpo"),
                               ::testing::HasSubstr(" or "),
                               ::testing::Not(::testing::HasSubstr("sft"))));
  ASSERT_TRUE(builtinObjective("grpo"));
  EXPECT_NE(builtinObjective("grpo")->text.find("func.func @objective"),
            std::string_view::npos);
  EXPECT_FALSE(builtinObjective("dpo"));
  ASSERT_TRUE(builtinObjective("gspo")->optionOf("clip_low"));
  EXPECT_THAT(meaningOf(*builtinObjective("gspo")->optionOf("clip_low")),
              ::testing::AllOf(::testing::StartsWith(
                                   "ratio is held above 1 minus this; of "),
                               ::testing::HasSubstr("grpo (0.2)"),
                               ::testing::HasSubstr("gspo (0.0003)")));
  EXPECT_FALSE(builtinObjective("gspo")->optionOf("kl_coefficient"));
}

// A script (embed.py) extracts the table from the text. This test reads the
// same text with MLIR.
TEST_F(ObjectiveTest, TheTableSaysWhatTheFilesDeclare) {
  int inputs = 0, options = 0;
  for (const Objective &objective : builtinObjectives()) {
    SCOPED_TRACE(objective.name);
    auto file =
        parseSourceString<ModuleOp>(StringRef(objective.text), &context);
    ASSERT_TRUE(file) << errors;
    auto function = file->lookupSymbol<func::FuncOp>("objective");
    ASSERT_TRUE(function);
    ASSERT_EQ(objective.inputs.size(), function.getNumArguments());
    for (unsigned i = 0; i < function.getNumArguments(); ++i, ++inputs)
      EXPECT_EQ(objective.inputs[i],
                std::string_view(
                    function.getArgAttrOfType<StringAttr>(i, nn::kInputAttr)
                        .getValue()));
    SmallVector<arith::ConstantOp> constants;
    function.walk([&](arith::ConstantOp op) {
      if (op->hasAttr("option"))
        constants.push_back(op);
    });
    ASSERT_EQ(objective.options.size(), constants.size());
    for (auto [option, op] : llvm::zip(objective.options, constants)) {
      auto text = [&, op = op](StringRef name) {
        return op->getAttrOfType<StringAttr>(name).str();
      };
      auto number = [&, op = op](StringRef name) {
        return op->getAttrOfType<FloatAttr>(name).getValueAsDouble();
      };
      EXPECT_EQ(option.name, text("option"));
      EXPECT_EQ(option.key, text("key"));
      EXPECT_EQ(option.meaning, text("meaning"));
      EXPECT_EQ(option.least, number("least"));
      EXPECT_EQ(option.most, number("most"));
      EXPECT_EQ(static_cast<float>(option.value),
                cast<FloatAttr>(op.getValue()).getValue().convertToFloat());
      EXPECT_GE(option.value, option.least);
      EXPECT_LE(option.value, option.most);
      ++options;
    }
  }
  std::printf("%zu objectives, %d inputs, %d options\n",
              builtinObjectives().size(), inputs, options);
}

} // namespace
