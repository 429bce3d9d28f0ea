//===- QATOps.td - operations of quantization-aware training ---------------===//

#ifndef NIBBLE_DIALECTS_QAT_QATOPS
#define NIBBLE_DIALECTS_QAT_QATOPS

include "dialects/QAT/QATTypes.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

class QAT_Op<string name, list<Trait> traits = []> : Op<QAT_Dialect, name, !listconcat([Pure], traits)>;

def QAT_Weight : 2DTensorOf<[BF16, F32]>;
def QAT_Rows : 2DTensorOf<[BF16, F32]>;

def QAT_FakeQuantOp : QAT_Op<"fake_quant", [SameOperandsAndResultType]> {
  let summary = "Rounds a weight to the grid: dequantize(quantize(w)).";
  let description = [{
    `out = dequantize(quantize(weight))` by definition, so the value trained on is the value rolled out (N3 to N5).
    The gradient is the identity for every element (N8, straight-through). With `convention = slime` the decode uses
    the scale before it is rounded to bf16.

    - `weight`: bf16 or float32 [N, K], the weight as trained; `scheme`: the grid.
    - `result`: like `weight`, its value on the grid.

    Example:

    ```mlir
    %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<2048x1024xbf16>
    ```
  }];
  let arguments = (ins QAT_Weight:$weight, QAT_SchemeAttr:$scheme);
  let results = (outs QAT_Weight:$result);
  let assemblyFormat = "$weight attr-dict `:` type($weight)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def QAT_StraightThroughOp : QAT_Op<"straight_through", [
    SingleBlockImplicitTerminator<"YieldOp">, IsolatedFromAbove, RecursiveMemoryEffects, SameOperandsAndResultType]> {
  let summary = "Any forward, identity gradient: the general form of fake-quant.";
  let description = [{
    `out = body(x)` and `dL/dx = dL/dout`, unchanged. `qat.fake_quant` is the instance whose body is the built-in
    grid. This op is for schemes that a user writes.

    - `input`: a tensor of any shape and element type, the argument of `body`.
    - `result`: the value that `body` yields, of the same type.

    Example:

    ```mlir
    %y = qat.straight_through %x : tensor<8x32xf32> {
    ^bb0(%a: tensor<8x32xf32>):
      %r = math.roundeven %a : tensor<8x32xf32>
      qat.yield %r : tensor<8x32xf32>
    }
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$input `:` type($input) $body attr-dict";
  let hasVerifier = 1;
}

def QAT_YieldOp : QAT_Op<"yield", [Terminator, HasParent<"StraightThroughOp">]> {
  let summary = "Yields the value of a straight_through body.";
  let description = [{
    - `value`: the result of the `qat.straight_through` around it, of its type.

    Example:

    ```mlir
    qat.yield %r : tensor<8x32xf32>
    ```
  }];
  let arguments = (ins Optional<AnyRankedTensor>:$value);
  let assemblyFormat = "($value^ `:` type($value))? attr-dict";
  let builders = [OpBuilder<(ins), [{ }]>];
}

def QAT_QuantizeOp : QAT_Op<"quantize"> {
  let summary = "Computes codes and scales of a weight (N1 to N7).";
  let description = [{
    Each group of `group_size` elements along K has `s = bf16(amax / 7)` and `q = clamp(rne(x / s), -7, 7)`, with q =
    0 where s = 0. A float32 weight is rounded to bf16 first (N1). The runtime reports NaN and infinity before the op
    runs (N7).

    - `weight`: bf16 or float32 [N, K].
    - `packed`: codes and scales of [N, K]; the type says scheme and layout.

    Example:

    ```mlir
    %p = qat.quantize %w : tensor<2048x1024xbf16> -> !qat.packed<2048x1024, #qat.scheme<int4, group_size = 32>, host>
    ```
  }];
  let arguments = (ins QAT_Weight:$weight);
  let results = (outs QAT_PackedType:$packed);
  let assemblyFormat = "$weight attr-dict `:` type($weight) `->` qualified(type($packed))";
  let hasVerifier = 1;
}

def QAT_DequantizeOp : QAT_Op<"dequantize"> {
  let summary = "Decodes the weight that a packed value stands for (N5).";
  let description = [{
    `w[n, k] = bf16(float(q[n, k]) * float(s[n, k / group_size]))`. The product is exact in float32, so there is one
    rounding. A float32 result is that bf16 value widened.

    - `packed`: codes and scales of [N, K].
    - `weight`: bf16 or float32 [N, K].

    Example:

    ```mlir
    %w = qat.dequantize %p : !qat.packed<2048x1024, #qat.scheme<int4, group_size = 32>, host> -> tensor<2048x1024xbf16>
    ```
  }];
  let arguments = (ins QAT_PackedType:$packed);
  let results = (outs QAT_Weight:$weight);
  let assemblyFormat = "$packed attr-dict `:` qualified(type($packed)) `->` type($weight)";
  let hasVerifier = 1;
}

def QAT_RepackOp : QAT_Op<"repack"> {
  let summary = "Converts a packed weight to another layout, exactly.";
  let description = [{
    Codes are permuted, scales are copied. `repack(repack(p)) == p`, and a repack to the same layout folds away.

    - `input`, `result`: packed weights of the same shape and scheme, in two layouts.

    Example:

    ```mlir
    %h = qat.repack %p : !qat.packed<64x128, #qat.scheme<int4, group_size = 32>, interchange>
                      -> !qat.packed<64x128, #qat.scheme<int4, group_size = 32>, host>
    ```
  }];
  let arguments = (ins QAT_PackedType:$input);
  let results = (outs QAT_PackedType:$result);
  let assemblyFormat = "$input attr-dict `:` qualified(type($input)) `->` qualified(type($result))";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def QAT_LinearOp : QAT_Op<"linear", [AttrSizedOperandSegments]> {
  let summary = "nn.linear with a packed weight, which is not materialized.";
  let description = [{
    `y = nn.linear(x, dequantize(packed), bias) (+ residual)` with the same bits (N10, N11).

    - `x`: bf16 or float32 [T, K], the rows; `packed`: [N, K], the weight.
    - `bias`: [N], optional.
    - `residual`: [T, N], optional. It is added after the sum is rounded to the element type of the result, as a
      separate addition would.
    - `y`: bf16 or float32 [T, N].

    Example:

    ```mlir
    %y = qat.linear %x, %p : tensor<?x1024xbf16>, !qat.packed<2048x1024, #qat.scheme<int4, group_size = 32>, host>
                          -> tensor<?x2048xbf16>
    ```
  }];
  let arguments = (ins QAT_Rows:$x, QAT_PackedType:$packed, Optional<1DTensorOf<[BF16, F32]>>:$bias,
                       Optional<QAT_Rows>:$residual);
  let results = (outs QAT_Rows:$y);
  let assemblyFormat = [{
    $x `,` $packed (`bias` `(` $bias^ `:` type($bias) `)`)? (`residual` `(` $residual^ `:` type($residual) `)`)? attr-dict
    `:` type($x) `,` qualified(type($packed)) `->` type($y)
  }];
  let hasVerifier = 1;
}

def QAT_LinearSwigluOp : QAT_Op<"linear_swiglu", [AllTypesMatch<["gate", "up"]>]> {
  let summary = "nn.linear_swiglu with packed weights.";
  let description = [{
    `y = nn.swiglu(qat.linear(x, gate), qat.linear(x, up))` with the same bits. Only programs for a device contain it
    (`nibble-fuse-launches`).

    - `x`: bf16 or float32 [T, K], the rows; `gate`, `up`: [N, K], packed with one scheme and layout.
    - `y`: bf16 or float32 [T, N].

    Example:

    ```mlir
    %h = qat.linear_swiglu %x, %pg, %pu : tensor<?x1024xbf16>, !qat.packed<3072x1024, #qat.scheme<int4, group_size = 32>, hopper>
                                       -> tensor<?x3072xbf16>
    ```
  }];
  let arguments = (ins QAT_Rows:$x, QAT_PackedType:$gate, QAT_PackedType:$up);
  let results = (outs QAT_Rows:$y);
  let assemblyFormat = "$x `,` $gate `,` $up attr-dict `:` type($x) `,` qualified(type($gate)) `->` type($y)";
  let hasVerifier = 1;
}

def QAT_LinearInputGradOp : QAT_Op<"linear_input_grad"> {
  let summary = "nn.linear_input_grad with a packed weight.";
  let description = [{
    `dx[t, k] = sum_n dy[t, n] * dequantize(packed)[n, k]`, float32, n ascending, one chain (N10).

    - `dy`: bf16 or float32 [T, N], the gradient of the linear's result; `packed`: [N, K], its weight.
    - `dx`: bf16 or float32 [T, K], the gradient of its rows.

    Example:

    ```mlir
    %dx = qat.linear_input_grad %dy, %p : tensor<?x2048xbf16>, !qat.packed<2048x1024, #qat.scheme<int4, group_size = 32>, host>
                                       -> tensor<?x1024xbf16>
    ```
  }];
  let arguments = (ins QAT_Rows:$dy, QAT_PackedType:$packed);
  let results = (outs QAT_Rows:$dx);
  let assemblyFormat = "$dy `,` $packed attr-dict `:` type($dy) `,` qualified(type($packed)) `->` type($dx)";
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_QAT_QATOPS
