//===- KernelOps.td - nn and qat over buffers -------------------------------===//

#ifndef NIBBLE_DIALECTS_KERNEL_KERNELOPS
#define NIBBLE_DIALECTS_KERNEL_KERNELOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::nibble::kernel";
  let summary = "What is to be computed, over buffers: nn and qat between bufferization and a target's code.";
  let description = [{
    After bufferization a `nn` or `qat` op is one `kernel.compute`: its name, its attributes, the buffers it reads and the buffers it
    writes. Each target outlines every distinct one and writes its body: `nibble-emit-host-kernels` for a CPU,
    `nibble-emit-hopper-kernels` for an H200.

    The attribute `kernel.target` of a module says which machine the kernels are for: `#host.target<...>` or `#hopper.target<...>`. Passes that
    write kernels read every fact about the machine from it. Each target's dialect has an attribute of its own, because a CPU and a GPU share
    no fact; a module has one of them, because a program runs in one place.
  }];
  let hasOperationAttrVerify = 1;
}

def Kernel_ComputeOp : Op<Kernel_Dialect, "compute", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "An nn or qat op over buffers.";
  let description = [{
    Reads `inputs`, writes `outputs`. `source` is the tensor op's name, `parameters` its attributes; `input_types` and `output_types` are the
    types its operands and results had as tensors (a packed weight is a row of bytes here; its scheme and extents are in the
    type). An output whose operand was given as the op's `init` holds that value on entry.

    - `source`: the name of the op, as in "nn.rms_norm".
    - `inputs`: the buffers of its operands; `outputs`: those of its results.
    - `parameters`: its attributes.
    - `input_types`, `output_types`: a type for each buffer.

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
  let summary = "A tensor or packed weight, put into the buffer of a state argument.";
  let description = [{
    The result is `value` in the memory of `destination`, whose old content is lost. Upstream's materialize_in_destination knows builtin
    tensors only.

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
