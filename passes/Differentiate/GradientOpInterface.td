//===- GradientOpInterface.td - how an op is differentiated -----------------===//

#ifndef NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE
#define NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE

include "mlir/IR/OpBase.td"

def GradientOpInterface : OpInterface<"GradientOpInterface"> {
  let cppNamespace = "::nibble";
  let description = [{
    The reverse-mode rule of an op: given the gradients of its results, it builds the gradients of its operands as IR.

    A rule reads what arrived with `gradients.of(result)`, asks `gradients.isNeeded(operand)` before it builds anything, and delivers with
    `gradients.add(operand, value)`, or with `gradients.accumulate(operand, build)` where an op exists that continues a running sum (the
    `init` of nn.linear_weight_grad and its like).

    Rules are external models (`*Gradients.cpp`), so that dialects know nothing of differentiation.
  }];
  let methods = [
    InterfaceMethod<
      /*desc=*/[{
        Builds the gradients of the operands at `builder`. Called only when a gradient arrived at some result and some operand needs one.
        Failure, after an error on the op, when the op cannot be differentiated in this form.
      }],
      "::llvm::LogicalResult", "buildGradients", (ins "::mlir::OpBuilder &":$builder, "::nibble::Gradients &":$gradients)>,
    InterfaceMethod<
      /*desc=*/[{
        The operand whose gradient is the result's gradient, unchanged (N8: straight-through); null for every other op. Gradients of the
        result are then accumulated for the operand at once, in its precision.
      }],
      "::mlir::Value", "getIdentityOperand", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return {};">,
    InterfaceMethod<
      /*desc=*/[{
        True when the rule also builds the gradients of values from outside that the op's regions read. Otherwise an op that reads such a
        value is refused.
      }],
      "bool", "servesCaptured", (ins), /*methodBody=*/"", /*defaultImplementation=*/"return false;">
  ];
}

#endif // NIBBLE_PASSES_DIFFERENTIATE_GRADIENTOPINTERFACE
