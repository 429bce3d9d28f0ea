"""linalg's named operations as exporters write them. The numbers are integers, so that sums are exact in every type."""

import math

from op_module import Module, at, each, shape, sums, tensor, typeOf, whole

m = Module()


def product(name, a, b, expected, T="f32", out=None, op=None, attributes="", start=0):
    """`op` of a and b, accumulated into a tensor of `start`."""
    out = out or T
    init = each(expected, lambda _: start)
    m.op(name, [(a, T), (b, T), (init, out)],
         f"%r = linalg.{op or name} {attributes} ins(%a0, %a1 : {typeOf(a, T)}, {typeOf(b, T)}) outs(%a2 : {typeOf(init, out)}) -> {typeOf(init, out)}", expected, out)


# Matrix products.
a, b, bt = whole(2, 3), whole(3, 4, seed=2), whole(4, 3, seed=2)
p, q = whole(2, 2, 3), whole(2, 3, 2, seed=4)
for T, out in (("f32", "f32"), ("bf16", "bf16"), ("bf16", "f32"), ("f64", "f64"), ("i8", "i32"), ("i64", "i64")):
    product(f"matmul_{T}_{out}", a, b, sums((2, 4), (3,), lambda i, k: a[i[0]][k[0]] * b[k[0]][i[1]]), T, out, "matmul")
    product(f"batch_matmul_{T}_{out}", p, q, sums((2, 2, 2), (3,), lambda i, k: p[i[0]][i[1]][k[0]] * q[i[0]][k[0]][i[2]]), T, out, "batch_matmul")
maps = "indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]"
turned = sums((2, 4), (3,), lambda i, k: a[i[0]][k[0]] * bt[i[1]][k[0]])
product("matmul_transpose_b", a, bt, turned, op="matmul", attributes=maps)
product("contract", a, bt, turned, attributes=maps)
v, w = whole(3), whole(2, seed=3)
product("matvec", a, v, sums((2,), (3,), lambda i, k: a[i[0]][k[0]] * v[k[0]]))
product("vecmat", w, a, sums((3,), (2,), lambda i, k: w[k[0]] * a[k[0]][i[0]]))
product("dot", v, [4, 5, 6], sum(x * y for x, y in zip(v, [4, 5, 6])))
product("batch_matvec", p, a, sums((2, 2), (3,), lambda i, k: p[i[0]][i[1]][k[0]] * a[i[0]][k[0]]))
product("batch_vecmat", a, q, sums((2, 2), (3,), lambda i, k: a[i[0]][k[0]] * q[i[0]][k[0]][i[1]]))
product("batch_reduce_matmul", p, q, sums((2, 2), (2, 3), lambda i, k: p[k[0]][i[0]][k[1]] * q[k[0]][k[1]][i[1]]))
product("mmt4d", [[a]], [[bt]], [[turned]])

# Convolutions with images [n, c, h, w] and weights [f, c, h, w].
image, filters = whole(1, 2, 5, 5), whole(2, 2, 3, 3, seed=3)


def conv2d(stride=1, dilation=1):
    extent = (5 - 2 * dilation - 1) // stride + 1
    return sums((1, 2, extent, extent), (2, 3, 3), lambda i, k: at(image, i[0], k[0], i[2] * stride + k[1] * dilation, i[3] * stride + k[2] * dilation)
                * at(filters, i[1], k[0], k[1], k[2]))


def moved(t, *order):
    """Transposes the tensor to this order of dimensions."""
    extents = shape(t)
    return tensor(*[extents[d] for d in order], f=lambda *i: at(t, *[i[order.index(d)] for d in range(len(order))]))


def steps(stride, dilation, dims=2):
    return f"{{strides = dense<{stride}> : tensor<{dims}xi64>, dilations = dense<{dilation}> : tensor<{dims}xi64>}}"


