// Where one side of a product comes from.
#pragma once

#include "lib/Frontend/Linalg/Contraction.h"

namespace nibble {

struct WeightSource {
  // The value is made of parameters and constants alone, of at least one
  // parameter or of a constant matrix. What a global holds that nothing writes
  // is a constant.
  bool isWeight = false;
  bool isConstant = false; // it is made of constants alone
  // The constant matrix that it is made of, where it is made of no parameter:
  // "a constant of the module", "the value of @g".
  std::string constant;
  llvm::SmallVector<mlir::BlockArgument, 1> parameters; // that it is made of
  mlir::AffineMap
      map; // of loops to the weight's elements; null behind an obstacle
  // Why nn.linear cannot read it, behind its name and "is": "reshaped from ...
  // first". Empty when it can; it is one parameter then.
  std::string obstacle;

  std::string describe() const; // "parameter 'w'", "parameters 'v' and 'w'"
  std::string explain() const;  // "parameter 'w' is reshaped from ... first"
};

// A tensor that loops read at `map`; null where the map is not known.
struct TensorRead {
  mlir::Value tensor;
  mlir::AffineMap map;
};

// What a read of a copy reads: a tensor that is widened, transposed, repeated,
// reshaped or cut.
struct CopiedRead {
  TensorRead read;
  // What the copy does to the tensor that no map of loops to elements says:
  // "reshaped from ... first"; mostly empty.
  std::string change;
};
// Nothing when the tensor is no copy of another.
std::optional<CopiedRead> readBehindCopy(const TensorRead &read);

// A tensor or memref of two dimensions or more that are not of extent one.
bool isMatrixType(mlir::Type type);

// The number of the body's argument that a value is, through widenings of its
// type; -1 when it is something else.
int64_t argumentOf(mlir::Value value);

// Follows a tensor that the loops of a linalg op read to the parameter that it
// is a widened, transposed or repeated copy of.
WeightSource traceWeight(const TensorRead &read,
                         const ParameterArguments &parameters);

} // namespace nibble
