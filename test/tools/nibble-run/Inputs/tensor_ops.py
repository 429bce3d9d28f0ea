"""Operations on whole tensors, and control flow around them."""

from op_module import Module

m = Module("#v = affine_map<(i) -> (i)>\n#m = affine_map<(i, j) -> (i, j)>\n#row = affine_map<(i, j) -> (i)>\n")
x = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
flat = x[0] + x[1]
X, F = [(x, "f32")], "tensor<2x3xf32>"

m.op("extract_insert", X, f"""%c0 = arith.constant 0 : index
     %c1 = arith.constant 1 : index
     %v = tensor.extract %a0[%c1, %c0] : {F}
     %r = tensor.insert %v into %a0[%c0, %c1] : {F}""", [[1, 4, 3], [4, 5, 6]], "f32")
m.op("from_elements", [([3.0], "f32")], """%c0 = arith.constant 0 : index
     %v = tensor.extract %a0[%c0] : tensor<1xf32>
     %w = arith.addf %v, %v : f32
     %r = tensor.from_elements %v, %w : tensor<2xf32>""", [3, 6], "f32")
m.op("generate", X, f"""%r = tensor.generate {{
     ^bb0(%i: index, %j: index):
     %v = tensor.extract %a0[%j, %i] : {F}
     tensor.yield %v : f32
     }} : tensor<3x2xf32>""", [[1, 4], [2, 5], [3, 6]], "f32")
m.op("splat", [(2.0, "f32")], "%v = tensor.extract %a0[] : tensor<f32>\n%r = tensor.splat %v : tensor<2x2xf32>", [[2, 2], [2, 2]], "f32")
m.op("collapse", X, f"%r = tensor.collapse_shape %a0 [[0, 1]] : {F} into tensor<6xf32>", flat, "f32")
m.op("expand", [(flat, "f32")], f"%r = tensor.expand_shape %a0 [[0, 1]] output_shape [2, 3] : tensor<6xf32> into {F}", x, "f32")
m.op("expand_open", [(flat, "f32")], """%c0 = arith.constant 0 : index
     %c3 = arith.constant 3 : index
     %n = tensor.dim %a0, %c0 : tensor<?xf32>
     %k = arith.divsi %n, %c3 : index
     %r = tensor.expand_shape %a0 [[0, 1]] output_shape [%k, 3] : tensor<?xf32> into tensor<?x3xf32>""", x, "f32", types=["tensor<?xf32>"],
     result="tensor<?x3xf32>")
m.op("reshape", [(flat, "f32"), ([3, 2], "i64")], "%r = tensor.reshape %a0(%a1) : (tensor<6xf32>, tensor<2xi64>) -> tensor<?x?xf32>",
     [[1, 2], [3, 4], [5, 6]], "f32", result="tensor<?x?xf32>")
m.op("bitcast", [([1.0, -2.0], "f32")], "%r = tensor.bitcast %a0 : tensor<2xf32> to tensor<2xi32>", [0x3F800000, -0x40000000], "i32")
m.op("unranked", X, f"%u = tensor.cast %a0 : {F} to tensor<*xf32>\n%r = tensor.cast %u : tensor<*xf32> to tensor<?x?xf32>", x, "f32", result="tensor<?x?xf32>")
m.op("embedding", X + [([1, 1, 0], "i64")], f"""%e = tensor.empty() : tensor<3x3xf32>
     %zero = arith.constant 0 : i64
     %r = linalg.generic {{indexing_maps = [#row, #m], iterator_types = ["parallel", "parallel"]}} ins(%a1 : tensor<3xi64>) outs(%e : tensor<3x3xf32>) {{
     ^bb0(%k: i64, %o: f32):
     %ok = arith.cmpi sge, %k, %zero : i64
     cf.assert %ok, "index must be larger or equal to 0"
     %i = arith.index_cast %k : i64 to index
     %j = linalg.index 1 : index
     %v = tensor.extract %a0[%i, %j] : {F}
     linalg.yield %v : f32
     }} -> tensor<3x3xf32>""", [x[1], x[1], x[0]], "f32")
m.op("reversed", X, f"""%e = tensor.empty() : {F}
     %c2 = arith.constant 2 : index
     %r = linalg.generic {{indexing_maps = [#m], iterator_types = ["parallel", "parallel"]}} outs(%e : {F}) {{
     ^bb0(%o: f32):
     %i = linalg.index 0 : index
     %j = linalg.index 1 : index
     %k = arith.subi %c2, %j : index
     %v = tensor.extract %a0[%i, %k] : {F}
     linalg.yield %v : f32
     }} -> {F}""", [row[::-1] for row in x], "f32")