product("conv_2d_nchw_fchw", image, filters, conv2d())
product("conv_2d_bf16", image, filters, conv2d(), "bf16", "f32", "conv_2d_nchw_fchw")
product("conv_2d_strided", image, filters, conv2d(stride=2), op="conv_2d_nchw_fchw", attributes=steps(2, 1))
product("conv_2d_dilated", image, filters, conv2d(dilation=2), op="conv_2d_nchw_fchw", attributes=steps(1, 2))
product("conv_2d_nhwc_hwcf", moved(image, 0, 2, 3, 1), moved(filters, 2, 3, 1, 0), moved(conv2d(), 0, 2, 3, 1))
product("conv_2d_nhwc_fhwc", moved(image, 0, 2, 3, 1), moved(filters, 0, 2, 3, 1), moved(conv2d(), 0, 2, 3, 1))
line, taps = whole(1, 2, 6), whole(3, 2, 3, seed=5)
lines = sums((1, 3, 4), (2, 3), lambda i, k: line[0][k[0]][i[2] + k[1]] * taps[i[1]][k[0]][k[1]])
product("conv_1d_ncw_fcw", line, taps, lines)
product("conv_1d_nwc_wcf", moved(line, 0, 2, 1), moved(taps, 2, 1, 0), moved(lines, 0, 2, 1))
product("conv_1d", line[0][0], taps[0][0], sums((4,), (3,), lambda i, k: line[0][0][i[0] + k[0]] * taps[0][0][k[0]]))
product("conv_2d", image[0][0], filters[0][0], sums((3, 3), (3, 3), lambda i, k: image[0][0][i[0] + k[0]][i[1] + k[1]] * filters[0][0][k[0]][k[1]]))
cube, cubes = whole(1, 2, 3, 3, 3), whole(2, 2, 2, 2, 2, seed=2)
product("conv_3d_ncdhw_fcdhw", cube, cubes, sums((1, 2, 2, 2, 2), (2, 2, 2, 2), lambda i, k: at(cube, 0, k[0], i[2] + k[1], i[3] + k[2], i[4] + k[3])
                                                * at(cubes, i[1], *k)))
depth = filters[0]  # one filter per channel
each_channel = sums((1, 2, 3, 3), (3, 3), lambda i, k: at(image, 0, i[1], i[2] + k[0], i[3] + k[1]) * at(depth, i[1], *k))
product("depthwise_conv_2d_nchw_chw", image, depth, each_channel)
product("depthwise_conv_2d_nhwc_hwc", moved(image, 0, 2, 3, 1), moved(depth, 1, 2, 0), moved(each_channel, 0, 2, 3, 1))
product("depthwise_conv_1d_ncw_cw", line, taps[0], sums((1, 2, 4), (3,), lambda i, k: line[0][i[1]][i[2] + k[0]] * taps[0][i[1]][k[0]]))
groups, group_filters = whole(1, 2, 2, 4, 4), whole(2, 3, 2, 3, 3, seed=4)
product("conv_2d_ngchw_gfchw", groups, group_filters, sums((1, 2, 3, 2, 2), (2, 3, 3), lambda i, k: at(groups, 0, i[1], k[0], i[3] + k[1], i[4] + k[2])
                                                          * at(group_filters, i[1], i[2], *k)))


# Pooling. The second operand only gives the window's extents.
def pooled(f, stride=1):
    extent = (5 - 3) // stride + 1
    return tensor(1, 2, extent, extent, f=lambda n, c, y, x: f(image[n][c][y * stride + j][x * stride + i] for j in range(3) for i in range(3)))


