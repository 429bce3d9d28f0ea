//===- HopperTypes.td - rings, tensor maps and targets ------------------------===//

#ifndef NIBBLE_DIALECTS_HOPPER_HOPPERTYPES
#define NIBBLE_DIALECTS_HOPPER_HOPPERTYPES

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Hopper_Dialect : Dialect {
  let name = "hopper";
  let cppNamespace = "::nibble::hopper";
  let summary = "Operations of one SM of an H200: rings of stages, warp roles, register-operand matrix instructions.";
  let description = [{
    `nibble-emit-hopper-kernels` turns each `kernel.compute` into `hopper.launch` and a `gpu.func` whose body consists
    of arith, scf, nvvm and this dialect. `nibble-lower-hopper` turns the body into nvvm and llvm. A value belongs to
    one thread unless an op says otherwise.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Hopper_Type<string name, string typeMnemonic> : TypeDef<Hopper_Dialect, name> { let mnemonic = typeMnemonic; }

def Hopper_RingType : Hopper_Type<"Ring", "ring"> {
  let summary = "A ring of stages in shared memory that a producer fills and consumers empty.";
  let description = [{
    The ring has `stages` slots of `bytes` bytes each, a multiple of 1024 for swizzled tiles. Its base is aligned to
    1024 bytes. Behind the slots each stage has two mbarriers of 8 bytes. The full barrier completes with the bytes of
    the copies, the empty barrier with `consumers` arrivals. Use number i of the ring is stage i mod `stages`, in
    phase (i / `stages`) mod 2.

    Example:

    ```mlir
    !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let parameters = (ins "int64_t":$stages, "int64_t":$bytes, "int64_t":$consumers);
  let assemblyFormat = "`<` $stages `x` $bytes `,` `consumers` `=` $consumers `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of shared memory, barriers included.
    int64_t getTotalBytes() const { return getStages() * (getBytes() + 16); }
  }];
}

def Hopper_TensorMapType : Hopper_Type<"TensorMap", "tensor_map"> {
  let summary = "Describes to the copy engine how to cut boxes out of a row-major tensor (PTX ISA, tensors).";
  let description = [{
    The runtime makes the map, 128 bytes, at the launch from the buffer's address. In a kernel it is a pointer to the
    parameter.
  }];
}

def Hopper_TargetAttr : AttrDef<Hopper_Dialect, "Target"> {
  let mnemonic = "target";
  let summary = "The GPU that the kernels of a module are for.";
  let description = [{
    The value of `kernel.target` on a module. `name` is a GPU of `lib/KnownTargets/gpu.h`, which gives its facts:
    multiprocessors, shared memory, registers, clock, rates, chip and PTX version. `sms` limits the kernels to that
    many multiprocessors, as in a MIG instance. The number of multiprocessors decides how a linear is split, and so
    the order of its sums (docs/numerics.md).

    Example:

    ```mlir
    module attributes {kernel.target = #hopper.target<"h200">} {}
    module attributes {kernel.target = #hopper.target<"h200", sms = 60>} {}
    ```
  }];
  let parameters = (ins StringRefParameter<"a GPU of lib/KnownTargets/gpu.h">:$name, OptionalParameter<"int64_t", "0: all">:$sms);
  let assemblyFormat = "`<` $name (`,` `sms` `=` $sms^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The facts of the GPU, with the number of multiprocessors that may be used.
    GpuTarget getFacts() const;
  }];
}

#endif // NIBBLE_DIALECTS_HOPPER_HOPPERTYPES
