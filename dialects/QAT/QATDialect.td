//===- QATDialect.td - what quantization-aware training means --------------===//

#ifndef NIBBLE_DIALECTS_QAT_QATDIALECT
#define NIBBLE_DIALECTS_QAT_QATDIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def QAT_Dialect : Dialect {
  let name = "qat";
  let cppNamespace = "::nibble::qat";
  let summary = "Quantization-aware training, from fake-quant to packed weights.";
  let description = [{
    One definition of the grid (scale, rounding, clamp, decode: rules N1 to N9 of docs/numerics.md) serves training,
    export and rollout. `qat.fake_quant` is by definition `qat.dequantize(qat.quantize(w))`; its gradient is the
    identity. Passes move the quantization into the optimizer update and let matmuls read the packed weight, without
    changing a bit.

    Upstream's `quant` dialect is not used for this: there `dcast(qcast(x))` folds to `x`, the lowering truncates instead
    of rounding, and scales are compile-time constants.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    void registerTypes();
  }];
}

#endif // NIBBLE_DIALECTS_QAT_QATDIALECT
