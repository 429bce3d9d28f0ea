// The interpreter knows every op that we define, and reports programs that it
// cannot run.
#include "test/lib/Reference/Run.h"

using namespace nibble;
using ::testing::HasSubstr;

namespace {

TEST_F(ReferenceTest, EveryOpOfNnAndQatHasAMeaning) {
  for (mlir::RegisteredOperationName name : context.getRegisteredOperations()) {
    llvm::StringRef dialect = name.getDialectNamespace();
    bool terminates = name.getStringRef() == "qat.yield";
    if ((dialect == "nn" || dialect == "qat") && !terminates) {
      EXPECT_TRUE(referenceKnows(name.getStringRef()))
          << name.getStringRef().str();
    }
  }
  EXPECT_FALSE(referenceKnows("nn.nothing"));
}

TEST_F(ReferenceTest, AnUnknownOpIsNamed) {
  EXPECT_TRUE(run(R"(func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
    %y = linalg.softmax dimension(0) ins(%x : tensor<2xf32>) outs(%x : tensor<2xf32>) -> tensor<2xf32>
    return %y : tensor<2xf32>
  })",
                  {f32({2}, {1, 2})})
                  .empty());
  EXPECT_THAT(errors,
              HasSubstr("the reference does not know 'linalg.softmax'"));
}

TEST_F(ReferenceTest, ArgumentsMustBeTheFunctions) {
  const char *text = "func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> { "
                     "return %x : tensor<?x2xf32> }";
  EXPECT_TRUE(run(text, {}).empty());
  EXPECT_THAT(errors, HasSubstr("takes 1 arguments, not 0"));
  EXPECT_TRUE(run(text, {f32({2, 3}, {1, 2, 3, 4, 5, 6})}).empty());
  EXPECT_THAT(
      errors,
      HasSubstr("argument 0 of 'f' is 'tensor<?x2xf32>', not what was given"));
  EXPECT_TRUE(run(text, {bf16({1, 2}, {1, 2})}).empty());
  EXPECT_TRUE(run(text, {ReferenceValue()}).empty());
  ReferenceValue tooFew = f32({1, 2}, {1, 2});
  tooFew.reals.pop_back();
  EXPECT_TRUE(run(text, {tooFew}).empty());
  EXPECT_EQ(run(text, {f32({1, 2}, {1, 2})}).size(), 1u);
}

TEST_F(ReferenceTest, RecursionEnds) {
  EXPECT_TRUE(run(R"(func.func @f(%x: f32) -> f32 {
    %y = func.call @f(%x) : (f32) -> f32
    return %y : f32
  })",
                  {ReferenceValue{b.getF32Type(), {}, {1.0}, {}}})
                  .empty());
  EXPECT_THAT(errors, HasSubstr("calls are nested deeper than 256"));
}

TEST_F(ReferenceTest, AnEndlessLoopEnds) {
  ReferenceOptions options;
  options.maxSteps = 1000;
  EXPECT_TRUE(
      run(R"(func.func @f(%n: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    scf.for %i = %c0 to %n step %c1 {
    }
    return
  })",
          {ReferenceValue{b.getIndexType(), {}, {}, {int64_t(1) << 62}}},
          options)
          .empty());
  EXPECT_THAT(errors, HasSubstr("stopped after 1000 steps"));
}

TEST_F(ReferenceTest, ATensorBeyondTheLimitIsRefused) {
  EXPECT_TRUE(
      run(R"(func.func @f(%n: index) -> tensor<?x?xf32> {
    %e = tensor.empty(%n, %n) : tensor<?x?xf32>
    return %e : tensor<?x?xf32>
  })",
          {ReferenceValue{b.getIndexType(), {}, {}, {int64_t(1) << 40}}})
          .empty());
  EXPECT_THAT(errors, HasSubstr("a result of more than"));
}

TEST_F(ReferenceTest, BranchesBetweenBlocksAreRefused) {
  context.allowUnregisteredDialects();
  EXPECT_TRUE(run(R"(func.func @f() {
    "test.branch"()[^bb1] : () -> ()
  ^bb1:
    return
  })",
                  {})
                  .empty());
  EXPECT_THAT(errors, HasSubstr("needs a body of one block"));
}

TEST_F(ReferenceTest, AnEmptyBatchIsABatch) {
  auto results = run(
      R"(func.func @f(%x: tensor<?x2xf32>, %w: tensor<3x2xf32>) -> tensor<?x3xf32> {
    %y = nn.linear %x, %w : tensor<?x2xf32>, tensor<3x2xf32> -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  })",
      {ReferenceValue::zero(
           mlir::RankedTensorType::get({0, 2}, b.getF32Type())),
       f32({3, 2}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_EQ(results[0].shape, (llvm::SmallVector<int64_t>{0, 3}));
}

TEST(ReferenceValueTest, ANumberThatIsNoneNeverIsClose) {
  double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(relativeError({nan}, {nan}) < 1e300);
  EXPECT_FALSE(relativeError({1.0}, {1.0, 2.0}) < 1e300);
  EXPECT_EQ(relativeError({3.0, 4.0}, {3.0, 4.0}), 0.0);
  EXPECT_EQ(relativeError({0.0, 0.0}, {3.0, 4.0}), 1.0);
}

} // namespace
