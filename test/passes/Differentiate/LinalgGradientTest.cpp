// Compares gradients of linalg, tensor and calls with finite differences.
#include "test/passes/Differentiate/GradientCase.h"

using namespace nibble;

static const GradientCase kLinalgCases[] = {
    {"Matmul", R"(
  func.func @f(%a: tensor<?x3xf32>, %b: tensor<3x4xf32>, %c: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %y = linalg.matmul ins(%a, %b : tensor<?x3xf32>, tensor<3x4xf32>) outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  })"},
    {"MatmulTransposed", R"(
  #a = affine_map<(m, n, k) -> (m, k)>
  #b = affine_map<(m, n, k) -> (n, k)>
  #c = affine_map<(m, n, k) -> (m, n)>
  func.func @f(%a: tensor<2x3xbf16>, %b: tensor<4x3xbf16> {nn.parameter = "b"}) -> tensor<2x4xf32> {
    %z = arith.constant dense<0.0> : tensor<2x4xf32>
    %y = linalg.matmul indexing_maps = [#a, #b, #c] ins(%a, %b : tensor<2x3xbf16>, tensor<4x3xbf16>) outs(%z : tensor<2x4xf32>) -> tensor<2x4xf32>
    return %y : tensor<2x4xf32>
  })"},
    {"BatchMatmul", R"(
  func.func @f(%a: tensor<2x3x4xf32>, %b: tensor<2x4x2xf32>) -> tensor<2x3x2xf32> {
    %e = tensor.empty() : tensor<2x3x2xf32>
    %zero = arith.constant 0.0 : f32
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
    %y = linalg.batch_matmul ins(%a, %b : tensor<2x3x4xf32>, tensor<2x4x2xf32>) outs(%z : tensor<2x3x2xf32>) -> tensor<2x3x2xf32>
    return %y : tensor<2x3x2xf32>
  })"},
    {"FillAndNamedElementwise", R"(
  func.func @f(%s: f32, %a: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %e = tensor.empty() : tensor<2x3xf32>
    %b = linalg.fill ins(%s : f32) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    %p = linalg.mul ins(%a, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    %q = linalg.add ins(%p, %a : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    %r = linalg.exp ins(%q : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    %y = linalg.sub ins(%r, %p : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    return %y : tensor<2x3xf32>
  })"},
    {"TransposeBroadcastReduce", R"(
  func.func @f(%a: tensor<2x3xf32>, %b: tensor<3xf32>) -> (tensor<3x2xf32>, tensor<2x3xf32>, tensor<3xf32>) {
    %e32 = tensor.empty() : tensor<3x2xf32>
    %t = linalg.transpose ins(%a : tensor<2x3xf32>) outs(%e32 : tensor<3x2xf32>) permutation = [1, 0]
    %e23 = tensor.empty() : tensor<2x3xf32>
    %u = linalg.broadcast ins(%b : tensor<3xf32>) outs(%e23 : tensor<2x3xf32>) dimensions = [0]
    %p = arith.mulf %u, %a : tensor<2x3xf32>
    %r = linalg.reduce {arith.addf} ins(%p : tensor<2x3xf32>) outs(%b : tensor<3xf32>) dimensions = [0]
    return %t, %p, %r : tensor<3x2xf32>, tensor<2x3xf32>, tensor<3xf32>
  })"},
    {"Map", R"(
  func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %e = tensor.empty() : tensor<2x3xf32>
    %y = linalg.map { arith.mulf } ins(%a, %b : tensor<2x3xf32>, tensor<2x3xf32>) outs(%e : tensor<2x3xf32>)
    return %y : tensor<2x3xf32>
  })"},
    // Two results, a broadcast of an extent of 1, one operand read twice, and
    // an output operand that is read.
    {"Generic", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #j = affine_map<(i, j) -> (j)>
  #one = affine_map<(i, j) -> (i, 0)>
  func.func @f(%a: tensor<2x3xf32>, %b: tensor<3xf32>, %c: tensor<2x1xf32>, %d: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
    %e = tensor.empty() : tensor<2x3xf32>
    %y, %z = linalg.generic {indexing_maps = [#ij, #ij, #j, #one, #ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%a, %a, %b, %c : tensor<2x3xf32>, tensor<2x3xf32>, tensor<3xf32>, tensor<2x1xf32>) outs(%e, %d : tensor<2x3xf32>, tensor<2x3xf32>) {
    ^bb0(%x0: f32, %x1: f32, %x2: f32, %x3: f32, %o0: f32, %o1: f32):
      %p = arith.mulf %x0, %x2 : f32
      %s = math.sin %x1 : f32
      %q = arith.addf %p, %s : f32
      %r = arith.mulf %q, %x3 : f32
      %t = arith.mulf %o1, %x2 : f32
      linalg.yield %r, %t : f32, f32
    } -> (tensor<2x3xf32>, tensor<2x3xf32>)
    return %y, %z : tensor<2x3xf32>, tensor<2x3xf32>
  })"},
    // StableHLO's legalization prints a maximum over rows this way: the body
    // packs elements into tensors.
    {"MaximumOfRows", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  func.func @f(%a: tensor<2x5xf32>) -> tensor<2xf32> {
    %low = arith.constant dense<0xFF800000> : tensor<2xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<2x5xf32>) outs(%low : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %f0 = tensor.from_elements %in : tensor<f32>
      %f1 = tensor.from_elements %out : tensor<f32>
      %e0 = tensor.extract %f0[] : tensor<f32>
      %e1 = tensor.extract %f1[] : tensor<f32>
      %m = arith.maximumf %e1, %e0 : f32
      %f2 = tensor.from_elements %m : tensor<f32>
      %e2 = tensor.extract %f2[] : tensor<f32>
      linalg.yield %e2 : f32
    } -> tensor<2xf32>
    return %y : tensor<2xf32>
  })"},
    {"SoftmaxByHand", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  func.func @f(%a: tensor<2x5xf32>) -> tensor<2x5xf32> {
    %low = arith.constant dense<0xFF800000> : tensor<2xf32>
    %m = linalg.reduce {arith.maximumf} ins(%a : tensor<2x5xf32>) outs(%low : tensor<2xf32>) dimensions = [1]
    %e = tensor.empty() : tensor<2x5xf32>
    %p = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]} ins(%a, %m : tensor<2x5xf32>, tensor<2xf32>) outs(%e : tensor<2x5xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %d = arith.subf %x, %y : f32
      %r = math.exp %d : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    %zero = arith.constant dense<0.0> : tensor<2xf32>
    %s = linalg.reduce {arith.addf} ins(%p : tensor<2x5xf32>) outs(%zero : tensor<2xf32>) dimensions = [1]
    %q = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]} ins(%p, %s : tensor<2x5xf32>, tensor<2xf32>) outs(%e : tensor<2x5xf32>) {
    ^bb0(%x: f32, %y: f32, %o: f32):
      %r = arith.divf %x, %y : f32
      linalg.yield %r : f32
    } -> tensor<2x5xf32>
    return %q : tensor<2x5xf32>
  })"},
    // Sums inside segments, as in a sequence-level objective: the iteration
    // number decides which terms count.
    {"IndexInBody", R"(
  #t = affine_map<(s, t) -> (t)>
  #s = affine_map<(s, t) -> (s)>
  func.func @f(%a: tensor<6xf32>) -> tensor<2xf32> {
    %zero = arith.constant dense<0.0> : tensor<2xf32>
    %half = arith.constant 3 : index
    %none = arith.constant 0.0 : f32
    %y = linalg.generic {indexing_maps = [#t, #s], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<6xf32>) outs(%zero : tensor<2xf32>) {
    ^bb0(%x: f32, %o: f32):
      %s = linalg.index 0 : index
      %t = linalg.index 1 : index
      %d = arith.divui %t, %half : index
      %mine = arith.cmpi eq, %d, %s : index
      %e = math.exp %x : f32
      %v = arith.select %mine, %e, %none : f32
      %r = arith.addf %o, %v : f32
      linalg.yield %r : f32
    } -> tensor<2xf32>
    return %y : tensor<2xf32>
  })"},
    // torch-mlir's form of a softmax's maximum: one reduction gives the value
    // and its place.
    {"MaximumWithIndex", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  func.func @f(%a: tensor<3x5xf32>) -> tensor<3xf32> {
    %low = arith.constant dense<0xFF800000> : tensor<3xf32>
    %none = arith.constant dense<0> : tensor<3xi64>
    %y:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<3x5xf32>) outs(%low, %none : tensor<3xf32>, tensor<3xi64>) {
    ^bb0(%x: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %s = math.sin %x : f32
      %m = arith.maximumf %s, %o : f32
      %c = arith.cmpf ogt, %s, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %m, %q : f32, i64
    } -> (tensor<3xf32>, tensor<3xi64>)
    return %y#0 : tensor<3xf32>
  })"},
    // A minimum by comparison and select. One condition selects the value and
    // its index.
    {"MinimumBySelectWithIndex", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #j = affine_map<(i, j) -> (j)>
  func.func @f(%a: tensor<3x5xf32>) -> tensor<5xf32> {
    %high = arith.constant dense<0x7F800000> : tensor<5xf32>
    %none = arith.constant dense<0> : tensor<5xindex>
    %y:2 = linalg.generic {indexing_maps = [#ij, #j, #j], iterator_types = ["reduction", "parallel"]} ins(%a : tensor<3x5xf32>) outs(%high, %none : tensor<5xf32>, tensor<5xindex>) {
    ^bb0(%x: f32, %o: f32, %p: index):
      %n = linalg.index 0 : index
      %c = arith.cmpf olt, %x, %o : f32
      %m = arith.select %c, %x, %o : f32
      %q = arith.select %c, %n, %p : index
      linalg.yield %m, %q : f32, index
    } -> (tensor<5xf32>, tensor<5xindex>)
    return %y#0 : tensor<5xf32>
  })"},
    // No term exceeds the initial value of the second row, so the index there
    // is that of no term.
    {"MaximumFromConstantsWithIndex", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  func.func @f(%a: tensor<2x3xf32>) -> tensor<2xf32> {
    %low = arith.constant dense<[-4.0, 4.0]> : tensor<2xf32>
    %none = arith.constant dense<0> : tensor<2xi64>
    %y:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]} ins(%a : tensor<2x3xf32>) outs(%low, %none : tensor<2xf32>, tensor<2xi64>) {
    ^bb0(%x: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %m = arith.maximumf %x, %o : f32
      %c = arith.cmpf ogt, %x, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %m, %q : f32, i64
    } -> (tensor<2xf32>, tensor<2xi64>)
    return %y#0 : tensor<2xf32>
  })"},
    // The maximum and the minimum in one reduction over two loops, each with
    // its row and its column.
    {"BothExtremaWithRowAndColumn", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #s = affine_map<(i, j) -> ()>
  func.func @f(%a: tensor<3x5xf32>) -> (tensor<f32>, tensor<f32>) {
    %low = arith.constant dense<0xFF800000> : tensor<f32>
    %high = arith.constant dense<0x7F800000> : tensor<f32>
    %none = arith.constant dense<0> : tensor<i64>
    %y:5 = linalg.generic {indexing_maps = [#ij, #s, #s, #s, #s, #s], iterator_types = ["reduction", "reduction"]} ins(%a : tensor<3x5xf32>) outs(%high, %low, %none, %none, %none : tensor<f32>, tensor<f32>, tensor<i64>, tensor<i64>, tensor<i64>) {
    ^bb0(%x: f32, %least: f32, %most: f32, %row: i64, %column: i64, %other: i64):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %i64 = arith.index_cast %i : index to i64
      %j64 = arith.index_cast %j : index to i64
      %c = arith.cmpf ogt, %x, %most : f32
      %m = arith.select %c, %x, %most : f32
      %r = arith.select %c, %i64, %row : i64
      %q = arith.select %c, %j64, %column : i64
      %d = arith.cmpf olt, %x, %least : f32
      %n = arith.minimumf %least, %x : f32
      %o = arith.select %d, %i64, %other : i64
      linalg.yield %n, %m, %r, %q, %o : f32, f32, i64, i64, i64
    } -> (tensor<f32>, tensor<f32>, tensor<i64>, tensor<i64>, tensor<i64>)
    return %y#0, %y#1 : tensor<f32>, tensor<f32>
  })"},
    // A sum of several terms. One is subtracted, and one is added
    // conditionally.
    {"SumOfTerms", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  #i = affine_map<(i, j) -> (i)>
  func.func @f(%a: tensor<3x5xf32>, %b: tensor<3x5xf32>, %c: tensor<3xf32>) -> tensor<3xf32> {
    %zero = arith.constant 0.0 : f32
    %y = linalg.generic {indexing_maps = [#ij, #ij, #i], iterator_types = ["parallel", "reduction"]} ins(%a, %b : tensor<3x5xf32>, tensor<3x5xf32>) outs(%c : tensor<3xf32>) {
    ^bb0(%x: f32, %z: f32, %o: f32):
      %p = arith.mulf %x, %z : f32
      %s = arith.addf %p, %o : f32
      %e = math.exp %z : f32
      %d = arith.subf %s, %e : f32
      %t = arith.cmpf ogt, %x, %zero : f32
      %r = arith.select %t, %d, %o : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    return %y : tensor<3xf32>
  })"},
    // A scalar from outside that needs a gradient becomes one more input.
    {"ScalarFromOutside", R"(
  #i = affine_map<(i) -> (i)>
  func.func @f(%a: tensor<4xf32>, %s: f32) -> tensor<4xf32> {
    %e = tensor.empty() : tensor<4xf32>
    %q = math.exp %s : f32
    %y = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]} ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%x: f32, %o: f32):
      %p = arith.mulf %x, %q : f32
      %r = arith.addf %p, %s : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    return %y : tensor<4xf32>
  })"},
};

// The body reads at computed places.
static const GradientCase kGatherCases[] = {
    {"Embedding", R"(
  #t = affine_map<(t, d) -> (t)>
  #td = affine_map<(t, d) -> (t, d)>
  func.func @f(%tokens: tensor<6xi64> {nn.input = "tokens"}, %table: tensor<4x3xf32>, %x: tensor<6x3xf32>) -> tensor<6x3xf32> {
    %bound = arith.constant 4 : i64
    %e = tensor.empty() : tensor<6x3xf32>
    %y = linalg.generic {indexing_maps = [#t, #td, #td], iterator_types = ["parallel", "parallel"]} ins(%tokens, %x : tensor<6xi64>, tensor<6x3xf32>) outs(%e : tensor<6x3xf32>) {
    ^bb0(%token: i64, %z: f32, %o: f32):
      %row = arith.index_cast %token : i64 to index
      %d = linalg.index 1 : index
      %inside = arith.cmpi slt, %token, %bound : i64
      cf.assert %inside, "index must be smaller than dim size"
      %v = tensor.extract %table[%row, %d] : tensor<4x3xf32>
      %p = arith.mulf %v, %z : f32
      %s = math.sin %p : f32
      linalg.yield %s : f32
    } -> tensor<6x3xf32>
    return %y : tensor<6x3xf32>
  })"},
    {"EmbeddingParameter", R"(
  #t = affine_map<(t, d) -> (t)>
  #td = affine_map<(t, d) -> (t, d)>
  func.func @f(%tokens: tensor<6xi64> {nn.input = "tokens"}, %table: tensor<4x3xbf16> {nn.parameter = "e"}) -> tensor<6x3xf32> {
    %e = tensor.empty() : tensor<6x3xf32>
    %y = linalg.generic {indexing_maps = [#t, #td], iterator_types = ["parallel", "parallel"]} ins(%tokens : tensor<6xi64>) outs(%e : tensor<6x3xf32>) {
    ^bb0(%token: i64, %o: f32):
      %row = arith.index_cast %token : i64 to index
      %d = linalg.index 1 : index
      %v = tensor.extract %table[%row, %d] : tensor<4x3xbf16>
      %w = arith.extf %v : bf16 to f32
      linalg.yield %w : f32
    } -> tensor<6x3xf32>
    return %y : tensor<6x3xf32>
  })",
     "parameters"},
    // torch-mlir's form of a broadcast with open extent: the body reads a size
    // of the tensor that it gathers from.
    {"SizeReadInBody", R"(
  #ij = affine_map<(i, j) -> (i, j)>
  func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %n = tensor.dim %x, %zero : tensor<?x4xf32>
    %e = tensor.empty(%n) : tensor<?x4xf32>
    %y = linalg.generic {indexing_maps = [#ij], iterator_types = ["parallel", "parallel"]} outs(%e : tensor<?x4xf32>) {
    ^bb0(%o: f32):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %d = tensor.dim %x, %zero : tensor<?x4xf32>
      %single = arith.cmpi eq, %d, %one : index
      %k = arith.select %single, %zero, %i : index
      %v = tensor.extract %x[%k, %j] : tensor<?x4xf32>
      %s = math.sin %v : f32
      linalg.yield %s : f32
    } -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  })"},
    // Only the size of %x is read inside, so its gradient comes from the other
    // use alone.
    {"SizeAloneReadInBody", R"(
  #i = affine_map<(i) -> (i)>
  func.func @f(%x: tensor<?xf32>, %y: tensor<3xf32>) -> (tensor<3xf32>, tensor<?xf32>) {
    %zero = arith.constant 0 : index
    %e = tensor.empty() : tensor<3xf32>
    %s = math.sin %x : tensor<?xf32>
    %r = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]} ins(%y : tensor<3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%a: f32, %o: f32):
      %d = tensor.dim %s, %zero : tensor<?xf32>
      %k = arith.index_cast %d : index to i64
      %n = arith.sitofp %k : i64 to f32
      %p = arith.mulf %a, %n : f32
      linalg.yield %p : f32
    } -> tensor<3xf32>
    return %r, %s : tensor<3xf32>, tensor<?xf32>
  })"},
    // Averages over windows with computed bounds, as in adaptive pooling: a
    // gather from a computed tensor in a reduction.
    {"AdaptiveAverage", R"(
  #k = affine_map<(i, k) -> (k)>
  #i = affine_map<(i, k) -> (i)>
  func.func @f(%a: tensor<8xf32>) -> tensor<3xf32> {
    %window = tensor.empty() : tensor<4xf32>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<3xf32>
    %three = arith.constant 3 : index
    %eight = arith.constant 8 : index
    %b = math.exp %a : tensor<8xf32>
    %y = linalg.generic {indexing_maps = [#k, #i], iterator_types = ["parallel", "reduction"]} ins(%window : tensor<4xf32>) outs(%zeros : tensor<3xf32>) {
    ^bb0(%w: f32, %o: f32):
      %i = linalg.index 0 : index
      %k = linalg.index 1 : index
      %m = arith.muli %i, %eight : index
      %low = arith.divui %m, %three : index
      %at = arith.addi %low, %k : index
      %inside = arith.cmpi ult, %at, %eight : index
      %safe = arith.select %inside, %at, %i : index
      %v = tensor.extract %b[%safe] : tensor<8xf32>
      %t = arith.select %inside, %v, %zero : f32
      %r = arith.addf %o, %t : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    return %y : tensor<3xf32>
  })"},
};

// Maps that are no permutation: windows.
static const GradientCase kWindowCases[] = {
    {"Convolution1D", R"(
  func.func @f(%x: tensor<2x3x11xf32>, %w: tensor<4x3x3xf32>, %b: tensor<2x4x3xf32>) -> tensor<2x4x3xf32> {
    %y = linalg.conv_1d_ncw_fcw {strides = dense<3> : vector<1xi64>, dilations = dense<2> : vector<1xi64>} ins(%x, %w : tensor<2x3x11xf32>, tensor<4x3x3xf32>) outs(%b : tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
    return %y : tensor<2x4x3xf32>
  })"},
    {"Convolution1DPlain", R"(
  func.func @f(%x: tensor<8xf32>, %k: tensor<3xf32>) -> tensor<6xf32> {
    %z = arith.constant dense<0.0> : tensor<6xf32>
    %y = linalg.conv_1d ins(%x, %k : tensor<8xf32>, tensor<3xf32>) outs(%z : tensor<6xf32>) -> tensor<6xf32>
    return %y : tensor<6xf32>
  })"},
    {"Convolution2DPadded", R"(
  func.func @f(%x: tensor<1x2x5x6xf32>, %w: tensor<3x2x3x2xf32>) -> tensor<1x3x3x4xf32> {
    %zero = arith.constant 0.0 : f32
    %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
    ^bb0(%i: index, %j: index, %k: index, %l: index):
      tensor.yield %zero : f32
    } : tensor<1x2x5x6xf32> to tensor<1x2x7x8xf32>
    %e = tensor.empty() : tensor<1x3x3x4xf32>
    %z = linalg.fill ins(%zero : f32) outs(%e : tensor<1x3x3x4xf32>) -> tensor<1x3x3x4xf32>
    %y = linalg.conv_2d_nchw_fchw {strides = dense<2> : vector<2xi64>} ins(%p, %w : tensor<1x2x7x8xf32>, tensor<3x2x3x2xf32>) outs(%z : tensor<1x3x3x4xf32>) -> tensor<1x3x3x4xf32>
    return %y : tensor<1x3x3x4xf32>
  })"},
    {"Convolution2DOpenBatch", R"(
  func.func @f(%x: tensor<?x4x5x2xf32>, %w: tensor<2x2x2x3xf32>, %b: tensor<?x3x4x3xf32>) -> tensor<?x3x4x3xf32> {
    %y = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<?x4x5x2xf32>, tensor<2x2x2x3xf32>) outs(%b : tensor<?x3x4x3xf32>) -> tensor<?x3x4x3xf32>
    return %y : tensor<?x3x4x3xf32>
  })"},
    {"ConvolutionGrouped", R"(
  func.func @f(%x: tensor<1x2x2x4x4xf32>, %w: tensor<2x3x2x2x2xf32>) -> tensor<1x2x3x2x2xf32> {
    %z = arith.constant dense<0.0> : tensor<1x2x3x2x2xf32>
    %y = linalg.conv_2d_ngchw_gfchw {dilations = dense<2> : vector<2xi64>} ins(%x, %w : tensor<1x2x2x4x4xf32>, tensor<2x3x2x2x2xf32>) outs(%z : tensor<1x2x3x2x2xf32>) -> tensor<1x2x3x2x2xf32>
    return %y : tensor<1x2x3x2x2xf32>
  })"},
    {"ConvolutionDepthwise", R"(
  func.func @f(%x: tensor<1x3x5x5xbf16>, %w: tensor<3x2x2xbf16> {nn.parameter = "w"}) -> tensor<1x3x4x4xf32> {
    %z = arith.constant dense<0.0> : tensor<1x3x4x4xf32>
    %y = linalg.depthwise_conv_2d_nchw_chw ins(%x, %w : tensor<1x3x5x5xbf16>, tensor<3x2x2xbf16>) outs(%z : tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32>
    return %y : tensor<1x3x4x4xf32>
  })"},
    {"SumPooling", R"(
  func.func @f(%x: tensor<1x2x6x7xf32>) -> tensor<1x2x2x3xf32> {
    %k = tensor.empty() : tensor<3x2xf32>
    %z = arith.constant dense<0.0> : tensor<1x2x2x3xf32>
    %y = linalg.pooling_nchw_sum {strides = dense<2> : vector<2xi64>} ins(%x, %k : tensor<1x2x6x7xf32>, tensor<3x2xf32>) outs(%z : tensor<1x2x2x3xf32>) -> tensor<1x2x2x3xf32>
    return %y : tensor<1x2x2x3xf32>
  })"},
    {"MaxPooling", R"(
  func.func @f(%x: tensor<1x1x?x7xf32>) -> tensor<1x1x2x3xf32> {
    %k = tensor.empty() : tensor<3x3xf32>
    %low = arith.constant dense<0xFF800000> : tensor<1x1x2x3xf32>
    %y = linalg.pooling_nchw_max {strides = dense<2> : vector<2xi64>} ins(%x, %k : tensor<1x1x?x7xf32>, tensor<3x3xf32>) outs(%low : tensor<1x1x2x3xf32>) -> tensor<1x1x2x3xf32>
    return %y : tensor<1x1x2x3xf32>
  })"},
    {"MinPooling1D", R"(
  func.func @f(%x: tensor<1x7x2xf32>) -> tensor<1x3x2xf32> {
    %k = tensor.empty() : tensor<3xf32>
    %high = arith.constant dense<0x7F800000> : tensor<1x3x2xf32>
    %y = linalg.pooling_nwc_min {strides = dense<2> : vector<1xi64>} ins(%x, %k : tensor<1x7x2xf32>, tensor<3xf32>) outs(%high : tensor<1x3x2xf32>) -> tensor<1x3x2xf32>
    return %y : tensor<1x3x2xf32>
  })"},
    // Every second element, and the diagonal.
    {"StridedAndDiagonal", R"(
  #i = affine_map<(i) -> (i)>
  #twice = affine_map<(i) -> (2 * i + 1)>
  #diagonal = affine_map<(i) -> (i, i)>
  func.func @f(%a: tensor<7xf32>, %b: tensor<3x3xf32>) -> tensor<3xf32> {
    %e = tensor.empty() : tensor<3xf32>
    %y = linalg.generic {indexing_maps = [#twice, #diagonal, #i], iterator_types = ["parallel"]} ins(%a, %b : tensor<7xf32>, tensor<3x3xf32>) outs(%e : tensor<3xf32>) {
    ^bb0(%x: f32, %z: f32, %o: f32):
      %r = arith.mulf %x, %z : f32
      linalg.yield %r : f32
    } -> tensor<3xf32>
    return %y : tensor<3xf32>
  })"},
};

static const GradientCase kTensorCases[] = {
    {"Reshapes", R"(
  func.func @f(%a: tensor<?x6xf32>) -> (tensor<?xf32>, tensor<?x2x3xf32>) {
    %c = tensor.collapse_shape %a [[0, 1]] : tensor<?x6xf32> into tensor<?xf32>
    %z = arith.constant 0 : index
    %n = tensor.dim %a, %z : tensor<?x6xf32>
    %s = math.sin %a : tensor<?x6xf32>
    %e = tensor.expand_shape %s [[0], [1, 2]] output_shape [%n, 2, 3] : tensor<?x6xf32> into tensor<?x2x3xf32>
    return %c, %e : tensor<?xf32>, tensor<?x2x3xf32>
  })"},
    // torch-mlir's form of a view whose sizes are only known at run time.
    {"ReshapeToComputedShape", R"(
  func.func @f(%a: tensor<?x6xf32>, %b: tensor<2x6xf32>, %c: tensor<1xf32>) -> (tensor<?x2x3xf32>, tensor<3x4xf32>, tensor<f32>) {
    %zero = arith.constant 0 : index
    %two = arith.constant 2 : index
    %three = arith.constant 3 : index
    %n = tensor.dim %a, %zero : tensor<?x6xf32>
    %s = tensor.from_elements %n, %two, %three : tensor<3xindex>
    %e = math.exp %a : tensor<?x6xf32>
    %y = tensor.reshape %e(%s) : (tensor<?x6xf32>, tensor<3xindex>) -> tensor<?x2x3xf32>
    %t = arith.constant dense<[3, 4]> : tensor<2xi32>
    %d = math.sin %b : tensor<2x6xf32>
    %z = tensor.reshape %d(%t) : (tensor<2x6xf32>, tensor<2xi32>) -> tensor<3x4xf32>
    %u = arith.constant dense<> : tensor<0xindex>
    %w = tensor.reshape %c(%u) : (tensor<1xf32>, tensor<0xindex>) -> tensor<f32>
    return %y, %z, %w : tensor<?x2x3xf32>, tensor<3x4xf32>, tensor<f32>
  })"},
    {"Slices", R"(
  func.func @f(%a: tensor<4x6xf32>, %b: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<4x6xf32>, tensor<6xf32>) {
    %s = tensor.extract_slice %a[1, 0] [2, 3] [1, 2] : tensor<4x6xf32> to tensor<2x3xf32>
    %p = arith.mulf %s, %b : tensor<2x3xf32>
    %i = tensor.insert_slice %b into %a[0, 2] [2, 3] [2, 1] : tensor<2x3xf32> into tensor<4x6xf32>
    %r = tensor.extract_slice %a[3, 0] [1, 6] [1, 1] : tensor<4x6xf32> to tensor<6xf32>
    return %p, %i, %r : tensor<2x3xf32>, tensor<4x6xf32>, tensor<6xf32>
  })"},
    {"ConcatAndPad", R"(
  func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x1xf32>) -> tensor<3x7xf32> {
    %c = tensor.concat dim(1) %a, %b, %a : (tensor<2x3xf32>, tensor<2x1xf32>, tensor<2x3xf32>) -> tensor<2x7xf32>
    %zero = arith.constant 0.0 : f32
    %p = tensor.pad %c low[1, 0] high[0, 0] {
    ^bb0(%i: index, %j: index):
      tensor.yield %zero : f32
    } : tensor<2x7xf32> to tensor<3x7xf32>
    %y = math.exp %p : tensor<3x7xf32>
    return %y : tensor<3x7xf32>
  })"},
    {"CastAndElements", R"(
  func.func @f(%a: tensor<4xf32>) -> (tensor<?xf32>, tensor<2xf32>) {
    %c = tensor.cast %a : tensor<4xf32> to tensor<?xf32>
    %e = math.exp %c : tensor<?xf32>
    %one = arith.constant 1 : index
    %x = tensor.extract %a[%one] : tensor<4xf32>
    %s = math.sin %x : f32
    %y = tensor.from_elements %s, %x : tensor<2xf32>
    return %e, %y : tensor<?xf32>, tensor<2xf32>
  })"},
    {"Splat", R"(
  func.func @f(%x: f32, %z: bf16, %w: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<4xbf16>) {
    %s = math.sin %x : f32
    %a = tensor.splat %s : tensor<2x3xf32>
    %y = arith.mulf %a, %w : tensor<2x3xf32>
    %b = tensor.splat %z : tensor<4xbf16>
    return %y, %b : tensor<2x3xf32>, tensor<4xbf16>
  })"},
    {"Insert", R"(
  func.func @f(%a: tensor<4xf32>, %s: f32) -> tensor<4xf32> {
    %one = arith.constant 1 : index
    %i = tensor.insert %s into %a[%one] : tensor<4xf32>
    %y = math.exp %i : tensor<4xf32>
    return %y : tensor<4xf32>
  })"},
};

// A block of two linears and a residual, called twice. The middle part is a
// function of its own.
static const char kCalls[] = R"(
  func.func private @act(%g: tensor<?x4xf32>, %x: tensor<?x4xf32>) -> tensor<?x4xf32> {
    %t = math.tanh %g : tensor<?x4xf32>
    %y = nn.swiglu %t, %x : tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
  func.func private @block(%x: tensor<?x4xf32>, %w: tensor<4x4xf32> {nn.parameter = "w"}, %v: tensor<4x4xf32> {nn.parameter = "v"}) -> tensor<?x4xf32> {
    %h = nn.linear %x, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
    %a = call @act(%h, %x) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %y = nn.linear %a, %v residual(%x : tensor<?x4xf32>) : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
  func.func @f(%x: tensor<?x4xf32>, %w: tensor<4x4xf32> {nn.parameter = "w"}, %v: tensor<4x4xf32> {nn.parameter = "v"}, %u: tensor<4x4xf32> {nn.parameter = "u"}) -> tensor<?x4xf32> {
    %y = call @block(%x, %w, %v) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %z = call @block(%y, %w, %u) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    return %z : tensor<?x4xf32>
  })";

// One weight in two places, and a weight that is computed from a parameter.
static const char kSharedWeights[] = R"(
  func.func private @block(%x: tensor<?x4xbf16>, %w: tensor<4x4xbf16> {nn.parameter = "w"}, %v: tensor<4x4xbf16> {nn.parameter = "v"}) -> tensor<?x4xbf16> {
    %h = nn.linear %x, %w : tensor<?x4xbf16>, tensor<4x4xbf16> -> tensor<?x4xbf16>
    %y = nn.linear %h, %v : tensor<?x4xbf16>, tensor<4x4xbf16> -> tensor<?x4xbf16>
    return %y : tensor<?x4xbf16>
  }
  func.func @f(%x: tensor<?x4xbf16>, %w: tensor<4x4xbf16> {nn.parameter = "w"}) -> tensor<?x4xbf16> {
    %e = tensor.empty() : tensor<4x4xbf16>
    %t = linalg.transpose ins(%w : tensor<4x4xbf16>) outs(%e : tensor<4x4xbf16>) permutation = [1, 0]
    %y = call @block(%x, %w, %w) : (tensor<?x4xbf16>, tensor<4x4xbf16>, tensor<4x4xbf16>) -> tensor<?x4xbf16>
    %z = call @block(%y, %w, %t) : (tensor<?x4xbf16>, tensor<4x4xbf16>, tensor<4x4xbf16>) -> tensor<?x4xbf16>
    return %z : tensor<?x4xbf16>
  })";

static const GradientCase kCallCases[] = {
    {"Recomputed", kCalls},
    {"Kept", kCalls, "", 0.0, 1.0, "none"},
    {"SharedWeights", kSharedWeights},
    {"SharedWeightsKept", kSharedWeights, "", 0.0, 1.0, "none"},
    {"WeightsOnly", kCalls, "parameters", 0.0, 1.0, "none"},
};

INSTANTIATE_TEST_SUITE_P(Linalg, GradientTest,
                         ::testing::ValuesIn(kLinalgCases), caseName);
INSTANTIATE_TEST_SUITE_P(Gather, GradientTest,
                         ::testing::ValuesIn(kGatherCases), caseName);
INSTANTIATE_TEST_SUITE_P(Window, GradientTest,
                         ::testing::ValuesIn(kWindowCases), caseName);
INSTANTIATE_TEST_SUITE_P(Tensor, GradientTest,
                         ::testing::ValuesIn(kTensorCases), caseName);
INSTANTIATE_TEST_SUITE_P(Call, GradientTest, ::testing::ValuesIn(kCallCases),
                         caseName);
