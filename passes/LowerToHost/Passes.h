// The passes of stage LowerToHost. See the generated page docs/passes.
#pragma once

#include "dialects/Host/Host.h"
#include "dialects/Kernel/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"

namespace nibble {

#define GEN_PASS_DECL
#include "passes/LowerToHost/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/LowerToHost/Passes.h.inc"

} // namespace nibble