window, last = tensor(3, 3, f=lambda *_: 0), (0, 2, 3, 1)
product("pooling_nchw_max", image, window, pooled(max), start=-100)
product("pooling_nchw_max_strided", image, window, pooled(max, 2), op="pooling_nchw_max", attributes=steps(2, 1), start=-100)
product("pooling_nchw_sum", image, window, pooled(sum))
product("pooling_nhwc_max", moved(image, *last), window, moved(pooled(max), *last), start=-100)
product("pooling_nhwc_min", moved(image, *last), window, moved(pooled(min), *last), start=100)
product("pooling_nhwc_sum", moved(image, *last), window, moved(pooled(sum), *last))
product("pooling_ncw_max", line, [0] * 3, [[[max(row[x : x + 3]) for x in range(4)] for row in line[0]]], start=-100)
product("pooling_ncw_sum", line, [0] * 3, [[[sum(row[x : x + 3]) for x in range(4)] for row in line[0]]])

# Elementwise operations.
x, y = [[1.0, 2.0, 4.0], [0.25, 9.0, 16.0]], [[2.0, 0.5, 4.0], [0.5, 3.0, 2.0]]
into = "%e = tensor.empty() : tensor<2x3xf32>\n"
F = "tensor<2x3xf32>"
for name, f, away in (("exp", math.exp, 4), ("log", math.log, 4), ("abs", abs, 0), ("ceil", math.ceil, 0), ("floor", math.floor, 0), ("negf", lambda v: -v, 0),
                      ("reciprocal", lambda v: 1 / v, 1), ("round", round, 0), ("sqrt", math.sqrt, 0), ("rsqrt", lambda v: 1 / math.sqrt(v), 4),
                      ("square", lambda v: v * v, 0), ("tanh", math.tanh, 16), ("erf", math.erf, 16)):
    m.op(name, [(x, "f32")], into + f"%r = linalg.{name} ins(%a0 : {F}) outs(%e : {F}) -> {F}", each(x, f), "f32", f"ulp = {away} : i64")
for name, f in {"add": lambda u, v: u + v, "sub": lambda u, v: u - v, "mul": lambda u, v: u * v, "div": lambda u, v: u / v, "max": max, "min": min,
                "powf": lambda u, v: u**v}.items():
    m.op(name, [(x, "f32"), (y, "f32")], into + f"%r = linalg.{name} ins(%a0, %a1 : {F}, {F}) outs(%e : {F}) -> {F}",
         tensor(2, 3, f=lambda i, j: f(x[i][j], y[i][j])), "f32", "ulp = 16 : i64")
chosen = [[1, 0, 1], [0, 0, 1]]
m.op("select", [(chosen, "i1"), (x, "f32"), (y, "f32")], into + f"%r = linalg.select ins(%a0, %a1, %a2 : tensor<2x3xi1>, {F}, {F}) outs(%e : {F}) -> {F}",
     tensor(2, 3, f=lambda i, j: (x if chosen[i][j] else y)[i][j]), "f32")
added = tensor(2, 3, f=lambda i, j: x[i][j] + y[i][j])
m.op("elementwise", [(x, "f32"), (y, "f32")],
     into + f"%r = linalg.elementwise kind=#linalg.elementwise_kind<add> ins(%a0, %a1 : {F}, {F}) outs(%e : {F}) -> {F}", added, "f32")
m.op("map", [(x, "f32"), (y, "f32")], into + f"%r = linalg.map {{ arith.addf }} ins(%a0, %a1 : {F}, {F}) outs(%e : {F})", added, "f32")
m.op("reduce", [(x, "f32")], f"%z = arith.constant dense<0.0> : tensor<2xf32>\n%r = linalg.reduce {{ arith.addf }} ins(%a0 : {F}) outs(%z : tensor<2xf32>) dimensions = [1]",
     [sum(row) for row in x], "f32")
m.op("broadcast", [(x[0], "f32")], into + f"%r = linalg.broadcast ins(%a0 : tensor<3xf32>) outs(%e : {F}) dimensions = [0]", [x[0], x[0]], "f32")
m.op("transpose", [(x, "f32")],
     f"%e = tensor.empty() : tensor<3x2xf32>\n%r = linalg.transpose ins(%a0 : {F}) outs(%e : tensor<3x2xf32>) permutation = [1, 0]", moved(x, 1, 0), "f32")
