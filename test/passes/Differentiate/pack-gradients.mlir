// Packing and unpacking gives the original values. By the values that the forward returned, the gradients are therefore the arguments
// themselves. Each element is at its place, and 0 fills tiles that are larger than the tensor.
// RUN: echo '{"arg0": [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]], "arg1": [[[[1, 2], [3, 4]], [[5, 6], [7, 8]]], [[[9, 10], [11, 12]], [[13, 14], [15, 16]]]]}' > %t.json
// RUN: nibble-opt %s "--nibble-differentiate=function=f wrt=args=0,1" | FileCheck %s --check-prefix=IR
// RUN: nibble-run %s --entry=train_step "--pipeline=nibble-differentiate{function=f wrt=args=0,1}" --inputs %t.json --out %t.out
// RUN: %python -c "import json, struct; d = open('%t.out', 'rb').read(); n = 8 + struct.unpack_from('<Q', d)[0]; [print(name, *struct.unpack_from(f'<{(t[1] - t[0]) // 4}f', d, n + t[0])) for name, entry in json.loads(d[8:n]).items() if name != '__metadata__' for t in [entry['data_offsets']]]" | FileCheck %s

// IR-LABEL: func.func @train_step
// IR: linalg.pack {{.*}} padding_value({{.*}}) outer_dims_perm = [1, 0] inner_dims_pos = [0, 1] inner_tiles = [2, 2] into {{.*}} : tensor<3x3xf32> -> tensor<2x2x2x2xf32>
// IR: linalg.unpack {{.*}} inner_dims_pos = [1, 0] inner_tiles = [2, 2] into {{.*}} : tensor<2x3x2x2xf32> -> tensor<3x5xf32>

// The loss is half the sum of squares.
// CHECK-DAG: gradient:arg0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 8.0 9.0 10.0 11.0 12.0 13.0 14.0 15.0{{$}}
// CHECK-DAG: gradient:arg1 1.0 2.0 3.0 4.0 5.0 6.0 0.0 0.0 9.0 0.0 11.0 0.0 13.0 0.0 0.0 0.0{{$}}
#ijkl = affine_map<(i, j, k, l) -> (i, j, k, l)>
#none4 = affine_map<(i, j, k, l) -> ()>
#ij = affine_map<(i, j) -> (i, j)>
#none2 = affine_map<(i, j) -> ()>
func.func @f(%x: tensor<3x5xf32>, %t: tensor<2x2x2x2xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %start = arith.constant dense<0.0> : tensor<f32>
  %e = tensor.empty() : tensor<2x3x2x2xf32>
  %p = linalg.pack %x padding_value(%zero : f32) inner_dims_pos = [1, 0] inner_tiles = [2, 2] into %e : tensor<3x5xf32> -> tensor<2x3x2x2xf32>
  %d = tensor.empty() : tensor<3x3xf32>
  %u = linalg.unpack %t outer_dims_perm = [1, 0] inner_dims_pos = [0, 1] inner_tiles = [2, 2] into %d : tensor<2x2x2x2xf32> -> tensor<3x3xf32>
  %s = linalg.generic {indexing_maps = [#ijkl, #none4], iterator_types = ["reduction", "reduction", "reduction", "reduction"]} ins(%p : tensor<2x3x2x2xf32>) outs(%start : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %h = arith.mulf %q, %half : f32
    %r = arith.addf %o, %h : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  %y = linalg.generic {indexing_maps = [#ij, #none2], iterator_types = ["reduction", "reduction"]} ins(%u : tensor<3x3xf32>) outs(%s : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %h = arith.mulf %q, %half : f32
    %r = arith.addf %o, %h : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %y : tensor<f32>
}
