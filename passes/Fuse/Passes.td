//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_FUSE_PASSES
#define NIBBLE_PASSES_FUSE_PASSES

include "mlir/Pass/PassBase.td"

def FusePass : Pass<"nibble-fuse", "::mlir::ModuleOp"> {
  let summary = "Fuses packed weights and additions into linears, bit for bit the same.";
  let description = [{
    - A linear or its input gradient reads a packed weight itself (`qat.linear`), instead of the result of
      `qat.dequantize`.
    - `qat.fake_quant` of a dequantized weight of its own scheme is the weight (N6).
    - The addition of a residual, or of a bias to every row, moves into the linear's epilogue, which rounds where the
      addition did.
    - Equal ops are computed once.

    Afterwards no free-standing dequantize feeds a matmul.

    Example:

    ```mlir
    %w = qat.dequantize %p : !qat.packed<64x64, #int4, host> -> tensor<64x64xbf16>
    %o = nn.linear %a, %w : tensor<?x64xbf16>, tensor<64x64xbf16> -> tensor<?x64xbf16>
    %x1 = arith.addf %x, %o : tensor<?x64xbf16>
    ```

    becomes

    ```mlir
    %x1 = qat.linear %a, %p residual(%x : tensor<?x64xbf16>) : tensor<?x64xbf16>, !qat.packed<64x64, #int4, host> -> tensor<?x64xbf16>
    ```
  }];
  let dependentDialects = ["::nibble::qat::QATDialect", "::nibble::nn::NNDialect"];
}

#endif // NIBBLE_PASSES_FUSE_PASSES
