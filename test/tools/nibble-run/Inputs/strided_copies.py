"""Pads, slices, insertions and concatenations, which leave copies from and to strided buffers."""

from op_module import Module, tensor

m = Module()


def counting(*extents, start=1, T="f32"):
    count = iter(range(start, 1 << 20))
    return tensor(*extents, f=lambda *_: next(count) * 7 % 5 % 2 if T == "i1" else next(count))


def pad(T, zero):
    return f"%z = arith.constant {zero}\n%r = tensor.pad %a0 low[1, 0] high[0, 2] {{\n^bb0(%i: index, %j: index):\ntensor.yield %z : {T}\n}}"


# A copy of every element type. Rows longer than sixteen elements use vector lanes and a remainder.
for T in ("f32", "bf16", "f64", "i1", "i8", "i32", "i64"):
    zero = "false" if T == "i1" else f"{'0' if T[0] == 'i' else '0.0'} : {T}"
    x, y = counting(2, 3, T=T), counting(2, 18, start=10, T=T)
    m.op(f"pad_{T}", [(x, T)], pad(T, zero) + f" : tensor<2x3x{T}> to tensor<3x5x{T}>", [[0] * 5] + [row + [0, 0] for row in x], T)
    m.op(f"concat_{T}", [(x, T), (y, T)], f"%r = tensor.concat dim(1) %a0, %a1 : (tensor<2x3x{T}>, tensor<2x18x{T}>) -> tensor<2x21x{T}>",
         [p + q for p, q in zip(x, y)], T)
    m.op(f"slice_{T}", [(y, T)], f"%r = tensor.extract_slice %a0[0, 1] [2, 17] [1, 1] : tensor<2x18x{T}> to tensor<2x17x{T}>", [row[1:] for row in y], T)
    m.op(f"insert_{T}", [(x, T), (y, T)],
         f"%r = tensor.insert_slice %a0 into %a1[0, 4] [2, 3] [1, 2] : tensor<2x3x{T}> into tensor<2x18x{T}>",
         [q[:4] + [p[0], q[5], p[1], q[7], p[2]] + q[9:] for p, q in zip(x, y)], T)

# f16 inside a program whose arguments are float32.
x, y = counting(2, 3), counting(2, 18)
m.op("concat_f16", [(x, "f32"), (y, "f32")],
     """%h = arith.truncf %a0 : tensor<2x3xf32> to tensor<2x3xf16>
     %g = arith.truncf %a1 : tensor<2x18xf32> to tensor<2x18xf16>
     %c = tensor.concat dim(1) %h, %g : (tensor<2x3xf16>, tensor<2x18xf16>) -> tensor<2x21xf16>
     %r = arith.extf %c : tensor<2x21xf16> to tensor<2x21xf32>""", [p + q for p, q in zip(x, y)], "f32")

x = counting(3, 4)
m.op("steps", [(x, "f32")], "%r = tensor.extract_slice %a0[0, 1] [2, 2] [2, 2] : tensor<3x4xf32> to tensor<2x2xf32>", [row[1::2] for row in x[::2]], "f32")
m.op("column", [(x, "f32")], "%r = tensor.extract_slice %a0[0, 2] [3, 1] [1, 1] : tensor<3x4xf32> to tensor<3xf32>", [row[2] for row in x], "f32")
m.op("element", [(x, "f32")], "%r = tensor.extract_slice %a0[1, 2] [1, 1] [1, 1] : tensor<3x4xf32> to tensor<f32>", x[1][2], "f32")
m.op("put_element", [(50, "f32"), (x, "f32")], "%r = tensor.insert_slice %a0 into %a1[2, 1] [1, 1] [1, 1] : tensor<f32> into tensor<3x4xf32>",
     x[:2] + [[x[2][0], 50] + x[2][2:]], "f32")
