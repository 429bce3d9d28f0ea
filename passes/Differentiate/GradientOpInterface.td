//===- GradientOpInterface.td - how an op is differentiated -----------------===//

#ifndef NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE
#define NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE

include "mlir/IR/OpBase.td"

def GradientOpInterface : OpInterface<"GradientOpInterface"> {
  let cppNamespace = "::nibble";
  let description = [{
    The reverse-mode rule of an op. From the gradients of the op's results it builds the gradients of its operands as
    IR.

    A rule reads the gradient of a result with `gradients.of(result)`, and asks `gradients.isNeeded(operand)` before
    it builds anything. It delivers a gradient with `gradients.add(operand, value)`. If an op can continue a running
    sum (the `init` of nn.linear_weight_grad and the like), the rule uses `gradients.accumulate(operand, build)`.

    Rules are external models (`*Gradients.cpp`), so that dialects do not depend on differentiation.
  }];
  let methods = [
    InterfaceMethod<
      /*desc=*/[{
        Builds the gradients of the operands at `builder`. Called only when some result has a gradient and some
        operand needs one. Fails, after an error on the op, when the op cannot be differentiated in this form.
      }],
      "::llvm::LogicalResult", "buildGradients", (ins "::mlir::OpBuilder &":$builder, "::nibble::Gradients &":$gradients)>,
    InterfaceMethod<
      /*desc=*/[{
        The operand whose gradient equals the result's gradient (N8: straight-through); null for every other op.
        Gradients of the result are accumulated for the operand directly, in the operand's precision.
      }],
      "::mlir::Value", "getIdentityOperand", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<
      /*desc=*/[{
        Whether the rule also builds the gradients of outside values that the op's regions read. Otherwise an op that
        reads such a value is rejected.
      }],
      "bool", "servesCaptured", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">
  ];
}

#endif // NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE
