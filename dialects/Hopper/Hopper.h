// The hopper dialect: what one SM does. See the generated page
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

// On a gpu.func: threads of a block, bytes of dynamic shared memory, blocks of
// a cluster.
inline constexpr llvm::StringLiteral kThreadsAttr = "hopper.threads";
inline constexpr llvm::StringLiteral kSharedBytesAttr = "hopper.shared_bytes";
inline constexpr llvm::StringLiteral kClusterAttr = "hopper.cluster";
// On a gpu.func: blocks that share an SM, which bounds the registers of a
// thread; 1 when it is not there.
inline constexpr llvm::StringLiteral kBlocksPerSMAttr = "hopper.blocks_per_sm";
// On a gpu.func: may begin before the kernel before it has ended; it waits
// itself.
inline constexpr llvm::StringLiteral kOverlapAttr = "hopper.overlap";
// On an argument of a gpu.func: it is a tensor map.
inline constexpr llvm::StringLiteral kTensorMapAttr = "hopper.tensor_map";
// On a gpu.func: its last argument is a generic pointer to a table of so many
// values of eight bytes, part of its parameters.
inline constexpr llvm::StringLiteral kTableAttr = "hopper.table";
// On a gpu.func: what the kernel report says of it, a dictionary (tile, stages,
// splits).
inline constexpr llvm::StringLiteral kReportAttr = "hopper.report";

// On a linear: what the cost model would choose otherwise. Splits decide bits,
// so training and rollout must be given the same.
inline constexpr llvm::StringLiteral kTileAttr = "hopper.tile";
inline constexpr llvm::StringLiteral kStagesAttr = "hopper.stages";
inline constexpr llvm::StringLiteral kSplitsAttr = "hopper.splits";

// Those three of an op; 0 where the op has none.
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

// What every Hopper GPU has; the dialect is about nothing else.
inline constexpr const GpuArchitecture &kArchitecture = kSm90a;

} // namespace nibble::hopper
