//===- NNLossOps.td - log-probability, sums, optimizer ----------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNLOSSOPS
#define NIBBLE_DIALECTS_NN_NNLOSSOPS

include "dialects/NN/NNBase.td"

def NN_LogProbabilityOp : NN_Op<"log_probability", [AllTypesMatch<["temperature", "logp", "lse", "entropy"]>]> {
  let summary = "Log-probability of a target, log-sum-exp and entropy of each row.";
  let description = [{
    The op computes, in float32 with sums in the order N13:

    - `x = logits / temperature[t]` (IEEE division), `m = max x`, `z = sum16(exp(x - m))`;
    - `lse = m + log(z)`, `logp = x[target] - lse`;
    - `entropy = log(z) - sum16(exp(x - m) * (x - m)) / z`.

    A logit of -infinity has probability 0 and adds nothing to the entropy. Temperatures are positive. Rollout and
    training call this same op on the same bits, which is why their difference is 0. The runtime rejects a target
    outside 0..V-1 before the call.

    - `logits`: float32 [T, V]; `targets`: i32 [T], a token for each row.
    - `temperature`: float32 [T], positive.
    - `logp`, `lse`, `entropy`: float32 [T], in nats.

    Example:

    ```mlir
    %logp, %lse, %entropy = nn.log_probability %logits, %targets, %temperature
        : tensor<?x151936xf32>, tensor<?xi32>, tensor<?xf32>
    ```
  }];
  let arguments = (ins NN_FloatMatrix:$logits, NN_IndexVector:$targets, NN_FloatVector:$temperature);
  let results = (outs NN_FloatVector:$logp, NN_FloatVector:$lse, NN_FloatVector:$entropy);
  let assemblyFormat = "$logits `,` $targets `,` $temperature attr-dict `:` type($logits) `,` type($targets) `,` type($temperature)";
  let hasVerifier = 1;
}

def NN_LogProbabilityGradOp : NN_Op<"log_probability_grad", [
    AllTypesMatch<["temperature", "lse", "entropy", "dlogp", "dentropy"]>, AllTypesMatch<["logits", "dlogits"]>]> {
  let summary = "Gradient of log-probability and entropy with respect to the logits.";
  let description = [{
    With `x = logits / temperature`, `p = exp(x - lse)`:
    `dlogits = (dlogp * (1[v == target] - p) - dentropy * p * (x - lse + entropy)) / temperature`, float32.

    - `dlogp`, `dentropy`: float32 [T], the gradients of the log-probability and of the entropy.
    - `logits`, `targets`, `temperature`: as in `nn.log_probability`; `lse`, `entropy`: its results.
    - `dlogits`: float32 [T, V], the gradient of the logits.

    Example:

    ```mlir
    %dlogits = nn.log_probability_grad %dlogp, %dentropy, %logits, %targets, %temperature, %lse, %entropy
        : tensor<?x151936xf32>, tensor<?xi32>, tensor<?xf32>
    ```
  }];
  let arguments = (ins NN_FloatVector:$dlogp, NN_FloatVector:$dentropy, NN_FloatMatrix:$logits, NN_IndexVector:$targets,
                       NN_FloatVector:$temperature, NN_FloatVector:$lse, NN_FloatVector:$entropy);
  let results = (outs NN_FloatMatrix:$dlogits);
  let assemblyFormat = [{
    $dlogp `,` $dentropy `,` $logits `,` $targets `,` $temperature `,` $lse `,` $entropy attr-dict
    `:` type($logits) `,` type($targets) `,` type($temperature)
  }];
  let hasVerifier = 1;
}

