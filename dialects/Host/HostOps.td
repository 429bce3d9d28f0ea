//===- HostOps.td - what a CPU does ------------------------------------------===//

#ifndef NIBBLE_DIALECTS_HOST_HOSTOPS
#define NIBBLE_DIALECTS_HOST_HOSTOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Host_Dialect : Dialect {
  let name = "host";
  let cppNamespace = "::nibble::host";
  let summary = "The CPU target, and lane operations that upstream's vector dialect lacks.";
  let useDefaultAttributePrinterParser = 1;
}

def Host_TargetAttr : AttrDef<Host_Dialect, "Target"> {
  let mnemonic = "target";
  let summary = "The CPU that the kernels of a module are for.";
  let description = [{
    The value of `kernel.target` on a module. `cpu` is LLVM's name of the CPU. The other figures decide tiles and
    instructions, never bits:

    - `vector_registers`: architectural vector registers;
    - `vector_floats`: float32 values in one register: 16, 8, or 4 for a CPU without the lane permutes of AVX2;
    - `l1_bytes`, `l2_bytes`: bytes of a core's first-level data cache and of its second-level cache.

    Example:

    ```mlir
    module attributes {kernel.target = #host.target<cpu = "x86-64-v3", vector_registers = 16, vector_floats = 8, l1_bytes = 32768, l2_bytes = 1048576>} {}
    ```
  }];
  let parameters = (ins StringRefParameter<"LLVM's name">:$cpu, "int64_t":$vector_registers, "int64_t":$vector_floats, "int64_t":$l1_bytes,
                        "int64_t":$l2_bytes);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    static TargetAttr get(::mlir::MLIRContext *context, const CpuTarget &facts);
    CpuTarget getFacts() const;
  }];
}

def Host_LaneLookupOp : Op<Host_Dialect, "lane_lookup", [Pure, AllTypesMatch<["table", "y"]>]> {
  let summary = "Each lane looks up an entry of a sixteen-entry table.";
  let description = [{
    `y[l] = table[index[l] mod 16]`. This takes one permute on a CPU with sixteen-entry permutes (AVX-512), two
    permutes and a blend with AVX2, and extracts elsewhere. The bits are the same everywhere.

    - `table`: sixteen float32 values; `index`: sixteen i32, of which the four low bits count.
    - `y`: sixteen float32 values.

    Example:

    ```mlir
    %w = host.lane_lookup %table, %codes : vector<16xf32>, vector<16xi32>
    ```
  }];
  let arguments = (ins VectorOfLengthAndType<[16], [F32]>:$table, VectorOfLengthAndType<[16], [I32]>:$index);
  let results = (outs VectorOfLengthAndType<[16], [F32]>:$y);
  let assemblyFormat = "$table `,` $index attr-dict `:` type($table) `,` type($index)";
}

#endif // NIBBLE_DIALECTS_HOST_HOSTOPS
