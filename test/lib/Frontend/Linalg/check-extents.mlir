// RUN: nibble-opt %s --nibble-check-extents --split-input-file | FileCheck %s

// A dimension of open extent that the type states afterwards.
// CHECK-LABEL: func.func @cast(
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32>
// CHECK: %[[DIM:.*]] = tensor.dim %[[X]], %{{.*}} : tensor<?x?xf32>
// CHECK: %[[OK:.*]] = arith.cmpi eq, %[[DIM]], %{{.*}} : index
// CHECK: cf.assert %[[OK]], "'tensor.cast' says that dimension 1 is 1, and it is not"
// CHECK-NEXT: tensor.cast
func.func @cast(%x: tensor<?x?xf32>) -> tensor<?x1xf32> {
  %c = tensor.cast %x : tensor<?x?xf32> to tensor<?x1xf32>
  return %c : tensor<?x1xf32>
}

// -----

// An asserted equality is not asserted again. Results of elementwise ops are not queried, so they stay fusable.
// CHECK-LABEL: func.func @sum(
// CHECK: cf.assert %{{.*}}, "'arith.addf' has operands that differ in dimension 0"
// CHECK-NEXT: %[[SUM:.*]] = arith.addf
// CHECK-NEXT: arith.mulf %[[SUM]]
// CHECK-NEXT: return
func.func @sum(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %a = arith.addf %x, %y : tensor<?xf32>
  %b = arith.mulf %a, %y : tensor<?xf32>
  return %b : tensor<?xf32>
}

// -----

// The loop's index is compared outside of the body. An index from data is compared inside, as unsigned.
// CHECK-LABEL: func.func @lookup(
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32>, %[[ROWS:.*]]: tensor<?xi64>, %[[Y:.*]]: tensor<3x4xf32>
// CHECK: cf.assert %{{.*}}, "'tensor.extract' reads outside of dimension 0"
// CHECK: linalg.generic
// CHECK: ^bb0
// CHECK: %[[ROW:.*]] = arith.index_cast
// CHECK: %[[INSIDE:.*]] = arith.cmpi ult, %[[ROW]], %{{.*}} : index
// CHECK-NEXT: cf.assert %[[INSIDE]], "'tensor.extract' reads outside of dimension 0"
// CHECK-NEXT: tensor.extract %[[X]]
// CHECK-NEXT: tensor.extract %[[Y]]
// CHECK-NOT: cf.assert
func.func @lookup(%x: tensor<?x4xf32>, %rows: tensor<?xi64>, %y: tensor<3x4xf32>, %e: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %r = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]} ins(%rows : tensor<?xi64>) outs(%e : tensor<?x4xf32>) {
  ^bb0(%row: i64, %o: f32):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = arith.index_cast %row : i64 to index
    %v = tensor.extract %x[%k, %j] : tensor<?x4xf32>
    %w = tensor.extract %y[%i, %j] : tensor<3x4xf32>
    %s = arith.addf %v, %w : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func @shapes(
// CHECK: cf.assert %{{.*}}, "'tensor.expand_shape' splits dimension 0 into another number of elements"
// CHECK: cf.assert %{{.*}}, "'tensor.insert_slice' leaves dimension 0 of its tensor"
// CHECK: cf.assert %{{.*}}, "'tensor.insert_slice' inserts a tensor whose dimension 0 is not of the stated size"
// CHECK: cf.assert %{{.*}}, "'tensor.concat' has inputs that differ in dimension 1"
// CHECK: cf.assert %{{.*}}, "'tensor.pad' pads dimension 0 by a negative number, or to another size than its type says"
// CHECK: cf.assert %{{.*}}, "'linalg.softmax' has operands that differ in dimension 0"
func.func @shapes(%x: tensor<?xf32>, %n: index, %y: tensor<8xf32>, %a: tensor<?x?xf32>, %o: tensor<?xf32>)
    -> (tensor<?x2xf32>, tensor<8xf32>, tensor<?x?xf32>, tensor<9xf32>, tensor<?xf32>) {
  %e = tensor.expand_shape %x [[0, 1]] output_shape [%n, 2] : tensor<?xf32> into tensor<?x2xf32>
  %i = tensor.insert_slice %x into %y[%n] [%n] [1] : tensor<?xf32> into tensor<8xf32>
  %c = tensor.concat dim(0) %a, %e : (tensor<?x?xf32>, tensor<?x2xf32>) -> tensor<?x?xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[%n] high[0] {
  ^bb0(%at: index):
    tensor.yield %zero : f32
  } : tensor<?xf32> to tensor<9xf32>
  %s = linalg.softmax dimension(0) ins(%x : tensor<?xf32>) outs(%o : tensor<?xf32>) -> tensor<?xf32>
  return %e, %i, %c, %p, %s : tensor<?x2xf32>, tensor<8xf32>, tensor<?x?xf32>, tensor<9xf32>, tensor<?xf32>
}

// -----

// Nested control flow.
// CHECK-LABEL: func.func @nested(
// CHECK: scf.if
// CHECK: cf.assert %{{.*}}, "'tensor.extract_slice' leaves dimension 0 of its tensor"
func.func @nested(%c: i1, %x: tensor<?xf32>, %o: tensor<i64>) -> tensor<2xf32> {
  %r = scf.if %c -> tensor<2xf32> {
    %a = tensor.extract %o[] : tensor<i64>
    %k = arith.index_cast %a : i64 to index
    %s = tensor.extract_slice %x[%k] [2] [1] : tensor<?xf32> to tensor<2xf32>
    scf.yield %s : tensor<2xf32>
  } else {
    %s = tensor.extract_slice %x[1] [2] [1] : tensor<?xf32> to tensor<2xf32>
    scf.yield %s : tensor<2xf32>
  }
  return %r : tensor<2xf32>
}