def NN_SampleOp : NN_Op<"sample", [AllTypesMatch<["token", "status"]>, AllTypesMatch<["temperature", "log_kept_mass"]>, AllTypesMatch<["filtered", "top_k"]>,
    AllTypesMatch<["top_p", "min_p"]>]> {
  let summary = "Draws a token for each row of logits (N16).";
  let description = [{
    In row r, with `T = temperature[r] > 0` and `m = max x`, token v has the mass

    `q_v = rne(exp(double(x_v / T) - double(m / T)) * 2^44)`,

    The mass is an integer. Quotients are float32, `exp` is the polynomial of lib/Numerics/sampling.h in double, and
    the mass is 2^44 if `x_v == m`. Sums of masses are exact in 64 bits, in any order. The token is the lowest v with
    `q_0 + ... + q_v > floor(bits[r] * total / 2^64)`, where `bits` is unsigned. T = 0 is greedy: it takes the largest
    logit, and the lowest token among equal ones.

    `filtered` lists the rows with filters, each at most once and never a greedy one. Entry f of `top_k`, `top_p` and
    `min_p` belongs to row `filtered[f]`. Tokens are ranked by logit, largest first, then by token, lowest first. The
    filters apply in this order:

    - `top_k > 0` keeps the first k tokens;
    - `top_p < 1` keeps, of these, the shortest prefix with a mass of at least `clamp(ceil(top_p * double(left)), 1,
      left)`, where `left` is the mass that top_k kept;
    - `min_p` keeps, of these, tokens with a mass of at least `ceil(min_p * 2^44)`.

    Tokens that are not kept have mass 0 in the draw. `log_kept_mass = float(log(double(kept) / double(all)))`, and 0
    for greedy rows.

    `status` is 0, or tells why nothing can be drawn. It is `kind + 4 * token` for the lowest token whose logit is NaN
    (kind 1) or +infinity (kind 2), and 3 when no logit is finite. The row's result `token` is then that token.

    - `logits`: float32 [R, V]; `temperature`: float32 [R], 0 for greedy.
    - `bits`: i64 [R], 64 random bits for each row, read as an unsigned number.
    - `filtered`: i32 [F], the rows with filters; `top_k`: i32 [F]; `top_p`, `min_p`: float64 [F].
    - `token`: i32 [R]; `log_kept_mass`: float32 [R], in nats; `status`: i32 [R].

    Example:

    ```mlir
    %token, %kept, %status = nn.sample %logits, %temperature, %bits, %filtered, %top_k, %top_p, %min_p
        : tensor<?x151936xf32>, tensor<?xf32>, tensor<?xi64>, tensor<?xi32>, tensor<?xf64> -> tensor<?xi32>
    ```
  }];
  let arguments = (ins NN_FloatMatrix:$logits, NN_FloatVector:$temperature, NN_BitsVector:$bits, NN_IndexVector:$filtered,
                       NN_IndexVector:$top_k, NN_DoubleVector:$top_p, NN_DoubleVector:$min_p);
  let results = (outs NN_IndexVector:$token, NN_FloatVector:$log_kept_mass, NN_IndexVector:$status);
  let builders = [OpBuilder<(ins "mlir::ValueRange":$operands), [{
    auto temperature = mlir::cast<mlir::RankedTensorType>(operands[1].getType());
    mlir::Type indices = temperature.clone($_builder.getI32Type());
    build($_builder, $_state, mlir::TypeRange{indices, temperature, indices}, operands);
  }]>];
  let assemblyFormat = [{
    $logits `,` $temperature `,` $bits `,` $filtered `,` $top_k `,` $top_p `,` $min_p attr-dict
    `:` type($logits) `,` type($temperature) `,` type($bits) `,` type($filtered) `,` type($top_p) `->` type($token)
  }];
  let hasVerifier = 1;
}

def NN_SumOp : NN_Op<"sum"> {
  let summary = "Sum of a vector in the order N13.";
  let description = [{
    `sum = sum16(x)`: sixteen lanes ascending, then the fixed tree; float32.

    - `x`: float32 [T]; `sum`: a float32 scalar.

    Example:

    ```mlir
    %loss = nn.sum %terms : tensor<?xf32> -> tensor<f32>
    ```
  }];
  let arguments = (ins NN_FloatVector:$x);
  let results = (outs NN_FloatScalar:$sum);
  let assemblyFormat = "$x attr-dict `:` type($x) `->` type($sum)";
}

