// Attention's gradients, by tiles whose probabilities are made again from lse.
// Two kernels, neither with atomics: one owns queries and walks over their
// keys, the other owns keys and walks over the queries that see them.
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

struct AttentionGradArguments {
  mlir::Value dy, q, keys, values; // bf16, as of the op
  mlir::Value positions, sequences;
  // float32 [kv_heads, T, group]: -lse in powers of two, and sum(dy * y). The
  // rows of a tile lie together.
  mlir::Value logs, means;
  mlir::Value tokens, sequenceCount;
};

// dq, keys ascending.
void launchQueryGrad(Kernel &k, const AttentionShape &shape,
                     const AttentionGradArguments &arguments, mlir::Value dq);

// dk and dv, queries ascending and, of one query, the heads of the group
// ascending. Either may be null: the sums of both do not fit into registers
// when heads are long.
void launchKeyGrad(Kernel &k, const AttentionShape &shape,
                   const AttentionGradArguments &arguments, mlir::Value dk,
                   mlir::Value dv);

} // namespace nibble::hopper
