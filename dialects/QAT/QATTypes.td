//===- QATTypes.td - packed weights ----------------------------------------===//

#ifndef NIBBLE_DIALECTS_QAT_QATTYPES
#define NIBBLE_DIALECTS_QAT_QATTYPES

include "dialects/QAT/QATAttributes.td"
include "mlir/Dialect/Bufferization/IR/BufferizationTypeInterfaces.td"

def QAT_PackedType : TypeDef<QAT_Dialect, "Packed",
    [DeclareTypeInterfaceMethods<Bufferization_TensorLikeTypeInterface>]> {
  let mnemonic = "packed";
  let summary = "A quantized weight [N, K]: codes and scales in one block of bytes.";
  let description = [{
    A packed weight is one value in the IR and one block of `getBytes()` bytes in memory: first all codes, then all
    scales. Every pass must keep two laws. Two values with the same scheme represent the same numbers if and only if
    `qat.dequantize` gives the same bits for both. A layout is a permutation of the interchange layout with an exact
    inverse.

    The table of schemes (`lib/Numerics/scheme.h`) says how many bits a code has, which bias memory adds to it, and what
    type a scale has. Padding has code 0, so it holds the bias. Where codes of four bits are depends on the layout:

    - `interchange` (N9, compressed-tensors pack-quantized): int32 words [N, ceil(K/8)]. Element i of a row is in bits
      4*(i%8) of word i/8.
    - `host`: int32 words [N, ceil(K/128), 16]. Bits 4*s of word l of block b hold element k = 128*b + 16*s + l, so
      one 64-byte load has eight steps of the sixteen lanes of N11. Elements at k >= K are padding.
    - `hopper`: slabs of 64 rows and 128 columns, [ceil(N/64), ceil(K/128), 4096 bytes]. A slab is in the order in
      which the threads of a warpgroup read their registers (lib/Numerics/fragment.h). Scales are [ceil(N/64),
      ceil(K/128), 64, max(1, 128/group_size)].

    `int4` stores `u = q + 8` with q in -7..7, so u is in 1..15. `qat.quantize` never produces 0.
    Codes of eight bits are the same in every layout: bytes [N, K], integers in two's complement.
    Other scales are [N, ceil(K/group_size)], or one per row when group_size is 0. Those of a scheme in blocks are
    [ceil(N/group_size), ceil(K/group_size)].
  }];
  let parameters = (ins "int64_t":$n, "int64_t":$k, "SchemeAttr":$scheme, EnumParameter<QAT_Layout>:$layout);
  let assemblyFormat = "`<` custom<Extents>($n, $k) `,` $scheme `,` $layout `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The plain C++ form, which has sizes and offsets.
    ::nibble::numerics::PackedLayout numericsLayout() const;
    /// Bytes of the codes; the scales follow at once.
    int64_t getCodeBytes() const { return numericsLayout().codeBytes(); }
    int64_t getScaleBytes() const { return numericsLayout().scaleBytes(); }
    /// Different scales; a layout may hold one in several places.
    int64_t getScaleCount() const { return numericsLayout().scaleCount(); }
    /// Whether codes and scales lie in slabs instead of rows.
    bool inSlabs() const { return numericsLayout().inSlabs(); }
    /// Scales of one row in one slab; only for a layout in slabs.
    int64_t getScalesPerSlabRow() const { return numericsLayout().scalesPerSlabRow(); }
    int64_t getBytes() const { return getCodeBytes() + getScaleBytes(); }
    /// Bytes of the codes of one row; not for a layout in slabs.
    int64_t getCodeRowBytes() const { return getCodeBytes() / getN(); }
  }];
}

#endif // NIBBLE_DIALECTS_QAT_QATTYPES
