// Compares arith, math, tensor, linalg, scf and func with values by hand.
#include "test/lib/Reference/Run.h"

using namespace nibble;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

struct UpstreamTest : ReferenceTest {};

TEST_F(UpstreamTest, ArithRoundsToItsTypeAndOnlyThen) {
  const char *text =
      R"(func.func @f(%a: tensor<2xbf16>, %b: tensor<2xbf16>) -> (tensor<2xbf16>, tensor<2xf32>) {
    %s = arith.addf %a, %b : tensor<2xbf16>
    %x = arith.extf %a : tensor<2xbf16> to tensor<2xf32>
    %y = arith.extf %b : tensor<2xbf16> to tensor<2xf32>
    %t = arith.addf %x, %y : tensor<2xf32>
    return %s, %t : tensor<2xbf16>, tensor<2xf32>
  })";
  // 256 + 1 is half-way between two bf16, and 256 is the even one. 258 + 1 is
  // half-way too, and 260 is the even one.
  auto rounded = run(text, {bf16({2}, {256, 258}), bf16({2}, {1, 1})});
  ASSERT_EQ(rounded.size(), 2u) << errors;
  EXPECT_THAT(rounded[0].reals, ElementsAre(256, 260));
  EXPECT_THAT(rounded[1].reals, ElementsAre(257, 259));
  auto exact = run(text, {bf16({2}, {256, 258}), bf16({2}, {1, 1})},
                   ReferenceOptions::exact());
  ASSERT_EQ(exact.size(), 2u) << errors;
  EXPECT_THAT(exact[0].reals, ElementsAre(257, 259));
}

TEST_F(UpstreamTest, IntegersWrapAndKnowTheirSign) {
  auto results = run(R"(func.func @f(%a: tensor<2xi32>, %b: tensor<2xi32>)
      -> (tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi1>, tensor<2xi1>, tensor<2xf32>) {
    %sum = arith.addi %a, %b : tensor<2xi32>
    %signed = arith.divsi %a, %b : tensor<2xi32>
    %shift = arith.shrui %a, %b : tensor<2xi32>
    %less = arith.cmpi slt, %a, %b : tensor<2xi32>
    %below = arith.cmpi ult, %a, %b : tensor<2xi32>
    %float = arith.uitofp %less : tensor<2xi1> to tensor<2xf32>
    return %sum, %signed, %shift, %less, %below, %float
        : tensor<2xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi1>, tensor<2xi1>, tensor<2xf32>
  })",
                     {i32({2}, {2147483647, -7}), i32({2}, {1, 2})});
  ASSERT_EQ(results.size(), 6u) << errors;
  EXPECT_THAT(results[0].integers, ElementsAre(-2147483648, -5));
  EXPECT_THAT(results[1].integers, ElementsAre(2147483647, -3));
  EXPECT_THAT(results[2].integers, ElementsAre(1073741823, 1073741822));
  EXPECT_THAT(results[3].integers, ElementsAre(0, 1));
  EXPECT_THAT(results[4].integers, ElementsAre(0, 0));
  EXPECT_THAT(results[5].reals, ElementsAre(0, 1));
}

TEST_F(UpstreamTest, DivisionByZeroIsReported) {
  EXPECT_TRUE(run(R"(func.func @f(%a: i32, %b: i32) -> i32 {
    %q = arith.divsi %a, %b : i32
    return %q : i32
  })",
                  {ReferenceValue{b.getI32Type(), {}, {}, {1}},
                   ReferenceValue{b.getI32Type(), {}, {}, {0}}})
                  .empty());
  EXPECT_THAT(errors, HasSubstr("no value (division by zero"));
}

TEST_F(UpstreamTest, SelectConstantsAndMath) {
  auto results =
      run(R"(func.func @f(%x: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
    %zero = arith.constant dense<0.0> : tensor<3xf32>
    %table = arith.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>
    %c = arith.cmpf ogt, %x, %zero : tensor<3xf32>
    %y = arith.select %c, %table, %zero : tensor<3xi1>, tensor<3xf32>
    %l = math.log2 %table : tensor<3xf32>
    return %y, %l : tensor<3xf32>, tensor<3xf32>
  })",
          {f32({3}, {-1, 1, 5})});
  ASSERT_EQ(results.size(), 2u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(0, 2, 4));
  EXPECT_THAT(results[1].reals, ElementsAre(0, 1, 2));
}

TEST_F(UpstreamTest, NamedAndGenericLinalgRunTheirRegions) {
  auto results = run(
      R"(func.func @f(%a: tensor<?x2xf32>, %b: tensor<2x3xf32>) -> (tensor<?x3xf32>, tensor<3xf32>, tensor<3x?xf32>) {
    %c0 = arith.constant 0 : index
    %zero = arith.constant 0.0 : f32
    %n = tensor.dim %a, %c0 : tensor<?x2xf32>
    %e = tensor.empty(%n) : tensor<?x3xf32>
    %i = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
    %m = linalg.matmul ins(%a, %b : tensor<?x2xf32>, tensor<2x3xf32>) outs(%i : tensor<?x3xf32>) -> tensor<?x3xf32>
    %v = arith.constant dense<[10.0, 20.0, 30.0]> : tensor<3xf32>
    // Column sums, each plus its index.
    %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>],
                         iterator_types = ["reduction", "parallel"]}
        ins(%m : tensor<?x3xf32>) outs(%v : tensor<3xf32>) {
    ^bb0(%x: f32, %acc: f32):
      %j = linalg.index 1 : index
      %k = arith.index_cast %j : index to i32
      %f = arith.sitofp %k : i32 to f32
      %p = arith.addf %x, %f : f32
      %q = arith.addf %acc, %p : f32
      linalg.yield %q : f32
    } -> tensor<3xf32>
    %o = tensor.empty(%n) : tensor<3x?xf32>
    %t = linalg.transpose ins(%m : tensor<?x3xf32>) outs(%o : tensor<3x?xf32>) permutation = [1, 0]
    return %m, %s, %t : tensor<?x3xf32>, tensor<3xf32>, tensor<3x?xf32>
  })",
      {f32({2, 2}, {1, 2, 3, 4}), f32({2, 3}, {1, 0, 1, 0, 1, 1})});
  ASSERT_EQ(results.size(), 3u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(1, 2, 3, 3, 4, 7));
  EXPECT_THAT(results[1].reals, ElementsAre(14, 28, 44));
  EXPECT_THAT(results[2].reals, ElementsAre(1, 3, 2, 4, 3, 7));
}

