//===- HostOps.td - what a CPU does ------------------------------------------===//

#ifndef NIBBLE_DIALECTS_HOST_HOSTOPS
#define NIBBLE_DIALECTS_HOST_HOSTOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Host_Dialect : Dialect {
  let name = "host";
  let cppNamespace = "::nibble::host";
  let summary = "What a CPU does: kernels over buffers, and the lane operations that upstream's vector dialect does not name.";
  let description = [{
    Between bufferization and loops a `nn` or `qat` op is one `host.kernel`: its name, its attributes, the buffers it reads and
    the buffers it writes. `nibble-emit-host-kernels` outlines each distinct kernel once and writes its body in `scf`, `vector`, `arith`.
  }];
}

def Host_KernelOp : Op<Host_Dialect, "kernel", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "An nn or qat op over buffers.";
  let description = [{
    Reads `inputs`, writes `outputs`. `source` is the tensor op's name, `parameters` its attributes; `input_types` and `output_types` are the
    types its operands and results had as tensors (a packed weight is a row of bytes here; its scheme and extents are in the
    type). An output whose operand was given as the op's `init` holds that value on entry.

    Example:

    ```mlir
    host.kernel "nn.rms_norm" ins(%x, %w : memref<?x64xbf16>, memref<64xbf16>) outs(%y : memref<?x64xbf16>)
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

def Host_LaneLookupOp : Op<Host_Dialect, "lane_lookup", [Pure, AllTypesMatch<["table", "y"]>]> {
  let summary = "Each lane picks an entry of a sixteen-entry table.";
  let description = [{
    `y[l] = table[index[l] mod 16]`. One permute where the CPU has sixteen-entry permutes (AVX-512), two and a blend with AVX2, and
    extracts elsewhere; the same bits everywhere.

    Example:

    ```mlir
    %w = host.lane_lookup %table, %codes : vector<16xf32>, vector<16xi32>
    ```
  }];
  let arguments = (ins VectorOfLengthAndType<[16], [F32]>:$table, VectorOfLengthAndType<[16], [I32]>:$index);
  let results = (outs VectorOfLengthAndType<[16], [F32]>:$y);
  let assemblyFormat = "$table `,` $index attr-dict `:` type($table) `,` type($index)";
}

def Host_WriteStateOp : Op<Host_Dialect, "write_state", [Pure, AllTypesMatch<["value", "destination", "result"]>]> {
  let summary = "A tensor or packed weight, put into the buffer of a state argument.";
  let description = [{
    The result is `value` in the memory of `destination`, whose old content is lost. Upstream's materialize_in_destination knows builtin
    tensors only.

    Example:

    ```mlir
    %1 = host.write_state %w, %state : tensor<64x64xbf16>
    ```
  }];
  let arguments = (ins AnyType:$value, AnyType:$destination);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$value `,` $destination attr-dict `:` type($value)";
}

#endif // NIBBLE_DIALECTS_HOST_HOSTOPS
