//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_QUANTIZE_PASSES
#define NIBBLE_PASSES_QUANTIZE_PASSES

include "mlir/Pass/PassBase.td"

def QuantizePass : Pass<"nibble-quantize", "::mlir::ModuleOp"> {
  let summary = "Put fake_quant on the weights of linears that a recipe names.";
  let description = [{
    The weight of an `nn.linear` that is a parameter whose name matches a pattern of `include` (all do when there is none) and none of
    `exclude` is read through `qat.fake_quant` from then on; where both match, `exclude` wins. The patterns `lm_head` and `embed_tokens` are
    always among those of `exclude`, unless `default-exclude=false`. Other uses of the parameter (the embedding of a tied head) keep the
    unrounded weight.

    A pattern is a regular expression in Python's syntax, searched in the parameter's name (`layers.0.mlp.up_proj.weight`). After `re:` it
    must match from the start of the module's name (`layers.0.mlp.up_proj`), as in the ignore lists of compressed-tensors.

    Names are the checkpoint's: a layer function is judged by the parameters that its callers pass. Where two calls differ in what
    they quantize (`exclude="layers\.0\."`), the second kind gets its own copy of the function. A weight that is quantized already
    stays as it is, so one recipe may run after another with another scheme.

    A parameter of two dimensions or more that the recipe names and that some product or nothing but other ops read in full precision is a
    warning at that op, with the reason. So is a pattern of `exclude` that matches only vectors, which are never quantized. With `strict` both are errors.

    Errors: a group size that does not divide K (N2, naming tensor, K and group size); a pattern that matches no parameter (with the
    names that are close) or only what is not the weight of a linear; a recipe that leaves no weight; a module without linears (with its
    parameters); a function that there is not (with those that there are); an unknown scheme; a malformed expression.

    Example: `--nibble-quantize="include=mlp group-size=32"` turns

    ```mlir
    %y = nn.linear %x, %w : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
    ```

    into

    ```mlir
    %w4 = qat.fake_quant %w {scheme = #qat.scheme<int4, group_size = 32>} : tensor<128x64xbf16>
    %y = nn.linear %x, %w4 : tensor<?x64xbf16>, tensor<128x64xbf16> -> tensor<?x128xbf16>
    ```
  }];
  let options = [
    ListOption<"include", "include", "std::string",
               "what to quantize: expressions searched in the parameter's name, or re: and one that its module's name begins with; none: everything">,
    ListOption<"exclude", "exclude", "std::string", "what not to, like include and stronger">,
    Option<"defaultExclude", "default-exclude", "bool", /*default=*/"true", "leave lm_head and embed_tokens out, beside what exclude names">,
    Option<"scheme", "scheme", "std::string", /*default=*/"\"int4\"", "a scheme as #qat.scheme names it, or none to leave the module alone, whose names the patterns must fit all the same">,
    Option<"groupSize", "group-size", "int64_t", /*default=*/"32",
           "elements along K that share a scale, or 0 for the whole row; a scheme of one group size has that whatever this says">,
    Option<"convention", "convention", "std::string", /*default=*/"\"nibble\"", "whose rule for scale and codes, as #qat.scheme or the command line names it">,
    Option<"functionName", "function", "std::string", /*default=*/"\"\"",
           "quantize only in this function and what it calls; empty: everywhere">,
    Option<"strict", "strict", "bool", /*default=*/"false", "what is named and stays in full precision, and a pattern without effect, is an error, not a warning">,
  ];
  let dependentDialects = ["::nibble::qat::QATDialect"];
}

#endif // NIBBLE_PASSES_QUANTIZE_PASSES
