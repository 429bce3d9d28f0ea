// The gradients of attention, by tiles whose probabilities are recomputed from
// lse. There are two kernels, neither with atomics. One owns queries and walks
// over their keys; the other owns keys and walks over the queries that see
// them.
#pragma once

#include "passes/LowerToHopper/Attention/Attention.h"

namespace nibble::hopper {

struct AttentionGradArguments {
  mlir::Value dy, q, keys, values; // bf16, as in the op
  mlir::Value positions, sequences;
  // float32 [kv_heads, T, group]: -lse in base 2, and sum(dy * y). The rows of
  // a tile are neighbours.
  mlir::Value logs, means;
  mlir::Value tokens, sequenceCount;
};

// dq, with keys ascending.
void launchQueryGrad(Kernel &k, const AttentionShape &shape,
                     const AttentionGradArguments &arguments, mlir::Value dq);

// dk and dv, with queries ascending and, for each query, the heads of the group
// ascending. Either may be null, because registers do not hold the sums of both
// for long heads.
void launchKeyGrad(Kernel &k, const AttentionShape &shape,
                   const AttentionGradArguments &arguments, mlir::Value dk,
                   mlir::Value dv);

} // namespace nibble::hopper
