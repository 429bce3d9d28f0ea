// Which maxima the results of a function do not depend on, as a softmax does
// not depend on the maximum it subtracts.
#pragma once

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/DenseSet.h"

namespace nibble {

// A softmax, a logsumexp or a cross-entropy subtracts the maximum m of a row so
// that no exponential overflows. The result is the same for any m, so its
// gradient by m is exactly 0. The reverse sweep alone would compute that 0 as a
// sum of many float32 roundings and add it to the gradient of the largest
// element.
//
// Returns the results of `ops` by which the gradient of everything that the
// function returns is proven to be 0. `ops` are the ops of one block, in order,
// before any gradient is built; the rest of the block is its terminator. Tried
// are the maxima and minima over loops (with or without an index), and what is
// computed from one of those and constants alone, as torch's logsumexp replaces
// an infinite maximum by 0. For a value that is not returned there is no proof;
// its gradient is computed as any other.
//
// The proof. Take m as a variable of its own, and let t be one element of it.
// The walk follows every float value that is computed from m and gives it one
// of two forms, where f does not depend on m:
//   additive        v[i] = f[i] + a * m[map(i)]
//   multiplicative  v[i] = f[i] * exp(k * m[map(i)])
// m itself is additive with a = 1. Values that meet in an op must have the same
// map, so that both speak of one t. Then
//   f + a t + g + b t = (f + g) + (a + b) t, and in the same way for a
//   difference or a negation; exp(f + a t) = exp(f) exp(a t), and log(f exp(k
//   t)) = log(f) + k t; f exp(k t) * g exp(l t) = f g exp((k + l) t), and in
//   the same way for a quotient; the sum over j of f_j exp(k t) = (the sum of
//   f_j) exp(k t) where t does not vary with j; 0 = 0 exp(k t) for any k, and
//   -inf = -inf + a t for any a, where a choice or a sum meets such a constant.
// A value whose degree a or k is 0 does not depend on m, and the walk stops
// there. When it stops everywhere, nothing that is returned depends on m: the
// gradient is 0. At any other op, and at a return, there is no proof. Roundings
// between float types count as the identity, and integers as constants, as they
// do in all gradient rules.
llvm::DenseSet<mlir::Value>
findShiftInvariant(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace nibble
