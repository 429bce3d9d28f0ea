//===- CheckOps.td - assertions that tests execute ---------------------------===//

#ifndef NIBBLE_DIALECTS_CHECK_CHECKOPS
#define NIBBLE_DIALECTS_CHECK_CHECKOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Check_Dialect : Dialect {
  let name = "check";
  let cppNamespace = "::nibble::check";
  let summary = "Assertions that a test executes: a program fails, and says where, when one does not hold.";
}

def Check_Tensor : RankedTensorOf<[F32, BF16, F64, I32, I8, I64, I1]>;

def Check_ExpectEqOp : Op<Check_Dialect, "expect_eq", [SameTypeOperands]> {
  let summary = "Two tensors hold the same bits.";
  let description = [{
    Fails, naming the first element that differs and how many do, unless shapes and all bits agree (so -0 is not 0, and a NaN is
    equal to itself).

    Example:

    ```mlir
    check.expect_eq %train, %rollout : tensor<?xf32>
    ```
  }];
  let arguments = (ins Check_Tensor:$actual, Check_Tensor:$expected);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
}

def Check_ExpectCloseOp : Op<Check_Dialect, "expect_close", [SameTypeOperands]> {
  let summary = "Two tensors are close, in a stated unit.";
  let description = [{
    Fails unless every element is within `ulp` units in the last place of the element type, or the whole tensor within `relative` of
    `|actual - expected| / |expected|` (Euclidean norms). At least one is given; each that is given must hold. NaN never passes.

    Example:

    ```mlir
    check.expect_close %a, %b {ulp = 2 : i64} : tensor<8x16xbf16>
    check.expect_close %a, %b {relative = 1.0e-5 : f64} : tensor<8x16xf32>
    ```
  }];
  let arguments = (ins Check_Tensor:$actual, Check_Tensor:$expected, OptionalAttr<I64Attr>:$ulp, OptionalAttr<F64Attr>:$relative);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_CHECK_CHECKOPS
