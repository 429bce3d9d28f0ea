//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_TARGET_PASSES
#define NIBBLE_PASSES_TARGET_PASSES

include "mlir/Pass/PassBase.td"

def SetTargetPass : Pass<"nibble-set-target", "::mlir::ModuleOp"> {
  let summary = "Say which machine the kernels of a module are for.";
  let description = [{
    Puts `kernel.target` on the module, with what `lib/KnownTargets` knows of the machine. A module that has the attribute keeps it. The
    compiler itself does not need this pass: it describes the CPU that it runs on, and a GPU by the name it was given.

    Example: `--nibble-set-target=target=h200` gives the module the attribute `kernel.target = #hopper.target<"h200">`.
  }];
  let options = [Option<"target", "target", "std::string", /*default=*/"\"\"", "h200, x86-64-v3 or x86-64-v4">];
  let dependentDialects = ["::nibble::hopper::HopperDialect", "::nibble::host::HostDialect", "::nibble::kernel::KernelDialect"];
}

#endif // NIBBLE_PASSES_TARGET_PASSES
