// Where one side of a product comes from.
#pragma once

#include "lib/Frontend/Linalg/Contraction.h"

namespace nibble {

struct WeightSource {
  // The value is made of parameters and constants alone, of at least one parameter or of a constant matrix.
  bool isWeight = false;
  mlir::BlockArgument parameter; // the one that it is made of; null for a constant
  mlir::AffineMap map;           // of loops to the parameter's elements; null behind an obstacle
  // What follows the name of the parameter to say why nn.linear cannot read it: "is reshaped from ... first". Empty
  // when it can.
  std::string obstacle;

  std::string describe() const; // "parameter 'w'"
};

// The number of the body's argument that a value is, through widenings of its type; -1 when it is something else.
int64_t argumentOf(mlir::Value value);

// Follows `value`, which the loops of a linalg op read at `map`, to the parameter that it is a widened, transposed or
// repeated copy of.
WeightSource traceWeight(mlir::Value value, mlir::AffineMap map, const ParameterArguments &parameters);

} // namespace nibble
