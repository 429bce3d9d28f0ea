//===- NNLossOps.td - log-probability, sums, optimizer ----------------------===//

#ifndef NIBBLE_DIALECTS_NN_NNLOSSOPS
#define NIBBLE_DIALECTS_NN_NNLOSSOPS

include "dialects/NN/NNBase.td"

def NN_LogProbabilityOp : NN_Op<"log_probability", [AllTypesMatch<["temperature", "logp", "lse", "entropy"]>]> {
  let summary = "Log-probability of a target, log-sum-exp and entropy of each row.";
  let description = [{
    `x = logits / temperature[t]` (IEEE division); `m = max x`, `z = sum16(exp(x - m))`, `lse = m + log(z)`, `logp = x[target] - lse`,
    `entropy = log(z) - sum16(exp(x - m) * (x - m)) / z`, all float32, sums in the order N13. A logit of -infinity has probability 0 and
    adds nothing to the entropy; temperatures are positive. Rollout and training call this same op on the same
    bits: that is why their difference is 0. A target outside 0..V-1 is refused by the runtime before the call.

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

def NN_SumOp : NN_Op<"sum"> {
  let summary = "Sum of a vector in the order N13.";
  let description = [{
    `sum = sum16(x)`: sixteen lanes ascending, then the fixed tree; float32.

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
  let summary = "A scalar for every entry of a vector: the gradient of nn.sum.";
  let description = [{
    `y[t] = x` for every t of `like`.

    Example:

    ```mlir
    %y = nn.broadcast %x, %like : tensor<f32>, tensor<?xf32>
    ```
  }];
  let arguments = (ins NN_FloatScalar:$x, NN_FloatVector:$like);
  let results = (outs NN_FloatVector:$y);
  let assemblyFormat = "$x `,` $like attr-dict `:` type($x) `,` type($like)";
}

def NN_SquareSumOp : NN_Op<"square_sum", [AllTypesMatch<["init", "sum"]>]> {
  let summary = "Sum of squares of a tensor, added to a running sum: for the gradient norm.";
  let description = [{
    `sum = init + sum over rows of sum16(x[row]^2)`, float32, rows ascending; a vector is one row.

    Example:

    ```mlir
    %s1 = nn.square_sum %g, %s0 : tensor<2048x1024xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins NN_FloatTensor:$x, NN_FloatScalar:$init);
  let results = (outs NN_FloatScalar:$sum);
  let assemblyFormat = "$x `,` $init attr-dict `:` type($x) `,` type($init)";
}

def NN_AdamWOp : NN_Op<"adamw", [
    AllTypesMatch<["master", "moment1", "moment2", "gradient", "new_master", "new_moment1", "new_moment2"]>]> {
  let summary = "One AdamW step of one parameter.";
  let description = [{
    `hyper` is float32 [8]: learning rate a, beta1, beta2, epsilon, weight decay d, clip scale c, 1 - beta1^t, 1 - beta2^t.
    `g = gradient * c`; `m' = beta1*m + (1-beta1)*g`; `v' = beta2*v + (1-beta2)*g*g`;
    `master' = master - a * ((m' / h6) / (sqrt(v' / h7) + epsilon) + d * master)`; `weight = E(master')`. float32, every operation rounded
    (Loshchilov and Hutter, decoupled decay). In place after bufferization.

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
