//===- Passes.td - the passes of this stage ----------------------------------===//

#ifndef NIBBLE_PASSES_TARGET_PASSES
#define NIBBLE_PASSES_TARGET_PASSES

include "mlir/Pass/PassBase.td"

def SetTargetPass : Pass<"nibble-set-target", "::mlir::ModuleOp"> {
  let summary = "Sets the machine that the kernels of a module are for.";
  let description = [{
    Sets `kernel.target` on the module to a machine that `lib/KnownTargets` describes. A module that has the attribute
    keeps it. The compiler does not need this pass: it describes the CPU that it runs on, and a GPU by its name.

    Example: `--nibble-set-target=target=h200` gives the module the attribute `kernel.target = #hopper.target<"h200">`.
  }];
  let options = [Option<"target", "target", "std::string", /*default=*/"\"\"", "h200, x86-64-v3 or x86-64-v4">];
  let dependentDialects = ["::nibble::hopper::HopperDialect", "::nibble::host::HostDialect", "::nibble::kernel::KernelDialect"];
}

#endif // NIBBLE_PASSES_TARGET_PASSES
