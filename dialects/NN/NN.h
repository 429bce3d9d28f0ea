// The nn dialect: the ops of a language model. See the generated page
// docs/dialects/nn.md.
#pragma once

#include "dialects/NN/InPlace.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/NN/NNDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/NN/NNOps.h.inc"

namespace nibble::nn {

// Attributes of function arguments; each holds a string. See the dialect's
// description.
inline constexpr llvm::StringLiteral kParameterAttr = "nn.parameter";
inline constexpr llvm::StringLiteral kStateAttr = "nn.state";
inline constexpr llvm::StringLiteral kInputAttr = "nn.input";
// Marks a parameter that is the transpose of the graph's tensor of that name
// (nibble-recognize-linear).
inline constexpr llvm::StringLiteral kTransposedAttr = "nn.transposed";
// Names a result.
inline constexpr llvm::StringLiteral kOutputAttr = "nn.output";
// Holds the packed type of an argument that was a packed weight before
// bufferization.
inline constexpr llvm::StringLiteral kPackedAttr = "nn.packed";

} // namespace nibble::nn
