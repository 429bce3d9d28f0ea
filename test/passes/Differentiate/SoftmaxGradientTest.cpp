// What subtracts a maximum: where it cancels out, and where it only seems to.
#include "test/passes/Differentiate/GradientCase.h"

using namespace nibble;

static const GradientCase kSoftmaxCases[] = {
    // The maximum of each row cancels out of what is returned, but for the constant that replaces an infinite one.
    {"LogSumExp", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: tensor<3x5xf32>) -> (tensor<3xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x5xf32>
    %columns = tensor.empty() : tensor<3x1xf32>
    %high = arith.constant 0x7F800000 : f32
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x5xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %finite = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]} ins(%column : tensor<3x1xf32>) outs(%columns : tensor<3x1xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %b = math.absf %a0 : f32
      %i = arith.cmpf oeq, %b, %high : f32
      %r = arith.select %i, %zero, %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x1xf32>
    %back = tensor.collapse_shape %finite [[0, 1]] : tensor<3x1xf32> into tensor<3xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %finite : tensor<3x5xf32>, tensor<3x1xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x5xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x5xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %l = math.log %s : tensor<3xf32>
    %y = arith.addf %l, %back : tensor<3xf32>
    return %y : tensor<3xf32>
  })"},
    // Masked elements are 0, whatever is subtracted from the others.
    {"MaskedSoftmax", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: tensor<3x5xf32>) -> (tensor<3x5xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x5xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x5xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x5xf32>, tensor<3x1xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d, %x : tensor<3x5xf32>, tensor<3x5xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %q = math.exp %a0 : f32
      %c = arith.cmpf olt, %a1, %zero : f32
      %r = arith.select %c, %zero, %q : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x5xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<3x5xf32>, tensor<3xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    return %y : tensor<3x5xf32>
  })"},
    // The maximum itself is returned as well.
    {"MaximumReturnedToo", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: tensor<3x5xf32>) -> (tensor<3x5xf32>, tensor<3xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x5xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x5xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x5xf32>, tensor<3x1xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x5xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x5xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<3x5xf32>, tensor<3xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    return %y, %m#0 : tensor<3x5xf32>, tensor<3xf32>
  })"},
    // Twice the maximum is subtracted.
    {"TwiceTheMaximum", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: tensor<3x5xf32>) -> (tensor<3xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x5xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x5xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x5xf32>, tensor<3x1xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %t = arith.addf %a1, %a1 : f32
      %r = arith.subf %a0, %t : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x5xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x5xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %l = math.log %s : tensor<3xf32>
    %y = arith.addf %l, %m#0 : tensor<3xf32>
    return %y : tensor<3xf32>
  })"},
    // Each row is divided by the sums of the columns, which belong to other maxima.
    {"SumsOfOtherRows", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  #j = affine_map<(i, j) -> (j)>
  func.func @f(%x: tensor<3x3xf32>) -> (tensor<3x3xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x3xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x3xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x3xf32>, tensor<3x1xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x3xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x3xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %y = linalg.generic {indexing_maps = [#ij, #j, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<3x3xf32>, tensor<3xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    return %y : tensor<3x3xf32>
  })"},
    // One sum over rows of different maxima.
    {"SumOverMaxima", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  #j = affine_map<(i, j) -> (j)>
  func.func @f(%x: tensor<3x3xf32>) -> (tensor<3x3xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x3xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x3xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x3xf32>, tensor<3x1xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x3xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    %s = linalg.reduce {arith.addf} ins(%e : tensor<3x3xf32>) outs(%zeros : tensor<3xf32>) dimensions = [0]
    %y = linalg.generic {indexing_maps = [#ij, #j, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<3x3xf32>, tensor<3xf32>) outs(%none : tensor<3x3xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x3xf32>
    return %y : tensor<3x3xf32>
  })"},
    // A sum that does not begin at 0.
    {"SumFromOne", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%x: tensor<3x5xf32>) -> (tensor<3x5xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %first = arith.constant dense<0> : tensor<3xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %none = tensor.empty() : tensor<3x5xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<3x5xf32>) outs(%low, %first : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [3, 1] : tensor<3xf32> into tensor<3x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<3x5xf32>, tensor<3x1xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<3x5xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    %ones = arith.constant dense<1.0> : tensor<3xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<3x5xf32>) outs(%ones : tensor<3xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<3x5xf32>, tensor<3xf32>) outs(%none : tensor<3x5xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<3x5xf32>
    return %y : tensor<3x5xf32>
  })"},
};

INSTANTIATE_TEST_SUITE_P(Softmax, GradientTest, ::testing::ValuesIn(kSoftmaxCases), caseName);
