//===- QATAttributes.td - schemes ------------------------------------------===//

#ifndef NIBBLE_DIALECTS_QAT_QATATTRIBUTES
#define NIBBLE_DIALECTS_QAT_QATATTRIBUTES

include "dialects/QAT/QATDialect.td"

def QAT_Layout : I32EnumAttr<"Layout", "the order of codes in memory", [
    I32EnumAttrCase<"Interchange", 0, "interchange">,
    I32EnumAttrCase<"Host", 1, "host">,
    I32EnumAttrCase<"Hopper", 2, "hopper">
  ]> {
  let cppNamespace = "::nibble::qat";
  let genSpecializedAttr = 0;
}

// An enumerator of lib/Numerics/scheme.h, with the spelling of its table.
class NumericsParameter<string type, string noun> : AttrParameter<"::nibble::numerics::" # type, noun> {
  let parser = "::nibble::qat::parse" # type # "($_parser)";
  let printer = "$_printer << ::nibble::numerics::nameOf($_self)";
}

def KindParameter : NumericsParameter<"Kind", "the grid a weight is put on">;
def ConventionParameter : NumericsParameter<"Convention", "whose rule for scale and decode is followed"> {
  let defaultValue = "::nibble::numerics::Convention::kNibble";
}

class QAT_Attr<string name, string attrMnemonic> : AttrDef<QAT_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def QAT_SchemeAttr : QAT_Attr<"Scheme", "scheme"> {
  let summary = "The format of a quantized weight: grid, group size, convention.";
  let description = [{
    The tables of `lib/Numerics/scheme.h` define the values. The verifier reads them, and `nibble quantize --help`
    prints them.

    - `kind`: the grid, a row of the table of schemes, such as `int4` (N3 to N5).
    - `group_size`: the number of consecutive elements along K that share a scale (N2). It is one of the sizes in the
      scheme's row; 0 is the whole row. A scheme in blocks has one scale for a square of that side.
    - `convention`: the rule for scale and codes, a row of the table of conventions that the scheme lists. `nibble` is
      the default.

    Example:

    ```mlir
    #int4 = #qat.scheme<int4, group_size = 32>
    #theirs = #qat.scheme<int4, group_size = 128, convention = slime>
    ```
  }];
  let parameters = (ins
    KindParameter:$kind,
    "int64_t":$group_size,
    ConventionParameter:$convention
  );
  let assemblyFormat = "`<` $kind `,` `group_size` `=` $group_size (`,` `convention` `=` $convention^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The plain C++ form, which has the arithmetic.
    ::nibble::numerics::Scheme numericsScheme() const { return {getKind(), getGroupSize(), getConvention()}; }
    /// Its row of the table of schemes.
    const ::nibble::numerics::SchemeRow &row() const { return ::nibble::numerics::rowOf(getKind()); }
    int64_t groupsPerRow(int64_t k) const { return numericsScheme().groupsPerRow(k); }
    bool isExact() const { return numericsScheme().isExact(); }
    bool isFixedPoint() const { return numericsScheme().isFixedPoint(); }
  }];
}

#endif // NIBBLE_DIALECTS_QAT_QATATTRIBUTES
