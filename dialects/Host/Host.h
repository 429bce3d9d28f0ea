// The host dialect: lane operations, and the CPU that they run on. See the
// generated page docs/dialects/host.md.
#pragma once

#include "lib/KnownTargets/cpu.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Host/HostDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Host/HostAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Host/HostOps.h.inc"
