//===- NNLayerOps.td - embedding, norms, linears, rope, swiglu --------------===//

#ifndef NIBBLE_DIALECTS_NN_NNLAYEROPS
#define NIBBLE_DIALECTS_NN_NNLAYEROPS

include "dialects/NN/NNBase.td"

def NN_EmbeddingOp : NN_Op<"embedding"> {
  let summary = "Looks up one row of a table for each token.";
  let description = [{
    `y[t, :] = table[tokens[t], :]`. The runtime rejects a token outside 0..V-1 before the call.

    - `tokens`: i32 [T], numbers of rows of the table.
    - `table`: bf16 or float32 [V, D], a row for each token of the vocabulary.
    - `y`: [T, D], the rows, in the element type of the table.

    Example:

    ```mlir
    %x = nn.embedding %tokens, %table : tensor<?xi32>, tensor<151936x1024xbf16> -> tensor<?x1024xbf16>
    ```
  }];
  let arguments = (ins NN_IndexVector:$tokens, NN_Weight:$table);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$tokens `,` $table attr-dict `:` type($tokens) `,` type($table) `->` type($y)";
  let hasVerifier = 1;
}

def NN_EmbeddingGradOp : NN_Op<"embedding_grad", [NN_InPlace<"2, 0">, AllTypesMatch<["init", "dtable"]>]> {
  let summary = "Gradient of the table: adds each row of dy to the row of its token.";
  let description = [{
    `dtable[v, :] = init[v, :] + sum over t with tokens[t] == v of dy[t, :]`, float32, t ascending, one chain of additions.

    - `dy`: bf16 or float32 [T, D], the gradient of the rows.
    - `tokens`: i32 [T], the token of each row.
    - `init`: float32 [V, D], the gradient so far; `dtable`: the same with the rows added.

    Example:

    ```mlir
    %g = nn.embedding_grad %dy, %tokens, %init : tensor<?x1024xbf16>, tensor<?xi32>, tensor<151936x1024xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_IndexVector:$tokens, NN_FloatMatrix:$init);
  let results = (outs NN_FloatMatrix:$dtable);
  let assemblyFormat = "$dy `,` $tokens `,` $init attr-dict `:` type($dy) `,` type($tokens) `,` type($init)";
  let hasVerifier = 1;
}

def NN_RMSNormOp : NN_Op<"rms_norm", [AllTypesMatch<["x", "y"]>]> {
  let summary = "Root-mean-square norm of each row, or of each head of a row.";
  let description = [{
    The row is divided into blocks of D elements, where D is the length of `weight`. Each block has `r = 1 /
    sqrt(sum(x^2) / D + epsilon)` in float32, with the sum in the order N13. Then `y = E(weight * E(x * r))`, where E
    rounds to the element type. As in Hugging Face, the normalized value is rounded before it is scaled.

    - `x`: bf16 or float32 [T, features], the rows; `features` is a multiple of D.
    - `weight`: of the same element type, [D], the scale of each element of a block.
    - `epsilon`: float32, added to the mean of squares.
    - `y`: like `x`, the rows normalized and scaled.

    Example:

    ```mlir
    %h = nn.rms_norm %x, %w {epsilon = 1.0e-6 : f32} : tensor<?x1024xbf16>, tensor<1024xbf16>
    %q = nn.rms_norm %p, %n {epsilon = 1.0e-6 : f32} : tensor<?x2048xbf16>, tensor<128xbf16>   // 16 heads of 128
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_Vector:$weight, F32Attr:$epsilon);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$x `,` $weight attr-dict `:` type($x) `,` type($weight)";
  let hasVerifier = 1;
}

def NN_RMSNormGradOp : NN_Op<"rms_norm_grad", [NN_InPlace<"3, 1">, AllTypesMatch<["x", "dx", "dy"]>, AllTypesMatch<["init", "dweight"]>]> {
  let summary = "Gradients of rms_norm.";
  let description = [{
    With `n = x * r` (not rounded) and `g = dy * weight`: `dx = r * (g - n * sum(g * n) / D)`, sums in the order N13;
    `dweight = init + sum over tokens and heads of dy * n`, ascending, one chain.

    - `dy`: like `x`, the gradient of the norm's result.
    - `x`, `weight`, `epsilon`: as in `nn.rms_norm`.
    - `init`: float32 [D], the gradient of the weight so far.
    - `dx`: like `x`, the gradient of the rows, rounded once; `dweight`: float32 [D].

    Example:

    ```mlir
    %dx, %dw = nn.rms_norm_grad %dy, %x, %w, %init {epsilon = 1.0e-6 : f32}
        : tensor<?x1024xbf16>, tensor<1024xbf16>, tensor<1024xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_Rows:$x, NN_Vector:$weight, NN_FloatVector:$init, F32Attr:$epsilon);
  let results = (outs NN_Rows:$dx, NN_FloatVector:$dweight);
  let assemblyFormat = "$dy `,` $x `,` $weight `,` $init attr-dict `:` type($x) `,` type($weight) `,` type($init)";
  let hasVerifier = 1;
}

def NN_LinearOp : NN_Op<"linear", [AttrSizedOperandSegments]> {
  let summary = "y = x wT (+ bias) (+ residual).";
  let description = [{
    `y[t, n] = E(sum_k x[t, k] * w[n, k])`, accumulated in float32 in the order N10/N11: sixteen lanes, each with one
    fused multiply-add for every sixteenth k ascending, then one fixed tree. With `bias` the rounded sum plus bias is
    rounded again, as a separate addition would. `residual` is added in the same way. E rounds to the element type of
    the result, which may be float32 for logits.

    - `x`: bf16 or float32 [T, K], the rows; `weight`: of the same element type, [N, K].
    - `bias`: [N], optional; `residual`: [T, N], optional.
    - `y`: bf16 or float32 [T, N].

    Example:

    ```mlir
    %y = nn.linear %x, %w : tensor<?x1024xbf16>, tensor<2048x1024xbf16> -> tensor<?x2048xbf16>
    %z = nn.linear %x, %w bias(%b : tensor<2048xbf16>) : tensor<?x1024xbf16>, tensor<2048x1024xbf16> -> tensor<?x2048xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_Weight:$weight, Optional<NN_Vector>:$bias, Optional<NN_Rows>:$residual);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = [{
    $x `,` $weight (`bias` `(` $bias^ `:` type($bias) `)`)? (`residual` `(` $residual^ `:` type($residual) `)`)? attr-dict
    `:` type($x) `,` type($weight) `->` type($y)
  }];
  let hasVerifier = 1;
}

def NN_LinearInputGradOp : NN_Op<"linear_input_grad"> {
  let summary = "Gradient of a linear's input: dx = dy w.";
  let description = [{
    `dx[t, k] = E(sum_n dy[t, n] * w[n, k])`, float32, n ascending, one chain of fused multiply-adds (N10).

    - `dy`: bf16 or float32 [T, N], the gradient of the linear's result; `weight`: [N, K], its weight.
    - `dx`: bf16 or float32 [T, K], the gradient of its rows.

    Example:

    ```mlir
    %dx = nn.linear_input_grad %dy, %w : tensor<?x2048xbf16>, tensor<2048x1024xbf16> -> tensor<?x1024xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_Weight:$weight);
  let results = (outs NN_Rows:$dx);
  let assemblyFormat = "$dy `,` $weight attr-dict `:` type($dy) `,` type($weight) `->` type($dx)";
  let hasVerifier = 1;
}

def NN_LinearWeightGradOp : NN_Op<"linear_weight_grad", [NN_InPlace<"2, 0">, AllTypesMatch<["init", "dweight"]>]> {
  let summary = "Gradient of a linear's weight: dw = init + dyT x.";
  let description = [{
    `dw[n, k] = init[n, k] + sum_t dy[t, n] * x[t, k]`, float32, t ascending, one chain of fused multiply-adds that
    starts at `init`. Splitting the tokens into microbatches therefore does not change a bit.

    - `dy`: bf16 or float32 [T, N], the gradient of the linear's result; `x`: [T, K], its rows.
    - `init`: float32 [N, K], the gradient so far; `dweight`: the same with this batch added.

    Example:

    ```mlir
    %dw = nn.linear_weight_grad %dy, %x, %init : tensor<?x2048xbf16>, tensor<?x1024xbf16>, tensor<2048x1024xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_Rows:$x, NN_FloatMatrix:$init);
  let results = (outs NN_FloatMatrix:$dweight);
  let assemblyFormat = "$dy `,` $x `,` $init attr-dict `:` type($dy) `,` type($x) `,` type($init)";
  let hasVerifier = 1;
}

def NN_SumTokensOp : NN_Op<"sum_tokens", [NN_InPlace<"1, 0">, AllTypesMatch<["init", "sum"]>]> {
  let summary = "Sum of rows over the tokens: the gradient of a bias.";
  let description = [{
    `sum[n] = init[n] + sum_t x[t, n]`, float32, t ascending, one chain of additions.

    - `x`: bf16 or float32 [T, N], the rows.
    - `init`: float32 [N], the sum so far; `sum`: the same with the rows added.

    Example:

    ```mlir
    %db = nn.sum_tokens %dy, %init : tensor<?x2048xbf16>, tensor<2048xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_FloatVector:$init);
  let results = (outs NN_FloatVector:$sum);
  let assemblyFormat = "$x `,` $init attr-dict `:` type($x) `,` type($init)";
  let hasVerifier = 1;
}

def NN_RopeTableOp : NN_Op<"rope_table", [AllTypesMatch<["cos", "sin"]>]> {
  let summary = "Cosine and sine of each token's rotary angles.";
  let description = [{
    `angle[t, i] = float(positions[t]) * inverse_frequencies[i]` in float32; `cos = cos(angle) * attention_factor`,
    likewise `sin`, in float32. Frequencies and factor include the scaling of rope (llama3, yarn), which the import
    computes.

    - `positions`: i32 [T], the position of each token in its sequence.
    - `inverse_frequencies`: float32 [D/2], radians per position, one for each pair of elements of a head.
    - `attention_factor`: float32, multiplies both tables; 1 except for yarn.
    - `cos`, `sin`: float32 [T, D/2].

    Example:

    ```mlir
    %cos, %sin = nn.rope_table %positions {inverse_frequencies = array<f32: 1.0, 0.01>, attention_factor = 1.0 : f32}
        : tensor<?xi32> -> tensor<?x2xf32>
    ```
  }];
  let arguments = (ins NN_IndexVector:$positions, DenseF32ArrayAttr:$inverse_frequencies, F32Attr:$attention_factor);
  let results = (outs NN_FloatMatrix:$cos, NN_FloatMatrix:$sin);
  let assemblyFormat = "$positions attr-dict `:` type($positions) `->` type($cos)";
  let hasVerifier = 1;
}

def NN_RopeOp : NN_Op<"rope", [AllTypesMatch<["x", "y"]>, AllTypesMatch<["cos", "sin"]>]> {
  let summary = "Rotary position embedding of every head.";
  let description = [{
    The row is divided into heads of D elements, twice the number of columns of `cos`. For each head and i < D/2:
    `y[i] = x[i]*cos[i] - x[i+D/2]*sin[i]` and `y[i+D/2] = x[i+D/2]*cos[i] + x[i]*sin[i]`. Products and sum are
    rounded in float32, and the result is rounded to the element type. `inverse` changes the sign of sin, which gives
    the gradient.

    - `x`: bf16 or float32 [T, heads*D], the rows.
    - `cos`, `sin`: float32 [T, D/2], the results of `nn.rope_table`.
    - `inverse`: present for the inverse rotation.
    - `y`: like `x`, the rows rotated.

    Example:

    ```mlir
    %q = nn.rope %p, %cos, %sin : tensor<?x2048xbf16>, tensor<?x64xf32>
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_FloatMatrix:$cos, NN_FloatMatrix:$sin, UnitAttr:$inverse);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$x `,` $cos `,` $sin attr-dict `:` type($x) `,` type($cos)";
  let hasVerifier = 1;
}

def NN_SwigluOp : NN_Op<"swiglu", [SameOperandsAndResultType]> {
  let summary = "silu(gate) * up.";
  let description = [{
    `y = E(E(silu(gate)) * up)` with `silu(g) = g / (1 + exp(-g))` in float32, where exp is the polynomial of the host
    library.

    - `gate`, `up`: bf16 or float32 [T, N], the two halves of the layer.
    - `y`: like `gate`.

    Example:

    ```mlir
    %h = nn.swiglu %gate, %up : tensor<?x3072xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$gate, NN_Rows:$up);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$gate `,` $up attr-dict `:` type($y)";
}

def NN_SwigluGradOp : NN_Op<"swiglu_grad", [SameOperandsAndResultType]> {
  let summary = "Gradients of swiglu.";
  let description = [{
    With `s = 1 / (1 + exp(-gate))`: `dgate = dy * up * s * (1 + gate * (1 - s))`, `dup = dy * gate * s`, in float32, rounded once.

    - `dy`: bf16 or float32 [T, N], the gradient of the result; `gate`, `up`: as in `nn.swiglu`.
    - `dgate`, `dup`: like `dy`, the gradients of the two.

    Example:

    ```mlir
    %dgate, %dup = nn.swiglu_grad %dy, %gate, %up : tensor<?x3072xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$dy, NN_Rows:$gate, NN_Rows:$up);
  let results = (outs NN_Rows:$dgate, NN_Rows:$dup);
  let assemblyFormat = "$dy `,` $gate `,` $up attr-dict `:` type($dy)";
}

def NN_LinearSwigluOp : NN_Op<"linear_swiglu", [AllTypesMatch<["gate", "up"]>]> {
  let summary = "nn.swiglu of two linears on the same rows.";
  let description = [{
    `y = nn.swiglu(nn.linear(x, gate), nn.linear(x, up))` with the same bits: each sum has the order of the separate
    linear, and is rounded to the element type before silu. Only programs for a device contain it
    (`nibble-fuse-launches`).

    - `x`: bf16 or float32 [T, K], the rows; `gate`, `up`: of the same element type, [N, K], the two weights.
    - `y`: [T, N].

    Example:

    ```mlir
    %h = nn.linear_swiglu %x, %wg, %wu : tensor<?x1024xbf16>, tensor<3072x1024xbf16> -> tensor<?x3072xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_Weight:$gate, NN_Weight:$up);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$x `,` $gate `,` $up attr-dict `:` type($x) `,` type($gate) `->` type($y)";
  let hasVerifier = 1;
}

def NN_TakeRowsOp : NN_Op<"take_rows"> {
  let summary = "Selects the rows that an index vector names.";
  let description = [{
    `y[r, :] = x[rows[r], :]`. Rollout computes logits only for the tokens that it samples from.

    - `x`: bf16 or float32 [T, features], all rows.
    - `rows`: i32 [R], row numbers of `x`, in any order; repetitions are allowed.
    - `y`: [R, features], the selected rows.

    Example:

    ```mlir
    %h = nn.take_rows %x, %rows : tensor<?x1024xbf16>, tensor<?xi32> -> tensor<?x1024xbf16>
    ```
  }];
  let arguments = (ins NN_Rows:$x, NN_IndexVector:$rows);
  let results = (outs NN_Rows:$y);
  let assemblyFormat = "$x `,` $rows attr-dict `:` type($x) `,` type($rows) `->` type($y)";
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_NN_NNLAYEROPS
