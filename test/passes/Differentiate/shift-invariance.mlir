// RUN: nibble-opt %S/Inputs/row-functions.mlir "--nibble-differentiate=function=logsumexp wrt=args=0 seed=arguments" | FileCheck %s --check-prefix=NONE
// RUN: nibble-opt %S/Inputs/row-functions.mlir "--nibble-differentiate=function=softmax wrt=args=0 seed=arguments" | FileCheck %s --check-prefix=NONE
// RUN: nibble-opt %S/Inputs/row-functions.mlir "--nibble-differentiate=function=log_softmax wrt=args=0 seed=arguments" | FileCheck %s --check-prefix=NONE
// RUN: nibble-opt %S/Inputs/row-functions.mlir "--nibble-differentiate=function=entropy wrt=args=0 seed=arguments" | FileCheck %s --check-prefix=NONE
// RUN: nibble-opt %S/Inputs/row-functions.mlir "--nibble-differentiate=function=twice wrt=args=0 seed=arguments" | FileCheck %s --check-prefix=MAX
// RUN: nibble-opt %s --nibble-differentiate | FileCheck %s --check-prefix=CALLEE

// A maximum that cancels out gets no gradient. Its gradient would compare the index of the maximum with each column's.
// NONE-LABEL: func.func @train_step
// NONE: arith.cmpf ogt
// NONE-NOT: arith.cmpi eq
// NONE: return

// x - 2 max(x) does depend on the maximum.
// MAX-LABEL: func.func @train_step
// MAX: arith.cmpf ogt
// MAX: arith.cmpi eq
// MAX: return

// A private function is analyzed alone: its maximum does not leave it. A maximum's gradient counts the ties.
// CALLEE-LABEL: func.func private @normalize_backward
// CALLEE: arith.maximumf
// CALLEE-NOT: arith.cmpf oeq
// CALLEE: return
#ij = affine_map<(i, j) -> (i, j)>
#i = affine_map<(i, j) -> (i)>
func.func private @normalize(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %row = tensor.empty(%n) : tensor<?xf32>
  %none = tensor.empty(%n) : tensor<?x8xf32>
  %lows = linalg.fill ins(%low : f32) outs(%row : tensor<?xf32>) -> tensor<?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%row : tensor<?xf32>) -> tensor<?xf32>
  %m = linalg.reduce {arith.maximumf} ins(%x : tensor<?x8xf32>) outs(%lows : tensor<?xf32>) dimensions = [1]
  %ms = linalg.broadcast ins(%m : tensor<?xf32>) outs(%none : tensor<?x8xf32>) dimensions = [1]
  %d = arith.subf %x, %ms : tensor<?x8xf32>
  %e = math.exp %d : tensor<?x8xf32>
  %s = linalg.reduce {arith.addf} ins(%e : tensor<?x8xf32>) outs(%zeros : tensor<?xf32>) dimensions = [1]
  %y = linalg.generic {indexing_maps = [#ij, #i, #ij], iterator_types = ["parallel", "parallel"]} ins(%e, %s : tensor<?x8xf32>, tensor<?xf32>) outs(%none : tensor<?x8xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %r = arith.divf %a, %b : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @loss(%x: tensor<?x8xf32> {nn.parameter = "x"}) -> tensor<f32> {
  %y = call @normalize(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %p = arith.mulf %y, %y : tensor<?x8xf32>
  %f = tensor.collapse_shape %p [[0, 1]] : tensor<?x8xf32> into tensor<?xf32>
  %l = nn.sum %f : tensor<?xf32> -> tensor<f32>
  return %l : tensor<f32>
}
