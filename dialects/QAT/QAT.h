// The qat dialect: schemes, packed weights, fake-quant. See the generated page
// docs/dialects/qat.md.
#pragma once

#include "lib/Numerics/pack.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/BufferizationTypeInterfaces.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/QAT/QATDialect.h.inc"
#include "dialects/QAT/QATEnums.h.inc"

namespace nibble::qat {

using numerics::Convention;
using numerics::Kind;

// Parse the names of lib/Numerics/scheme.h inside #qat.scheme.
mlir::FailureOr<Kind> parseKind(mlir::AsmParser &parser);
mlir::FailureOr<Convention> parseConvention(mlir::AsmParser &parser);

} // namespace nibble::qat

#define GET_ATTRDEF_CLASSES
#include "dialects/QAT/QATAttributes.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/QAT/QATTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/QAT/QATOps.h.inc"
