//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_ROLLOUT_PASSES
#define NIBBLE_PASSES_ROLLOUT_PASSES

include "mlir/Pass/PassBase.td"

def DeriveRolloutPass : Pass<"nibble-derive-rollout", "::mlir::ModuleOp"> {
  let summary = "The rollout function of a model: the same ops with a paged cache and packed weights.";
  let description = [{
    From `function` (tokens, positions, sequences, parameters) -> logits [T, V] makes

    - `@forward(tokens, positions, sequences, pages i32 [S, max], rows i32 [R], parameters, key_cache:<i>, value_cache:<i>)
      -> logits f32 [R, V]`, prefill and decode in one: every `nn.attention` becomes `nn.cache_write` and `nn.paged_attention` with the same
      attributes over a cache of its own, numbered in the order of the model, and after the last of them only the rows that are
      sampled from go on (`nn.take_rows`);
    - `@<layer>_rollout` for each function on the way that attends or quantizes; the training functions stay as they are;
    - `@sample_log_probability(logits, targets, temperature) -> logp, entropy`, the op that training uses;
    - with `sample`, `@sample(logits, temperature, recorded_temperature, bits, filtered, top_k, top_p, min_p) -> tokens, log_kept_mass, status, logp,
      entropy`: `nn.sample`, and that same op on what was drawn. Temperature 0 is greedy; `recorded_temperature` is that of the log-probabilities. A host
      draws with threads of its own (runtime/rollout/sampler.h) and has no kernel for it.

    What becomes of `qat.fake_quant` is chosen by `weights`: `packed` reads a packed argument under the same name (nibble-pack-weights),
    `dequantized` keeps it, `unquantized` drops it (a bf16 rollout of a model trained with QAT).

    Caches are states: results with `nn.output = "key_cache:<i>"` continue in the argument's buffer.

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
  let summary = "Packed arguments instead of fake_quant of arguments.";
  let description = [{
    In `function` and what it calls, `qat.fake_quant` of an argument becomes `qat.dequantize` of a packed argument under the same
    `nn.parameter` name. An argument with other uses as well (the embedding of a tied head) stays, and the packed one stands beside it.
    Functions that others call too are copied.

    Errors: one argument under two schemes; fake_quant of something that is no argument.

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
    Option<"functionName", "function", "std::string", /*default=*/"\"forward\"", "the function to begin with">,
  ];
  let dependentDialects = ["::nibble::qat::QATDialect"];
}

#endif // NIBBLE_PASSES_ROLLOUT_PASSES
