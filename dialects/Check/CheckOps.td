//===- CheckOps.td - assertions that tests execute ---------------------------===//

#ifndef NIBBLE_DIALECTS_CHECK_CHECKOPS
#define NIBBLE_DIALECTS_CHECK_CHECKOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Check_Dialect : Dialect {
  let name = "check";
  let cppNamespace = "::nibble::check";
  let summary = "Assertions that tests execute. A program with a failed assertion fails and says where.";
  let description = [{
    A check compares two tensors while the program runs. A failed check is recorded with the op's location, and the
    program continues, so that one run reports every failure. `nibble-run` prints the failures and exits with 1.
    Bufferization turns the operands into buffers, and `nibble-lower-checks` turns the op into a call of the runtime
    (runtime/core/program/check.h).
  }];
}

defvar Check_Elements = [F32, BF16, F64, I32, I8, I64, I1];
// A tensor, or its buffer after bufferization.
def Check_Operand : AnyTypeOf<[RankedTensorOf<Check_Elements>, MemRefOf<Check_Elements>]>;

// It writes the record of failures, so it is never dead code.
class Check_Op<string name> : Op<Check_Dialect, name, [SameTypeOperands, MemoryEffects<[MemRead, MemWrite]>]>;

def Check_ExpectEqOp : Check_Op<"expect_eq"> {
  let summary = "Checks that two tensors hold the same bits.";
  let description = [{
    Fails unless the shapes and all bits agree, so -0 differs from 0, and a NaN equals itself. The failure names the
    first element that differs and the number of such elements.

    - `actual`, `expected`: tensors, or buffers, of one element type and rank.

    Example:

    ```mlir
    check.expect_eq %train, %rollout : tensor<?xf32>
    ```
  }];
  let arguments = (ins Check_Operand:$actual, Check_Operand:$expected);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
}

def Check_ExpectCloseOp : Check_Op<"expect_close"> {
  let summary = "Checks that two tensors are close, in a stated unit.";
  let description = [{
    Fails unless every element is within `ulp` units in the last place of the element type, or the whole tensor within
    `relative` of `|actual - expected| / |expected|` (Euclidean norms). At least one bound is given, and each given
    bound must hold. NaN never passes.

    - `actual`, `expected`: tensors, or buffers, of one element type and rank.
    - `ulp`: a whole number of units in the last place; `relative`: a quotient of norms, without a unit.

    Example:

    ```mlir
    check.expect_close %a, %b {ulp = 2 : i64} : tensor<8x16xbf16>
    check.expect_close %a, %b {relative = 1.0e-5 : f64} : tensor<8x16xf32>
    ```
  }];
  let arguments = (ins Check_Operand:$actual, Check_Operand:$expected, OptionalAttr<I64Attr>:$ulp, OptionalAttr<F64Attr>:$relative);
  let assemblyFormat = "$actual `,` $expected attr-dict `:` type($actual)";
  let hasVerifier = 1;
}

#endif // NIBBLE_DIALECTS_CHECK_CHECKOPS
