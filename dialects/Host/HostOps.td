//===- HostOps.td - what a CPU does ------------------------------------------===//

#ifndef NIBBLE_DIALECTS_HOST_HOSTOPS
#define NIBBLE_DIALECTS_HOST_HOSTOPS

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Host_Dialect : Dialect {
  let name = "host";
  let cppNamespace = "::nibble::host";
  let summary = "What a CPU does: the lane operations that upstream's vector dialect does not name.";
}

def Host_LaneLookupOp : Op<Host_Dialect, "lane_lookup", [Pure, AllTypesMatch<["table", "y"]>]> {
  let summary = "Each lane picks an entry of a sixteen-entry table.";
  let description = [{
    `y[l] = table[index[l] mod 16]`. One permute where the CPU has sixteen-entry permutes (AVX-512), two and a blend with AVX2, and
    extracts elsewhere; the same bits everywhere.

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
