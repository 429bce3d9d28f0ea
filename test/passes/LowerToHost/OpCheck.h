// Compares an op's kernel with the op's meaning: the float64 reference, other
// numbers of threads, other rows in the batch.
#pragma once

#include "lib/Reference/Reference.h"
#include "test/passes/LowerToHost/HostProgram.h"

namespace nibble::test {

// A function `f` of one op, and its arguments.
struct OpCase {
  std::string name;
  std::string source; // E stands for the element type
  DType dtype;
  std::vector<Tensor> arguments;
  // An argument that is updated in place, and the result that it holds.
  std::vector<std::pair<int, int>> inPlace = {};
  // Arguments with one row for each token. When there are any, the results have
  // one too, and a token's row must not depend on the others.
  std::vector<int> perToken = {};
  // Largest relative error. 0 selects the bound of docs/numerics.md for the
  // dtype.
  double bound = 0;
};

// All results of the op in order. Results updated in place are read from the
// arguments' copies.
std::vector<Tensor> runOp(HostProgram &program, const OpCase &c,
                          int threads = 2);

// The meaning of the op, in float64.
std::vector<ReferenceValue> reference(const OpCase &c);

// Expects results close to the reference and prints the differences. The bits
// must be the same with one and two threads. Per-token results must have the
// same bits alone and in the batch.
void checkOp(const OpCase &c);

// The source with E replaced by the dtype.
std::string withElement(std::string source, DType dtype);

} // namespace nibble::test
