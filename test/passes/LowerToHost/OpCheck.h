// One op's kernel against what the op means: the float64 reference, other
// thread counts, other company in the batch.
#pragma once

#include "lib/Reference/Reference.h"
#include "test/passes/LowerToHost/HostProgram.h"

namespace nibble::test {

// A function `f` of one op and its arguments.
struct OpCase {
  std::string name;
  std::string source; // E stands for the element type
  DType dtype;
  std::vector<Tensor> arguments;
  // Argument that is updated in place, and the result it stands for.
  std::vector<std::pair<int, int>> inPlace = {};
  // Arguments with a row for each token. When there are any, results are too,
  // and a token's row must not depend on the others.
  std::vector<int> perToken = {};
  // Largest relative error; 0: what docs/numerics.md says for the dtype.
  double bound = 0;
};

// All results of the op in order, those updated in place read from the
// arguments' copies.
std::vector<Tensor> runOp(HostProgram &program, const OpCase &c,
                          int threads = 2);

// What the op means, in float64.
std::vector<ReferenceValue> reference(const OpCase &c);

// Expects: close to the reference (prints by how much), the same bits with one
// and two threads, and, per token, the same bits alone and in the batch.
void checkOp(const OpCase &c);

// The source with E replaced.
std::string withElement(std::string source, DType dtype);

} // namespace nibble::test
