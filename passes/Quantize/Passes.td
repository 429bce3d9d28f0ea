//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_QUANTIZE_PASSES
#define NIBBLE_PASSES_QUANTIZE_PASSES

include "mlir/Pass/PassBase.td"

def QuantizePass : Pass<"nibble-quantize", "::mlir::ModuleOp"> {
  let summary = "Inserts fake_quant on the weights of linears that a recipe names.";
  let description = [{
    The pass selects parameters that are weights of an `nn.linear`. The name must match a pattern of `include`, if
    there is one, and no pattern of `exclude`. The patterns `lm_head` and `embed_tokens` are always excluded, unless
    `default-exclude=false`. A linear reads a selected weight through `qat.fake_quant`. Other uses of the parameter,
    such as the embedding of a tied head, keep the unrounded weight.

    A pattern is a regular expression in Python's syntax, searched in the parameter's name
    (`layers.0.mlp.up_proj.weight`). After `re:` it must match from the start of the module's name
    (`layers.0.mlp.up_proj`), as in the ignore lists of compressed-tensors.

    Names are those of the checkpoint: the parameters of a layer function have the names that its callers pass. When
    two calls differ in what they quantize (`exclude="layers\.0\."`), the second kind gets its own copy of the
    function. A weight that is quantized already stays as it is, so one recipe may run after another with another
    scheme.

    A selected parameter with at least two dimensions may stay in full precision, because a product other than a
    linear reads it, or only other ops do. That is a warning at the op, with the reason. A pattern of `exclude` that
    matches only vectors, which are never quantized, is a warning too. With `strict` both are errors.

    Errors are:

    - a group size that does not divide K (N2), with tensor, K and group size;
    - a pattern that matches no parameter, with the names that are close, or only parameters that are not weights of
      linears;
    - a recipe that leaves no weight, or a module without linears, with its parameters;
    - an unknown function, with the existing ones;
    - an unknown scheme, or a malformed expression.

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
               "what to quantize: expressions searched in the parameter's name, or re: and one that its module's name begins with; everything by default">,
    ListOption<"exclude", "exclude", "std::string", "what not to quantize, spelled like include; it wins over include">,
    Option<"defaultExclude", "default-exclude", "bool", /*default=*/"true", "exclude lm_head and embed_tokens as well">,
    Option<"scheme", "scheme", "std::string", /*default=*/"\"int4\"", "a scheme as #qat.scheme names it, or none to quantize nothing; the patterns must match names of the module even then">,
    Option<"groupSize", "group-size", "int64_t", /*default=*/"32",
           "elements along K that share a scale, or 0 for the whole row; ignored by a scheme with one group size">,
    Option<"convention", "convention", "std::string", /*default=*/"\"nibble\"", "the rule for scale and codes, as #qat.scheme or the command line names it">,
    Option<"functionName", "function", "std::string", /*default=*/"\"\"",
           "quantize only in this function and what it calls; empty: everywhere">,
    Option<"strict", "strict", "bool", /*default=*/"false", "makes errors of the warnings about weights that stay in full precision and patterns without effect">,
  ];
  let dependentDialects = ["::nibble::qat::QATDialect"];
}

#endif // NIBBLE_PASSES_QUANTIZE_PASSES