m.op("max_with_place", X, f"""%low = arith.constant dense<0xFF800000> : tensor<2xf32>
     %zero = arith.constant dense<0> : tensor<2xi64>
     %best, %r = linalg.generic {{indexing_maps = [#m, #row, #row], iterator_types = ["parallel", "reduction"]}} ins(%a0 : {F}) outs(%low, %zero : tensor<2xf32>, tensor<2xi64>) {{
     ^bb0(%v: f32, %o: f32, %p: i64):
     %j = linalg.index 1 : index
     %k = arith.index_cast %j : index to i64
     %c = arith.cmpf ogt, %v, %o : f32
     %y = arith.select %c, %v, %o : f32
     %z = arith.select %c, %k, %p : i64
     linalg.yield %y, %z : f32, i64
     }} -> (tensor<2xf32>, tensor<2xi64>)""", [2, 2], "i64")
m.op("forall", X, f"""%e = tensor.empty() : {F}
     %r = scf.forall (%i) in (2) shared_outs(%o = %e) -> ({F}) {{
     %s = tensor.extract_slice %a0[%i, 0] [1, 3] [1, 1] : {F} to tensor<1x3xf32>
     %d = arith.addf %s, %s : tensor<1x3xf32>
     scf.forall.in_parallel {{
     tensor.parallel_insert_slice %d into %o[%i, 0] [1, 3] [1, 1] : tensor<1x3xf32> into {F}
     }}
     }}""", [[2 * v for v in row] for row in x], "f32")
# Each iteration makes a new tensor.
m.op("while", [([1.0, 2.0], "f32")], """%c0 = arith.constant 0 : i64
     %c1 = arith.constant 1 : i64
     %c4 = arith.constant 4 : i64
     %n, %r = scf.while (%i = %c0, %o = %a0) : (i64, tensor<2xf32>) -> (i64, tensor<2xf32>) {
     %more = arith.cmpi slt, %i, %c4 : i64
     scf.condition(%more) %i, %o : i64, tensor<2xf32>
     } do {
     ^bb0(%i: i64, %o: tensor<2xf32>):
     %j = arith.addi %i, %c1 : i64
     %d = arith.addf %o, %o : tensor<2xf32>
     scf.yield %j, %d : i64, tensor<2xf32>
     }""", [16, 32], "f32")
m.op("for", [([1.0, 2.0], "f32")], """%c0 = arith.constant 0 : index
     %c1 = arith.constant 1 : index
     %c3 = arith.constant 3 : index
     %r, %last = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %a0, %b = %a0) -> (tensor<2xf32>, tensor<2xf32>) {
     %s = arith.addf %a, %b : tensor<2xf32>
     scf.yield %s, %a : tensor<2xf32>, tensor<2xf32>
     }""", [5, 10], "f32")
m.op("if", [([1.0, 2.0], "f32"), (1, "i1")], """%c = tensor.extract %a1[] : tensor<i1>
     %r = scf.if %c -> (tensor<2xf32>) {
     %d = arith.addf %a0, %a0 : tensor<2xf32>
     scf.yield %d : tensor<2xf32>
     } else {
     scf.yield %a0 : tensor<2xf32>
     }""", [2, 4], "f32")
m.op("index_switch", [([1.0, 2.0], "f32"), (1, "i64")], """%k = tensor.extract %a1[] : tensor<i64>
     %i = arith.index_cast %k : i64 to index
     %r = scf.index_switch %i -> tensor<2xf32>
     case 1 {
     %d = arith.addf %a0, %a0 : tensor<2xf32>
     scf.yield %d : tensor<2xf32>
     }
     default {
     scf.yield %a0 : tensor<2xf32>
     }""", [2, 4], "f32")
m.op("asserted", [([1.0, 2.0], "f32")], """%c0 = arith.constant 0 : index
     %c2 = arith.constant 2 : index
     %n = tensor.dim %a0, %c0 : tensor<?xf32>
     %ok = arith.cmpi eq, %n, %c2 : index
     cf.assert %ok, "mismatched size for broadcast"
     %r = arith.addf %a0, %a0 : tensor<?xf32>""", [2, 4], "f32", types=["tensor<?xf32>"], result="tensor<?xf32>")
m.op("affine_extent", X, """%c0 = arith.constant 0 : index
     %n = tensor.dim %a0, %c0 : tensor<?x3xf32>
     %k = affine.apply affine_map<()[s0] -> (s0 * 3)>()[%n]
     %f = tensor.collapse_shape %a0 [[0, 1]] : tensor<?x3xf32> into tensor<?xf32>
     %e = tensor.empty(%k) : tensor<?xf32>
     %r = linalg.generic {indexing_maps = [#v, #v], iterator_types = ["parallel"]} ins(%f : tensor<?xf32>) outs(%e : tensor<?xf32>) {
     ^bb0(%v: f32, %o: f32):
     %s = arith.addf %v, %v : f32
     linalg.yield %s : f32
     } -> tensor<?xf32>""", [2 * v for v in flat], "f32", types=["tensor<?x3xf32>"], result="tensor<?xf32>")
m.op("resource", [(flat[:4], "f32")], "%c = arith.constant dense_resource<w> : tensor<4xf32>\n%r = arith.addf %a0, %c : tensor<4xf32>", [2, 4, 6, 8], "f32")
m.print('\n\n{-#\n  dialect_resources: {\n    builtin: {\n      w: "0x040000000000803F000000400000404000008040"\n    }\n  }\n#-}')
