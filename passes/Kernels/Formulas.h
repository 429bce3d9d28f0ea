// Formulas of the ops, written once for all targets. Values are float32,
// scalars or vectors of one width, and every operation rounds once. The ops of
// dialects/NN define what each formula computes.
#pragma once

#include "passes/Kernels/Emitter.h"

namespace nibble::kernels {

// nn.swiglu: E(silu(gate)) * up, before the result is rounded to the element
// type E.
mlir::Value swiglu(Emitter &b, mlir::Value gate, mlir::Value up,
                   mlir::Type element);

// nn.swiglu_grad. Each gradient is computed where it is stored.
class SwigluGradients {
public:
  SwigluGradients(Emitter &b, mlir::Value dy, mlir::Value gate, mlir::Value up);
  mlir::Value ofGate() const;
  mlir::Value ofUp() const;

private:
  Emitter &b_;
  mlir::Value dy_;
  mlir::Value gate_;
  mlir::Value up_;
  mlir::Value sigmoid_; // of gate
  mlir::Value slope_;   // 1 + gate * (1 - sigmoid)
};

// nn.rope: rotates elements i (`low`) and i + D/2 (`high`) of a head by an
// angle. Each is computed where it is stored, so that few values are live at a
// time.
mlir::Value rotatedLow(Emitter &b, mlir::Value low, mlir::Value high,
                       mlir::Value cos, mlir::Value sin);
mlir::Value rotatedHigh(Emitter &b, mlir::Value low, mlir::Value high,
                        mlir::Value cos, mlir::Value sin);

// nn.rms_norm: 1 / sqrt(sum / size + epsilon), where `sum` is the sum of
// squares of a row of `size` elements.
mlir::Value reciprocalRoot(Emitter &b, mlir::Value sum, int64_t size,
                           double epsilon);

// A logit of -infinity, for a token that is ruled out, has probability 0. This
// keeps 0 * x from becoming NaN.
mlir::Value boundedBelow(Emitter &b, mlir::Value x);

// nn.log_probability_grad for a row, with x = logit / temperature and p = exp(x
// - lse).
struct LogProbabilityRow {
  mlir::Value dlogp, dentropy, temperature, lse, entropy;

  // `isTarget` is 1 for the logit of the target and 0 for the others.
  mlir::Value gradient(Emitter &b, mlir::Value logit,
                       mlir::Value isTarget) const;
};

// nn.adamw: the step with decoupled decay by Loshchilov and Hutter.
class AdamW {
public:
  static constexpr int64_t kHyperparameters = 8;

  // `hyper` has the op's eight hyperparameters in order.
  AdamW(Emitter &b, llvm::ArrayRef<mlir::Value> hyper);

  // The new state of an element. Master and moments replace the old ones in
  // place, so an element is read completely before it is written.
  struct State {
    mlir::Value master, moment1, moment2;
  };
  State step(const State &old, mlir::Value gradient) const;

private:
  Emitter &b_;
  mlir::Value rate_, beta1_, beta2_, epsilon_, decay_, clip_, bias1_, bias2_;
  mlir::Value rest1_, rest2_; // 1 - beta1 and 1 - beta2
};

} // namespace nibble::kernels
