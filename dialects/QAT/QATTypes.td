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
    One value in the IR, one block of `getBytes()` bytes in memory: first all codes, then all scales. The law every pass
    keeps: two values of this type with the same scheme stand for the same numbers if and only if `qat.dequantize` gives the
    same bits for both; a layout is a permutation of the interchange layout with an exact inverse.

    - Range: `int4` stores `u = q + 8` with q in -7..7, so u in 1..15. 0 is never produced by `qat.quantize`; padding is 8.
    - `interchange` (N9, compressed-tensors pack-quantized): int32 words [N, ceil(K/8)], element i of a row in bits 4*(i%8) of
      word i/8.
    - `host`: int32 words [N, ceil(K/128), 16]; bits 4*s of word l of block b hold element k = 128*b + 16*s + l. One 64-byte load is
      eight steps of the sixteen lanes of N11. Elements at k >= K are padding.
    - `hopper`: slabs of 64 rows and 128 columns, each in the order in which the threads of a warpgroup read their registers
      (lib/Numerics/fragment.h), [ceil(N/64), ceil(K/128), 4096 bytes]; scales beside, [ceil(N/64), ceil(K/128), 64, max(1,
      128/group_size)].
    - `int8`: bytes [N, K], two's complement; `fp8`: bytes [N, K], E4M3. The same in every layout.
    - Scales of the others: bf16 [N, ceil(K/group_size)] (one per row when group_size is 0); `fp8`: float32 [ceil(N/128), ceil(K/128)].
  }];
  let parameters = (ins "int64_t":$n, "int64_t":$k, "SchemeAttr":$scheme, EnumParameter<QAT_Layout>:$layout);
  let assemblyFormat = "`<` custom<Extents>($n, $k) `,` $scheme `,` $layout `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same in plain C++, which has the sizes and places.
    ::nibble::numerics::PackedLayout numericsLayout() const;
    /// Bytes of the codes; the scales follow at once.
    int64_t getCodeBytes() const { return numericsLayout().codeBytes(); }
    int64_t getScaleBytes() const { return numericsLayout().scaleBytes(); }
    /// Different scales; a layout may hold one in several places.
    int64_t getScaleCount() const { return numericsLayout().scaleCount(); }
    /// Codes and scales lie in slabs, not in rows.
    bool inSlabs() const { return numericsLayout().inSlabs(); }
    /// Of a layout in slabs: scales of a row in one of them.
    int64_t getScalesPerSlabRow() const { return numericsLayout().scalesPerSlabRow(); }
    int64_t getBytes() const { return getCodeBytes() + getScaleBytes(); }
    /// Bytes of the codes of one row; not of slabs.
    int64_t getCodeRowBytes() const { return getCodeBytes() / getN(); }
  }];
}

#endif // NIBBLE_DIALECTS_QAT_QATTYPES
