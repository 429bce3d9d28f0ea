//===- KernelOps.td - nn and qat over buffers -------------------------------===//

#ifndef NIBBLE_DIALECTS_KERNEL_KERNELOPS
#define NIBBLE_DIALECTS_KERNEL_KERNELOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::nibble::kernel";
  let summary = "nn and qat ops on buffers, between bufferization and the code of a target.";
  let description = [{
    After bufferization an `nn` or `qat` op is one `kernel.compute`: its name, its attributes, the buffers it reads
    and the buffers it writes. Each target outlines every distinct one and writes its body: `nibble-emit-host-kernels`
    for a CPU, `nibble-emit-hopper-kernels` for an H200.

    The attribute `kernel.target` of a module names the machine that the kernels are for: `#host.target<...>` or
    `#hopper.target<...>`. Passes that write kernels read every fact about the machine from it. Each target's dialect
    has its own attribute, because a CPU and a GPU share no fact. A module has one target, because a program runs in
    one place.
  }];
  let hasOperationAttrVerify = 1;
}

def Kernel_ComputeOp : Op<Kernel_Dialect, "compute", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "An nn or qat op on buffers.";
  let description = [{
    Reads `inputs` and writes `outputs`. An output whose operand was the op's `init` holds that value on entry. A
    packed weight is an array of bytes here; its scheme and extents are in its type.

    - `source`: the name of the op, as in "nn.rms_norm".
    - `inputs`: the buffers of its operands; `outputs`: those of its results.
    - `parameters`: its attributes.
    - `input_types`, `output_types`: the type that the value of each buffer had as a tensor or packed weight.

    Example:

    ```mlir
    kernel.compute "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
        {parameters = {epsilon = 1.0e-6 : f32}, input_types = [tensor<?x64xbf16>, tensor<64xbf16>], output_types = [tensor<?x64xbf16>]}
    ```
  }];
  let arguments = (ins StrAttr:$source, Variadic<AnyMemRef>:$inputs, Variadic<AnyMemRef>:$outputs, DictionaryAttr:$parameters,
                       TypeArrayAttr:$input_types, TypeArrayAttr:$output_types);
  let assemblyFormat = [{
    $source `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` ($outputs^ `:` type($outputs))? `)` attr-dict
  }];
  let hasVerifier = 1;
}

def Kernel_WriteStateOp : Op<Kernel_Dialect, "write_state", [Pure, AllTypesMatch<["value", "destination", "result"]>]> {
  let summary = "Writes a tensor or packed weight into the buffer of a state argument.";
  let description = [{
    The result is `value` in the memory of `destination`, whose old content is lost. Upstream's
    materialize_in_destination supports builtin tensors only.

    - `value`: a tensor or a packed weight; `destination`: the state argument, of the same type.
    - `result`: of the same type, the value in its new place.

    Example:

    ```mlir
    %1 = kernel.write_state %w, %state : tensor<64x64xbf16>
    ```
  }];
  let arguments = (ins AnyType:$value, AnyType:$destination);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$value `,` $destination attr-dict `:` type($value)";
}

#endif // NIBBLE_DIALECTS_KERNEL_KERNELOPS