m.op("transposed_slice", [(x, "f32")],
     """%s = tensor.extract_slice %a0[0, 1] [3, 2] [1, 1] : tensor<3x4xf32> to tensor<3x2xf32>
     %e = tensor.empty() : tensor<2x3xf32>
     %r = linalg.transpose ins(%s : tensor<3x2xf32>) outs(%e : tensor<2x3xf32>) permutation = [1, 0]""",
     [[row[1] for row in x], [row[2] for row in x]], "f32")
m.op("running_sum", [(x, "f32")],
     """%z = arith.constant dense<0.0> : tensor<3xf32>
     %e = tensor.empty() : tensor<3x4xf32>
     %c0 = arith.constant 0 : index
     %c1 = arith.constant 1 : index
     %c4 = arith.constant 4 : index
     %s, %r = scf.for %i = %c0 to %c4 step %c1 iter_args(%sum = %z, %out = %e) -> (tensor<3xf32>, tensor<3x4xf32>) {
     %column = tensor.extract_slice %a0[0, %i] [3, 1] [1, 1] : tensor<3x4xf32> to tensor<3xf32>
     %next = arith.addf %sum, %column : tensor<3xf32>
     %all = tensor.insert_slice %next into %out[0, %i] [3, 1] [1, 1] : tensor<3xf32> into tensor<3x4xf32>
     scf.yield %next, %all : tensor<3xf32>, tensor<3x4xf32>
     }""", [[sum(row[: j + 1]) for j in range(4)] for row in x], "f32")

# Unknown extents.
y, w = counting(2, 2, 3), counting(2, 1, 3, start=100)
cube, slab = "tensor<?x?x?xf32>", "tensor<?x?x3xf32>"
m.op("open_concat", [(y, "f32"), (w, "f32")], f"%r = tensor.concat dim(1) %a0, %a1 : ({cube}, {cube}) -> {cube}", [p + q for p, q in zip(y, w)], "f32",
     types=[cube, cube], result=cube)
m.op("open_slice", [(y, "f32"), (1, "i64")],
     f"""%at = tensor.extract %a1[] : tensor<i64>
     %i = arith.index_cast %at : i64 to index
     %c0 = arith.constant 0 : index
     %c1 = arith.constant 1 : index
     %n = tensor.dim %a0, %c0 : {slab}
     %r = tensor.extract_slice %a0[0, %i, 1] [%n, %c1, 2] [1, 1, 1] : {slab} to tensor<?x?x2xf32>""",
     [[row[1:] for row in p[1:]] for p in y], "f32", types=[slab], result="tensor<?x?x2xf32>")
m.op("open_pad", [(y[0], "f32"), (2, "i64")],
     """%z = arith.constant 0.5 : f32
     %k = tensor.extract %a1[] : tensor<i64>
     %n = arith.index_cast %k : i64 to index
     %r = tensor.pad %a0 low[%n, 0] high[0, %n] {
     ^bb0(%i: index, %j: index):
     tensor.yield %z : f32
     } : tensor<2x3xf32> to tensor<?x?xf32>""", [[0.5] * 5] * 2 + [row + [0.5, 0.5] for row in y[0]], "f32", result="tensor<?x?xf32>")
m.op("collapsed_slice", [(y, "f32")],
     """%s = tensor.extract_slice %a0[0, 1, 0] [2, 1, 3] [1, 1, 1] : tensor<2x2x3xf32> to tensor<2x1x3xf32>
     %r = tensor.collapse_shape %s [[0, 1, 2]] : tensor<2x1x3xf32> into tensor<6xf32>""", y[0][1] + y[1][1], "f32")
q = counting(2, 2, 2, 2, 2, T="i32")
m.op("rank_5", [(q, "i32")],
     "%r = tensor.extract_slice %a0[0, 1, 0, 1, 0] [2, 1, 2, 1, 2] [1, 1, 1, 1, 1] : tensor<2x2x2x2x2xi32> to tensor<2x1x2x1x2xi32>",
     [[[[c[1]] for c in b] for b in a[1:]] for a in q], "i32")
m.print()