m.op("copy", [(x, "f32")], f"%e = tensor.empty() : tensor<2x3xf64>\n%r = linalg.copy ins(%a0 : {F}) outs(%e : tensor<2x3xf64>) -> tensor<2x3xf64>", x, "f64")
m.op("fill", [(2.5, "f32")], f"%v = tensor.extract %a0[] : tensor<f32>\n{into}%r = linalg.fill ins(%v : f32) outs(%e : {F}) -> {F}", each(x, lambda _: 2.5), "f32")

# Operations that nibble-decompose-tensors decomposes.
exps = [[math.exp(v - max(row)) for v in row] for row in x]
m.op("softmax", [(x, "f32")], into + f"%r = linalg.softmax dimension(1) ins(%a0 : {F}) outs(%e : {F}) -> {F}",
     [[v / sum(row) for v in row] for row in exps], "f32", "ulp = 16 : i64")
tiles = [[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]]
flat = [[1, 2, 3, 4], [5, 6, 7, 8]]
m.op("pack", [(flat, "f32")], """%e = tensor.empty() : tensor<1x2x2x2xf32>
     %r = linalg.pack %a0 inner_dims_pos = [0, 1] inner_tiles = [2, 2] into %e : tensor<2x4xf32> -> tensor<1x2x2x2xf32>""", tiles, "f32")
m.op("unpack", [(tiles, "f32")], """%e = tensor.empty() : tensor<2x4xf32>
     %r = linalg.unpack %a0 inner_dims_pos = [0, 1] inner_tiles = [2, 2] into %e : tensor<1x2x2x2xf32> -> tensor<2x4xf32>""", flat, "f32")
square, small = whole(6, 6), whole(3, 3, seed=4)
m.op("winograd", [([each(square, lambda v: [v])], "f32"), ([each(small, lambda v: [v])], "f32")],
     """%e0 = tensor.empty() : tensor<6x6x1x1xf32>
     %f = linalg.winograd_filter_transform fmr(F_4_3) ins(%a1 : tensor<1x3x3x1xf32>) outs(%e0 : tensor<6x6x1x1xf32>) -> tensor<6x6x1x1xf32>
     %e1 = tensor.empty() : tensor<6x6x1x1x1x1xf32>
     %i = linalg.winograd_input_transform fmr(F_4_3) ins(%a0 : tensor<1x6x6x1xf32>) outs(%e1 : tensor<6x6x1x1x1x1xf32>) -> tensor<6x6x1x1x1x1xf32>
     %fc = tensor.collapse_shape %f [[0, 1], [2], [3]] : tensor<6x6x1x1xf32> into tensor<36x1x1xf32>
     %ic = tensor.collapse_shape %i [[0, 1], [2, 3, 4], [5]] : tensor<6x6x1x1x1x1xf32> into tensor<36x1x1xf32>
     %z = arith.constant dense<0.0> : tensor<36x1x1xf32>
     %m = linalg.batch_matmul ins(%ic, %fc : tensor<36x1x1xf32>, tensor<36x1x1xf32>) outs(%z : tensor<36x1x1xf32>) -> tensor<36x1x1xf32>
     %me = tensor.expand_shape %m [[0, 1], [2, 3, 4], [5]] output_shape [6, 6, 1, 1, 1, 1] : tensor<36x1x1xf32> into tensor<6x6x1x1x1x1xf32>
     %e2 = arith.constant dense<0.0> : tensor<1x4x4x1xf32>
     %r = linalg.winograd_output_transform fmr(F_4_3) ins(%me : tensor<6x6x1x1x1x1xf32>) outs(%e2 : tensor<1x4x4x1xf32>) -> tensor<1x4x4x1xf32>""",
     [each(sums((4, 4), (3, 3), lambda i, k: square[i[0] + k[0]][i[1] + k[1]] * small[k[0]][k[1]]), lambda v: [v])], "f32", "relative = 1.0e-5 : f64")
m.print()
