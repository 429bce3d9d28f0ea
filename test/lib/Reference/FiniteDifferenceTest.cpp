// Tests the checker of gradients with handwritten gradients: correct ones pass,
// wrong ones are detected.
#include "test/lib/Reference/Run.h"

#include "lib/Reference/FiniteDifference.h"

using namespace nibble;
using ::testing::HasSubstr;

namespace {

struct FiniteDifferenceTest : ReferenceTest {
  llvm::FailureOr<std::vector<GradientComparison>>
  compare(const std::string &text, llvm::ArrayRef<ReferenceValue> arguments,
          const FiniteDifferenceOptions &options = {}) {
    errors.clear();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    if (!module)
      return mlir::failure();
    return compareGradients(module->lookupSymbol<mlir::func::FuncOp>("f"),
                            module->lookupSymbol<mlir::func::FuncOp>("step"),
                            arguments, options);
  }
};

// f = sum(w * w * x), df/dw = 2 w x, df/dx = w^2. `factor` introduces a
// mistake.
std::string program(const std::string &factor) {
  return R"(
  func.func @f(%x: tensor<?xf32> {nn.input = "x"}, %w: tensor<?xf32> {nn.parameter = "w"}) -> tensor<f32> {
    %a = arith.mulf %w, %w : tensor<?xf32>
    %b = arith.mulf %a, %x : tensor<?xf32>
    %s = nn.sum %b : tensor<?xf32> -> tensor<f32>
    return %s : tensor<f32>
  }
  func.func @step(%x: tensor<?xf32> {nn.input = "x"}, %w: tensor<?xf32> {nn.parameter = "w"},
                  %g: tensor<3xf32> {nn.state = "gradient:w"})
      -> (tensor<f32>, tensor<3xf32> {nn.state = "gradient:w"}, tensor<?xf32> {nn.output = "gradient:x"}) {
    %factor = arith.constant dense<)" +
         factor + R"(> : tensor<3xf32>
    %a = arith.mulf %w, %w : tensor<?xf32>
    %b = arith.mulf %a, %x : tensor<?xf32>
    %s = nn.sum %b : tensor<?xf32> -> tensor<f32>
    %p = arith.mulf %w, %x : tensor<?xf32>
    %q = tensor.cast %p : tensor<?xf32> to tensor<3xf32>
    %dw = arith.mulf %q, %factor : tensor<3xf32>
    %g1 = arith.addf %g, %dw : tensor<3xf32>
    return %s, %g1, %a : tensor<f32>, tensor<3xf32>, tensor<?xf32>
  })";
}

TEST_F(FiniteDifferenceTest, RightGradientsPass) {
  for (int directions : {64, 2}) { // each element, or random directions
    FiniteDifferenceOptions options;
    options.directions = directions;
    auto comparisons =
        compare(program("2.0"),
                {f32({3}, {1, -2, 0.5}), f32({3}, {0.25, 3, -1})}, options);
    ASSERT_TRUE(succeeded(comparisons)) << errors;
    ASSERT_EQ(comparisons->size(), 2u);
    for (const GradientComparison &comparison : *comparisons)
      EXPECT_LT(comparison.relativeError, 1e-10) << comparison.name;
  }
}

TEST_F(FiniteDifferenceTest, AWrongGradientIsSeen) {
  auto comparisons = compare(program("2.001"),
                             {f32({3}, {1, -2, 0.5}), f32({3}, {0.25, 3, -1})});
  ASSERT_TRUE(succeeded(comparisons)) << errors;
  EXPECT_LT((*comparisons)[0].relativeError, 1e-10);
  EXPECT_GT((*comparisons)[1].relativeError, 4e-4);
}

TEST_F(FiniteDifferenceTest, AnArgumentThatIsNeitherIsRefused) {
  std::string text = program("2.0");
  text.replace(text.find("{nn.state"), 9, "{nn.other");
  EXPECT_TRUE(
      failed(compare(text, {f32({3}, {1, -2, 0.5}), f32({3}, {0.25, 3, -1})})));
  EXPECT_THAT(errors,
              HasSubstr("argument 2 is neither an accumulator nor a seed"));
}

TEST_F(FiniteDifferenceTest, SeedsWeighTheResults) {
  auto comparisons = compare(R"(
  func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> {
    %y = math.exp %x : tensor<?xf32>
    return %y : tensor<?xf32>
  }
  func.func @step(%x: tensor<?xf32>, %dy: tensor<?xf32> {nn.input = "gradient:result0"})
      -> (tensor<?xf32>, tensor<?xf32> {nn.output = "gradient:arg0"}) {
    %y = math.exp %x : tensor<?xf32>
    %dx = arith.mulf %y, %dy : tensor<?xf32>
    return %y, %dx : tensor<?xf32>, tensor<?xf32>
  })",
                             {f32({3}, {1, -2, 0.5})});
  ASSERT_TRUE(succeeded(comparisons)) << errors;
  ASSERT_EQ(comparisons->size(), 1u);
  EXPECT_LT(comparisons->front().relativeError, 1e-10);
}

} // namespace
