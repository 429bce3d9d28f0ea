//===- HopperTypes.td - rings, tensor maps and targets ------------------------===//

#ifndef NIBBLE_DIALECTS_HOPPER_HOPPERTYPES
#define NIBBLE_DIALECTS_HOPPER_HOPPERTYPES

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"

def Hopper_Dialect : Dialect {
  let name = "hopper";
  let cppNamespace = "::nibble::hopper";
  let summary = "What one SM of an H200 does: rings of stages, warp roles, register-operand matrix instructions.";
  let description = [{
    `nibble-emit-hopper-kernels` turns each `kernel.compute` into `hopper.launch` and a `gpu.func` whose body is arith, scf, nvvm and this
    dialect; `nibble-lower-hopper` turns the body into nvvm and llvm. Values are those of one thread unless an op says otherwise.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

class Hopper_Type<string name, string typeMnemonic> : TypeDef<Hopper_Dialect, name> { let mnemonic = typeMnemonic; }

def Hopper_RingType : Hopper_Type<"Ring", "ring"> {
  let summary = "Stages of shared memory that a producer fills and consumers empty, in turn.";
  let description = [{
    `stages` slots of `bytes` bytes (a multiple of 1024, for swizzled tiles) at a base that is 1024-byte aligned, then for each stage two
    mbarriers of 8 bytes: full, completed by the copies' bytes, and empty, completed by `consumers` arrivals. Use number i
    of the ring is stage i mod `stages`, in phase (i / `stages`) mod 2.

    Example:

    ```mlir
    !hopper.ring<4 x 20480, consumers = 2>
    ```
  }];
  let parameters = (ins "int64_t":$stages, "int64_t":$bytes, "int64_t":$consumers);
  let assemblyFormat = "`<` $stages `x` $bytes `,` `consumers` `=` $consumers `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Shared memory that it takes, barriers included.
    int64_t getTotalBytes() const { return getStages() * (getBytes() + 16); }
  }];
}

def Hopper_TensorMapType : Hopper_Type<"TensorMap", "tensor_map"> {
  let summary = "How the copy engine cuts boxes out of a row-major tensor (PTX ISA, tensors).";
  let description = [{
    128 bytes that the runtime makes at the launch from the buffer's address; in a kernel a pointer to its parameter.
  }];
}

def Hopper_TargetAttr : AttrDef<Hopper_Dialect, "Target"> {
  let mnemonic = "target";
  let summary = "The GPU that the kernels of a module are for.";
  let description = [{
    The value of `kernel.target` on a module. `name` is a GPU that `lib/KnownTargets/gpu.h` knows, and with it come its facts: multiprocessors,
    shared memory, registers, clock, rates, chip and PTX version. `sms` stands where the kernels may use only so many of its
    multiprocessors, as in a MIG instance. The number of multiprocessors decides how a linear is split, and so the order of its sums
    (docs/numerics.md).

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
    /// What is known of it, with the multiprocessors that may be used.
    GpuTarget getFacts() const;
  }];
}

#endif // NIBBLE_DIALECTS_HOPPER_HOPPERTYPES
