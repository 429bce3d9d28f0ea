// Traces where one side of a product comes from.
#pragma once

#include "lib/Frontend/Linalg/Contraction.h"

namespace nibble {

struct WeightSource {
  // Whether the value is made of parameters and constants alone, with at least
  // one parameter or constant matrix. A global that nothing writes holds a
  // constant.
  bool isWeight = false;
  bool isConstant = false; // whether it is made of constants alone
  // The constant matrix that it is made of when it is made of no parameter: "a
  // constant of the module", "the value of @g".
  std::string constant;
  // The parameters that it is made of.
  llvm::SmallVector<mlir::BlockArgument, 1> parameters;
  // From loops to the weight's elements; null behind an obstacle.
  mlir::AffineMap map;
  // Why nn.linear cannot read it, as the words after "<name> is": "reshaped
  // from ... first". Empty when it can, and then it is one parameter.
  std::string obstacle;

  std::string describe() const; // "parameter 'w'", "parameters 'v' and 'w'"
  std::string explain() const;  // "parameter 'w' is reshaped from ... first"
};

// A tensor that loops read at `map`; the map is null when it is unknown.
struct TensorRead {
  mlir::Value tensor;
  mlir::AffineMap map;
};

// A read of a copy, seen as a read of the tensor that was widened, transposed,
// repeated, reshaped or cut.
struct CopiedRead {
  TensorRead read;
  // A change that no map of loops to elements can express: "reshaped from ...
  // first". Usually empty.
  std::string change;
};
// nullopt when the tensor is not a copy of another.
std::optional<CopiedRead> readBehindCopy(const TensorRead &read);

// A tensor or memref with at least two dimensions whose extents are not one.
bool isMatrixType(mlir::Type type);

// The number of the body's argument that a value is a widened copy of; -1 for
// any other value.
int64_t argumentOf(mlir::Value value);

// Follows a tensor that the loops of a linalg op read back to the parameter
// that it is a widened, transposed or repeated copy of.
WeightSource traceWeight(const TensorRead &read,
                         const ParameterArguments &parameters);

} // namespace nibble
