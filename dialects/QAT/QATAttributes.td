//===- QATAttributes.td - schemes ------------------------------------------===//

#ifndef NIBBLE_DIALECTS_QAT_QATATTRIBUTES
#define NIBBLE_DIALECTS_QAT_QATATTRIBUTES

include "dialects/QAT/QATDialect.td"

def QAT_Kind : I32EnumAttr<"Kind", "the grid a weight is put on", [
    I32EnumAttrCase<"Int4", 0, "int4">,
    I32EnumAttrCase<"Int8", 1, "int8">,
    I32EnumAttrCase<"Fp8", 2, "fp8">
  ]> {
  let cppNamespace = "::nibble::qat";
  let genSpecializedAttr = 0;
}

def QAT_Convention : I32EnumAttr<"Convention", "whose rule for scale and decode is followed", [
    I32EnumAttrCase<"Nibble", 0, "nibble">,
    I32EnumAttrCase<"Slime", 1, "slime">,
    I32EnumAttrCase<"CompressedTensors", 2, "compressed_tensors">
  ]> {
  let cppNamespace = "::nibble::qat";
  let genSpecializedAttr = 0;
}

def QAT_Layout : I32EnumAttr<"Layout", "the order of codes in memory", [
    I32EnumAttrCase<"Interchange", 0, "interchange">,
    I32EnumAttrCase<"Host", 1, "host">,
    I32EnumAttrCase<"Hopper", 2, "hopper">
  ]> {
  let cppNamespace = "::nibble::qat";
  let genSpecializedAttr = 0;
}

def ConventionParameter : EnumParameter<QAT_Convention> {
  let defaultValue = "Convention::Nibble";
}

class QAT_Attr<string name, string attrMnemonic> : AttrDef<QAT_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def QAT_SchemeAttr : QAT_Attr<"Scheme", "scheme"> {
  let summary = "What a quantized weight is: grid, group size, convention.";
  let description = [{
    - `kind`: `int4` (codes -7..7, N3 to N5), `int8` (codes -127..127, scale amax/127) or `fp8` (E4M3 codes, a float32 scale
      amax/448 for each 128x128 block).
    - `group_size`: consecutive elements along K that share a scale (N2): 16, 32, 64, 128, or 0 for the whole row. Of `fp8`
      it is always 128, the side of the block.
    - `convention`: `nibble` (default) rounds the scale to bf16 before it is used, so that training and rollout are the same
      numbers. `slime` keeps a float32 scale in training and rounds it in rollout, as the public stack does, to reproduce its
      mismatch. `compressed_tensors` is the arithmetic of llm-compressor (`lib/Numerics/compressed_tensors.h`): amax / 7.5, the
      code -8, and scale and quotient rounded to the type of the weights. It is for import and export only.

    Example:

    ```mlir
    #int4 = #qat.scheme<int4, group_size = 32>
    #theirs = #qat.scheme<int4, group_size = 128, convention = slime>
    ```
  }];
  let parameters = (ins
    EnumParameter<QAT_Kind>:$kind,
    "int64_t":$group_size,
    ConventionParameter:$convention
  );
  let assemblyFormat = "`<` $kind `,` `group_size` `=` $group_size (`,` `convention` `=` $convention^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Scales of one row of K elements.
    int64_t groupsPerRow(int64_t k) const { return getGroupSize() == 0 ? 1 : (k + getGroupSize() - 1) / getGroupSize(); }
    /// True when the weight trained on and the packed weight are the same numbers, bit for bit.
    bool isExact() const { return getConvention() == Convention::Nibble; }
  }];
}

#endif // NIBBLE_DIALECTS_QAT_QATATTRIBUTES
