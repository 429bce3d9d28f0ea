// Functions that subtract a maximum: those where it cancels out, and those
// where it only seems to.
#include "test/passes/Differentiate/GradientCase.h"

#include <initializer_list>

using namespace nibble;

// The cases are assembled from these pieces. ROWS stands for the type of the
// argument: three rows.
static const std::string kRows = "ROWS", kRowsOf5 = "tensor<3x5xf32>",
                         kRowsOf3 = "tensor<3x3xf32>";

// %m#0, the maximum of each row, and %column, the same as a column.
static const std::string kMaximum = R"(
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %ones = arith.constant dense<1.0> : tensor<3xf32>
    %none = tensor.empty() : ROWS
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : ROWS) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>)";

// %d: what remains of %x after `%r`, computed from an element %a0 and its row's
// %a1 in `column`.
static std::string
difference(const std::string &column = "%column",
           const std::string &body = "%r = arith.subf %a0, %a1 : f32") {
  return R"(
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, )" +
         column + R"( : ROWS, tensor<3x1xf32>) outs(%none : ROWS) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      )" +
         body +
         R"(
      linalg.yield %r : f32
    } -> ROWS)";
}

static const std::string kExponentials = R"(
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : ROWS) outs(%none : ROWS) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> ROWS)";

// %s: the sums of rows, starting from `begin`.
static std::string sums(const std::string &begin = "%zeros") {
  return R"(
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : ROWS) outs()" +
         begin + R"( : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>)";
}

// %y: the exponentials divided by the sum of their row (#i) or column (#j).
static std::string quotients(const std::string &map = "#i") {
  return R"(
    %y = linalg.generic {indexing_maps = [#ij, )" +
         map + R"(, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : ROWS, tensor<3xf32>) outs(%none : ROWS) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> ROWS)";
}

// @f of %x, which begins with kMaximum and returns `values` of `types`.
static std::string function(const std::string &rows, const std::string &values,
                            const std::string &types,
                            std::initializer_list<std::string> pieces) {
  std::string text = R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #j = affine_map<(i, j) -> (j)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: ROWS) -> ()" +
                     types + ") {" + kMaximum;
  for (const std::string &piece : pieces)
    text += piece;
  text += "\n    return " + values + " : " + types + "\n  }";
  for (size_t at = 0; (at = text.find(kRows, at)) != std::string::npos;)
    text.replace(at, kRows.size(), rows);
  return text;
}

static const GradientCase kSoftmaxCases[] = {
    // The maximum of each row cancels out of the result, except the constant
    // that replaces an infinite one.
    {"LogSumExp", function(kRowsOf5, "%y", "tensor<3xf32>",
                           {R"(
    %high = arith.constant 0x7F800000 : f32
    %columns = tensor.empty() : tensor<3x1xf32>
    %finite = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%column : tensor<3x1xf32>) outs(%columns : tensor<3x1xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %b = math.absf %a0 : f32
      %i = arith.cmpf oeq, %b, %high : f32
      %r = arith.select %i, %zero, %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x1xf32>
    %back = tensor.collapse_shape %finite [[0, 1]] : tensor<3x1xf32> into tensor<3xf32>)",
                            difference("%finite"), kExponentials, sums(), R"(
    %l = math.log %s : tensor<3xf32>
    %y = arith.addf %l, %back : tensor<3xf32>)"})},
    // Masked elements are 0, whatever is subtracted from the others.
    {"MaskedSoftmax", function(kRowsOf5, "%y", kRows,
                               {difference(), R"(
    %e = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d, %x : ROWS, ROWS) outs(%none : ROWS) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %q = math.exp %a0 : f32
      %c = arith.cmpf olt, %a1, %zero : f32
      %r = arith.select %c, %zero, %q : f32
      linalg.yield %r : f32
    } -> ROWS)",
                                sums(), quotients()})},
    {"MaximumReturnedToo",
     function(kRowsOf5, "%y, %m#0", "ROWS, tensor<3xf32>",
              {difference(), kExponentials, sums(), quotients()})},
    {"TwiceTheMaximum",
     function(kRowsOf5, "%y", "tensor<3xf32>",
              {difference("%column", "%t = arith.addf %a1, %a1 : f32\n      %r "
                                     "= arith.subf %a0, %t : f32"),
               kExponentials, sums(), R"(
    %l = math.log %s : tensor<3xf32>
    %y = arith.addf %l, %m#0 : tensor<3xf32>)"})},
    // Each row is divided by the sums of other rows, which have other maxima.
    {"SumsOfOtherRows",
     function(kRowsOf3, "%y", kRows,
              {difference(), kExponentials, sums(), quotients("#j")})},
    // One sum over rows with different maxima.
    {"SumOverMaxima", function(kRowsOf3, "%y", kRows,
                               {difference(), kExponentials, R"(
    %s = linalg.reduce {arith.addf} ins(%e : ROWS) outs(%zeros : tensor<3xf32>) dimensions = [0])",
                                quotients("#j")})},
    {"SumFromOne",
     function(kRowsOf5, "%y", kRows,
              {difference(), kExponentials, sums("%ones"), quotients()})},
};

INSTANTIATE_TEST_SUITE_P(Softmax, GradientTest,
                         ::testing::ValuesIn(kSoftmaxCases), caseName);