// A front end's form of an embedding: a body that reads a tensor from outside.
TEST_F(UpstreamTest, ABodyMayReadATensorFromOutside) {
  const char *text =
      R"(func.func @f(%t: tensor<?xi32>, %w: tensor<3x2xf32>) -> tensor<?x2xf32> {
    %c0 = arith.constant 0 : index
    %n = tensor.dim %t, %c0 : tensor<?xi32>
    %e = tensor.empty(%n) : tensor<?x2xf32>
    %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                         iterator_types = ["parallel", "parallel"]}
        ins(%t : tensor<?xi32>) outs(%e : tensor<?x2xf32>) {
    ^bb0(%token: i32, %old: f32):
      %row = arith.index_cast %token : i32 to index
      %j = linalg.index 1 : index
      %x = tensor.extract %w[%row, %j] : tensor<3x2xf32>
      linalg.yield %x : f32
    } -> tensor<?x2xf32>
    return %y : tensor<?x2xf32>
  })";
  auto results = run(text, {i32({2}, {2, 0}), f32({3, 2}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(results.size(), 1u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(5, 6, 1, 2));
  EXPECT_TRUE(
      run(text, {i32({1}, {3}), f32({3, 2}, {1, 2, 3, 4, 5, 6})}).empty());
  EXPECT_THAT(errors, HasSubstr("index 3 is not in 0..2"));
}

TEST_F(UpstreamTest, SlicesAndShapes) {
  auto results = run(
      R"(func.func @f(%x: tensor<2x3xf32>) -> (tensor<3xf32>, tensor<2x3xf32>, tensor<6xf32>, tensor<4x3xf32>, tensor<2x2xf32>) {
    %row = tensor.extract_slice %x[1, 0] [1, 3] [1, 1] : tensor<2x3xf32> to tensor<3xf32>
    %part = tensor.extract_slice %x[0, 0] [2, 2] [1, 2] : tensor<2x3xf32> to tensor<2x2xf32>
    %with = tensor.insert_slice %row into %x[0, 0] [1, 3] [1, 1] : tensor<3xf32> into tensor<2x3xf32>
    %flat = tensor.collapse_shape %x [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
    %both = tensor.concat dim(0) %x, %with : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
    return %row, %with, %flat, %both, %part : tensor<3xf32>, tensor<2x3xf32>, tensor<6xf32>, tensor<4x3xf32>, tensor<2x2xf32>
  })",
      {f32({2, 3}, {1, 2, 3, 4, 5, 6})});
  ASSERT_EQ(results.size(), 5u) << errors;
  EXPECT_THAT(results[0].reals, ElementsAre(4, 5, 6));
  EXPECT_THAT(results[1].reals, ElementsAre(4, 5, 6, 4, 5, 6));
  EXPECT_THAT(results[2].reals, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(results[3].reals,
              ElementsAre(1, 2, 3, 4, 5, 6, 4, 5, 6, 4, 5, 6));
  EXPECT_THAT(results[4].reals, ElementsAre(1, 3, 4, 6));
}

TEST_F(UpstreamTest, LoopsBranchesAndCalls) {
  auto results = run(R"(
  func.func private @double(%x: f32) -> f32 {
    %y = arith.addf %x, %x : f32
    return %y : f32
  }
  func.func @f(%n: index, %x: f32) -> (f32, tensor<3xindex>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> f32 {
      %odd = arith.remui %i, %c2 : index
      %isOdd = arith.cmpi eq, %odd, %c1 : index
      %next = scf.if %isOdd -> f32 {
        %d = func.call @double(%a) : (f32) -> f32
        scf.yield %d : f32
      } else {
        %s = arith.addf %a, %x : f32
        scf.yield %s : f32
      }
      scf.yield %next : f32
    }
    %g = tensor.generate {
    ^bb0(%i: index):
      %square = arith.muli %i, %i : index
      tensor.yield %square : index
    } : tensor<3xindex>
    return %r, %g : f32, tensor<3xindex>
  })",
                     {ReferenceValue{b.getIndexType(), {}, {}, {3}},
                      ReferenceValue{b.getF32Type(), {}, {1.0}, {}}});
  ASSERT_EQ(results.size(), 2u) << errors;
  // 1 -> +1 = 2 -> doubled = 4 -> +1 = 5
  EXPECT_THAT(results[0].reals, ElementsAre(5));
  EXPECT_THAT(results[1].integers, ElementsAre(0, 1, 4));
}

} // namespace