def NN_BroadcastOp : NN_Op<"broadcast", [AllTypesMatch<["like", "y"]>]> {
  let summary = "Repeats a scalar in every entry of a vector: the gradient of nn.sum.";
  let description = [{
    `y[t] = x` for every t of `like`.

    - `x`: a float32 scalar; `like`: float32 [T], used only for its length.
    - `y`: float32 [T].

    Example:

    ```mlir
    %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
    ```
  }];
  let arguments = (ins NN_FloatScalar:$x, NN_FloatVector:$like);
  let results = (outs NN_FloatVector:$y);
  let assemblyFormat = "$x `,` $like attr-dict `:` type($x) `,` type($like)";
}

def NN_SquareSumOp : NN_Op<"square_sum", [NN_InPlace<"0, 0">, AllTypesMatch<["init", "sum"]>]> {
  let summary = "Adds the sum of squares of tensors to a running sum, for the gradient norm.";
  let description = [{
    `sum = init + sum over tensors x, in their order, of sum over rows of sum16(x[row]^2)`, float32, rows ascending; a
    vector is one row. The additions form one chain. Without tensors the op folds to `init`.

    - `init`: a float32 scalar, the sum so far; `xs`: float32 tensors of any shapes.
    - `sum`: a float32 scalar.

    Example:

    ```mlir
    %s1 = nn.square_sum %s0, %g, %h : tensor<f32>, tensor<2048x1024xf32>, tensor<1024xf32>
    ```
  }];
  let arguments = (ins NN_FloatScalar:$init, Variadic<NN_FloatTensor>:$xs);
  let results = (outs NN_FloatScalar:$sum);
  let assemblyFormat = "$init (`,` $xs^)? attr-dict `:` type($init) (`,` type($xs)^)?";
  let hasFolder = 1;
}

def NN_AdamWOp : NN_Op<"adamw", [NN_InPlace<"0, 0, 1, 1, 2, 2">, 
    AllTypesMatch<["master", "moment1", "moment2", "gradient", "new_master", "new_moment1", "new_moment2"]>]> {
  let summary = "One AdamW step of one parameter.";
  let description = [{
    `hyper` is float32 [8]: learning rate a, beta1, beta2, epsilon, weight decay d, clip scale c, 1 - beta1^t, 1 -
    beta2^t. The step is AdamW with decoupled decay (Loshchilov and Hutter), in float32 with every operation rounded:

    - `g = gradient * c`;
    - `m' = beta1*m + (1-beta1)*g` and `v' = beta2*v + (1-beta2)*g*g`;
    - `master' = master - a * ((m' / h6) / (sqrt(v' / h7) + epsilon) + d * master)`;
    - `weight = E(master')`.

    It works in place after bufferization.

    - `master`: float32 of any shape, the parameter; `gradient`: like `master`, the sum over the step.
    - `moment1`, `moment2`: like `master`, the running means of the gradient and of its square.
    - `hyper`: float32 [8].
    - `new_master`, `new_moment1`, `new_moment2`: like `master`, after the step.
    - `weight`: bf16 or float32 of the same shape, the value that programs read.

    Example:

    ```mlir
    %p1, %m1, %v1, %w = nn.adamw %p, %m, %v, %g, %hyper : tensor<64x32xf32>, tensor<8xf32> -> tensor<64x32xbf16>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$master, NN_FloatTensor:$moment1, NN_FloatTensor:$moment2, NN_FloatTensor:$gradient,
                       NN_FloatVector:$hyper);
  let results = (outs NN_FloatTensor:$new_master, NN_FloatTensor:$new_moment1, NN_FloatTensor:$new_moment2, NN_Parameter:$weight);
  let assemblyFormat = [{
    $master `,` $moment1 `,` $moment2 `,` $gradient `,` $hyper attr-dict `:` type($master) `,` type($hyper) `->` type($weight)
  }];
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_NN_NNLOSSOPS
