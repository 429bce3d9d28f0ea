// Finds maxima that the results of a function do not depend on, such as the
// maximum that a softmax subtracts.
#pragma once

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"

#include "llvm/ADT/DenseSet.h"

namespace nibble {

// A softmax, a logsumexp or a cross-entropy subtracts the maximum m of a row so
// that no exponential overflows. The result is the same for any m, so its
// gradient with respect to m is exactly 0. The reverse sweep alone would
// compute that 0 as a sum of many float32 roundings and add it to the gradient
// of the largest element.
//
// Returns the results of `ops` that provably have a gradient of 0 in everything
// that the function returns. `ops` are the ops of one block, in order, before
// any gradient is built; the rest of the block is its terminator. The
// candidates are maxima and minima over loops, with or without an index. Values
// computed from one of those and constants alone are candidates too, because
// torch's logsumexp replaces an infinite maximum by 0. A value that the
// function returns is never proven; its gradient is computed as usual.
//
// The proof: Take m as a variable of its own, and let t be one element of it.
// The walk follows every float value that is computed from m and gives it one
// of two forms, where f does not depend on m:
//
//   additive        v[i] = f[i] + a * m[map(i)]
//   multiplicative  v[i] = f[i] * exp(k * m[map(i)])
//
// m itself is additive with a = 1. Values that meet in an op must have the same
// map, so that both depend on one t. These are the rules:
//
// - f + a t + g + b t = (f + g) + (a + b) t, and likewise for a difference or a
//   negation;
// - exp(f + a t) = exp(f) exp(a t), and log(f exp(k t)) = log(f) + k t;
// - f exp(k t) * g exp(l t) = f g exp((k + l) t), and likewise for a quotient;
// - the sum over j of f_j exp(k t) is (the sum of f_j) exp(k t) if t does not
//   vary with j;
// - when a choice or a sum meets a constant, 0 = 0 exp(k t) for any k, and
//   -inf = -inf + a t for any a.
//
// A value whose degree a or k is 0 does not depend on m, and the walk stops
// there. When it stops everywhere, no returned value depends on m, and the
// gradient is 0. Any other op, and a return, end the walk without a proof.
// Roundings between float types count as the identity, and integers as
// constants, as they do in all gradient rules.
llvm::DenseSet<mlir::Value>
findShiftInvariant(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace nibble
