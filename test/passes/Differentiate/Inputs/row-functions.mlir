// torch-mlir's form of logsumexp, softmax, log_softmax and the entropy of a row. The maximum has its index.
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
#one = affine_map<(i, j) -> (i, 0)>
module {
  func.func @logsumexp(%x: tensor<4x5000xf32>) -> (tensor<4xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<4xf32>
    %first = arith.constant dense<0> : tensor<4xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<4xf32>
    %none = tensor.empty() : tensor<4x5000xf32>
    %columns = tensor.empty() : tensor<4x1xf32>
    %high = arith.constant 0x7F800000 : f32
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x5000xf32>) outs(%low, %first : tensor<4xf32>, tensor<4xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<4xf32>, tensor<4xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
    %finite = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]} ins(%column : tensor<4x1xf32>) outs(%columns : tensor<4x1xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %b = math.absf %a0 : f32
      %i = arith.cmpf oeq, %b, %high : f32
      %r = arith.select %i, %zero, %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x1xf32>
    %back = tensor.collapse_shape %finite [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %finite : tensor<4x5000xf32>, tensor<4x1xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<4x5000xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    %l = math.log %s : tensor<4xf32>
    %y = arith.addf %l, %back : tensor<4xf32>
    return %y : tensor<4xf32>
  }
  func.func @softmax(%x: tensor<4x5000xf32>) -> (tensor<4x5000xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<4xf32>
    %first = arith.constant dense<0> : tensor<4xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<4xf32>
    %none = tensor.empty() : tensor<4x5000xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x5000xf32>) outs(%low, %first : tensor<4xf32>, tensor<4xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<4xf32>, tensor<4xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<4x5000xf32>, tensor<4x1xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<4x5000xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%e, %s : tensor<4x5000xf32>, tensor<4xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.divf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    return %y : tensor<4x5000xf32>
  }
  func.func @log_softmax(%x: tensor<4x5000xf32>) -> (tensor<4x5000xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<4xf32>
    %first = arith.constant dense<0> : tensor<4xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<4xf32>
    %none = tensor.empty() : tensor<4x5000xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x5000xf32>) outs(%low, %first : tensor<4xf32>, tensor<4xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<4xf32>, tensor<4xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<4x5000xf32>, tensor<4x1xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<4x5000xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    %l = math.log %s : tensor<4xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d, %l : tensor<4x5000xf32>, tensor<4xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    return %y : tensor<4x5000xf32>
  }
  func.func @entropy(%x: tensor<4x5000xf32>) -> (tensor<4xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<4xf32>
    %first = arith.constant dense<0> : tensor<4xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<4xf32>
    %none = tensor.empty() : tensor<4x5000xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x5000xf32>) outs(%low, %first : tensor<4xf32>, tensor<4xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<4xf32>, tensor<4xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<4x5000xf32>, tensor<4x1xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %r = arith.subf %a0, %a1 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<4x5000xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    %l = math.log %s : tensor<4xf32>
    %t = linalg.generic {indexing_maps = [#ij, #i, #ij, #i, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d, %l, %e, %s : tensor<4x5000xf32>, tensor<4xf32>, tensor<4x5000xf32>, tensor<4xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %a2: f32, %a3: f32, %o: f32):
      %g = arith.subf %a0, %a1 : f32
      %p = arith.divf %a2, %a3 : f32
      %r = arith.mulf %p, %g : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %y = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%t : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.subf %o, %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    return %y : tensor<4xf32>
  }
  func.func @twice(%x: tensor<4x5000xf32>) -> (tensor<4xf32>) {
    %low = arith.constant dense<0xFF800000> : tensor<4xf32>
    %first = arith.constant dense<0> : tensor<4xi64>
    %zero = arith.constant 0.0 : f32
    %zeros = arith.constant dense<0.0> : tensor<4xf32>
    %none = tensor.empty() : tensor<4x5000xf32>
    %m:2 = linalg.generic {indexing_maps = [#ij, #i, #i], iterator_types = ["parallel", "reduction"]}
        ins(%x : tensor<4x5000xf32>) outs(%low, %first : tensor<4xf32>, tensor<4xi64>) {
    ^bb0(%a: f32, %o: f32, %p: i64):
      %n = linalg.index 1 : index
      %k = arith.index_cast %n : index to i64
      %g = arith.maximumf %a, %o : f32
      %c = arith.cmpf ogt, %a, %o : f32
      %q = arith.select %c, %k, %p : i64
      linalg.yield %g, %q : f32, i64
    } -> (tensor<4xf32>, tensor<4xi64>)
    %column = tensor.expand_shape %m#0 [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
    %d = linalg.generic {indexing_maps = [#ij, #one, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%x, %column : tensor<4x5000xf32>, tensor<4x1xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %a1: f32, %o: f32):
      %t = arith.addf %a1, %a1 : f32
      %r = arith.subf %a0, %t : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %e = linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%d : tensor<4x5000xf32>) outs(%none : tensor<4x5000xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = math.exp %a0 : f32
      linalg.yield %r : f32
    } -> tensor<4x5000xf32>
    %s = linalg.generic {indexing_maps = [#ij, #i], iterator_types = ["parallel", "reduction"]}
        ins(%e : tensor<4x5000xf32>) outs(%zeros : tensor<4xf32>) {
    ^bb0(%a0: f32, %o: f32):
      %r = arith.addf %a0, %o : f32
      linalg.yield %r : f32
    } -> tensor<4xf32>
    %y = math.log %s : tensor<4xf32>
    return %y : tensor<4xf32>
  }
}
