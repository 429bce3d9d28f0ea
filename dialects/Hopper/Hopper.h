// The hopper dialect: operations of one SM. See the generated page
// docs/dialects/hopper.md.
#pragma once

#include "lib/KnownTargets/gpu.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Hopper/HopperDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Hopper/HopperAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Hopper/HopperTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Hopper/HopperOps.h.inc"

namespace nibble::hopper {

// On a gpu.func: threads of a block, bytes of dynamic shared memory, and blocks
// of a cluster.
inline constexpr llvm::StringLiteral kThreadsAttr = "hopper.threads";
inline constexpr llvm::StringLiteral kSharedBytesAttr = "hopper.shared_bytes";
inline constexpr llvm::StringLiteral kClusterAttr = "hopper.cluster";
// On a gpu.func: blocks that share an SM, which limits the registers of a
// thread; 1 when absent.
inline constexpr llvm::StringLiteral kBlocksPerSMAttr = "hopper.blocks_per_sm";
// On a gpu.func: it may begin before the previous kernel has ended. It waits
// for that kernel itself.
inline constexpr llvm::StringLiteral kOverlapAttr = "hopper.overlap";
// On an argument of a gpu.func: the argument is a tensor map.
inline constexpr llvm::StringLiteral kTensorMapAttr = "hopper.tensor_map";
// On a gpu.func: its last argument points to a table of this many values of
// eight bytes each, which is part of the kernel's parameters. The pointer is
// generic.
inline constexpr llvm::StringLiteral kTableAttr = "hopper.table";
// On a gpu.func: a dictionary for the kernel report (tile, stages, splits).
inline constexpr llvm::StringLiteral kReportAttr = "hopper.report";

// On a linear: overrides of the cost model's choices. Splits decide bits, so
// training and rollout must get the same.
inline constexpr llvm::StringLiteral kTileAttr = "hopper.tile";
inline constexpr llvm::StringLiteral kStagesAttr = "hopper.stages";
inline constexpr llvm::StringLiteral kSplitsAttr = "hopper.splits";

// The three attributes of an op; 0 when it does not have one.
struct LinearChoices {
  int64_t tile = 0;
  int64_t stages = 0;
  int64_t splits = 0;

  static LinearChoices of(mlir::DictionaryAttr attributes) {
    auto read = [&](llvm::StringRef name) {
      auto attribute = attributes.getAs<mlir::IntegerAttr>(name);
      return attribute ? attribute.getInt() : 0;
    };
    return {read(kTileAttr), read(kStagesAttr), read(kSplitsAttr)};
  }
};

// The architecture of every Hopper GPU; the dialect serves no other.
inline constexpr const GpuArchitecture &kArchitecture = kSm90a;

} // namespace nibble::hopper
