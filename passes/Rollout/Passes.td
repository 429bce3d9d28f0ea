//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_ROLLOUT_PASSES
#define NIBBLE_PASSES_ROLLOUT_PASSES

include "mlir/Pass/PassBase.td"

def DeriveRolloutPass : Pass<"nibble-derive-rollout", "::mlir::ModuleOp"> {
  let summary = "Derives the rollout function of a model: the same ops with a paged cache and packed weights.";
  let description = [{
    The pass makes these functions from `function`: (tokens, positions, sequences, parameters) -> logits [T, V].

    - `@forward(tokens, positions, sequences, pages i32 [S, max], rows i32 [R], parameters, key_cache:<i>,
      value_cache:<i>) -> logits f32 [R, V]` does prefill and decode. Every `nn.attention` becomes `nn.cache_write`
      and `nn.paged_attention` with the same attributes. Each has its own cache, numbered in the order of the model.
      After the last of them only the rows that are sampled from go on (`nn.take_rows`).
    - `@<layer>_rollout` is the copy of a callee that attends or quantizes. The training functions stay as they are.
    - `@sample_log_probability(logits, targets, temperature) -> logp, entropy` is the op that training uses.
    - `@sample(logits, temperature, recorded_temperature, bits, filtered, top_k, top_p, min_p) -> tokens,
      log_kept_mass, status, logp, entropy` is made with `sample`. It is `nn.sample`, followed by the same
      log-probability of the tokens drawn. Temperature 0 is greedy; `recorded_temperature` applies to the
      log-probabilities. A host draws on its own threads (runtime/rollout/sampler.h) and has no kernel for
      `nn.sample`.

    The option `weights` decides what `qat.fake_quant` becomes. `packed` reads a packed argument under the same name
    (nibble-pack-weights). `dequantized` keeps it. `unquantized` drops it, for a bf16 rollout of a model trained with
    QAT.

    Caches are states: a result with `nn.output = "key_cache:<i>"` is stored in the argument's buffer.

    Example: inside a layer,

    ```mlir
    %w4 = qat.fake_quant %wq {scheme = #int4} : tensor<64x64xbf16>
    %a, %lse = nn.attention %q, %k, %v, %positions, %sequences {heads = 2, ...} : ...
    ```

    becomes

    ```mlir
    %w4 = qat.dequantize %wq : !qat.packed<64x64, #int4, host> -> tensor<64x64xbf16>
    %keys1, %values1 = nn.cache_write %k, %v, %keys, %values, %positions, %sequences, %pages : ...
    %a = nn.paged_attention %q, %keys1, %values1, %positions, %sequences, %pages {heads = 2, ...} : ...
    ```
  }];
  let options = [
    Option<"functionName", "function", "std::string", /*default=*/"\"logits\"", "the training forward">,
    Option<"resultName", "name", "std::string", /*default=*/"\"forward\"", "name of the rollout function">,
    Option<"weights", "weights", "std::string", /*default=*/"\"packed\"", "packed, dequantized or unquantized">,
    Option<"pageSize", "page-size", "int64_t", /*default=*/"64", "tokens of a page; a multiple of every kv_block">,
    Option<"sample", "sample", "bool", /*default=*/"false", "derive @sample as well, for a device that draws tokens">,
  ];
  let dependentDialects = ["::nibble::nn::NNDialect", "::nibble::qat::QATDialect"];
}

def PackWeightsPass : Pass<"nibble-pack-weights", "::mlir::ModuleOp"> {
  let summary = "Replaces fake_quant of arguments by packed arguments.";
  let description = [{
    In `function` and its callees, `qat.fake_quant` of an argument becomes `qat.dequantize` of a packed argument with
    the same `nn.parameter` name. An argument with other uses, such as the embedding of a tied head, stays beside the
    packed one. Functions that others call too are copied.

    Errors: an argument with two schemes; fake_quant of a value that is not an argument.

    Example: `--nibble-pack-weights=function=forward` turns

    ```mlir
    func.func @forward(%x: tensor<?x64xbf16>, %w: tensor<32x64xbf16> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
      %w4 = qat.fake_quant %w {scheme = #int4} : tensor<32x64xbf16>
    ```

    into

    ```mlir
    func.func @forward(%x: tensor<?x64xbf16>, %w: !qat.packed<32x64, #int4, host> {nn.parameter = "w"}) -> tensor<?x32xbf16> {
      %w4 = qat.dequantize %w : !qat.packed<32x64, #int4, host> -> tensor<32x64xbf16>
    ```
  }];
  let options = [
    Option<"functionName", "function", "std::string", /*default=*/"\"forward\"", "the function to start from">,
  ];
  let dependentDialects = ["::nibble::qat::QATDialect"];
}

#endif // NIBBLE_PASSES_ROLLOUT_PASSES
