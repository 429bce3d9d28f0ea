// Builds the formulas of SwiGLU, rotary embedding, norms, log-probability and
// AdamW.
#include "passes/Kernels/Formulas.h"

#include <cfloat>

using namespace mlir;

namespace nibble::kernels {

Value swiglu(Emitter &b, Value gate, Value up, Type element) {
  Value silu = b.div(gate, b.add(b.like(gate, 1), b.exp(b.neg(gate))));
  return b.mul(b.roundTo(silu, element), up);
}

// With s = 1 / (1 + exp(-gate)): dgate = dy * up * s * (1 + gate * (1 - s)),
// dup = dy * gate * s.
SwigluGradients::SwigluGradients(Emitter &b, Value dy, Value gate, Value up)
    : b_(b), dy_(dy), gate_(gate), up_(up) {
  Value one = b.like(gate, 1);
  sigmoid_ = b.div(one, b.add(one, b.exp(b.neg(gate))));
  slope_ = b.add(one, b.mul(gate, b.sub(one, sigmoid_)));
}

Value SwigluGradients::ofGate() const {
  return b_.mul(b_.mul(b_.mul(dy_, up_), sigmoid_), slope_);
}

Value SwigluGradients::ofUp() const {
  return b_.mul(b_.mul(dy_, gate_), sigmoid_);
}

Value rotatedLow(Emitter &b, Value low, Value high, Value cos, Value sin) {
  return b.sub(b.mul(low, cos), b.mul(high, sin));
}

Value rotatedHigh(Emitter &b, Value low, Value high, Value cos, Value sin) {
  return b.add(b.mul(high, cos), b.mul(low, sin));
}

Value reciprocalRoot(Emitter &b, Value sum, int64_t size, double epsilon) {
  Value mean = b.div(sum, b.f32(static_cast<double>(size)));
  return b.div(b.f32(1), b.sqrt(b.add(mean, b.f32(epsilon))));
}

Value boundedBelow(Emitter &b, Value x) {
  return b.max(x, b.like(x, -FLT_MAX));
}

Value LogProbabilityRow::gradient(Emitter &b, Value logit,
                                  Value isTarget) const {
  Value x = b.div(logit, temperature);
  Value p = b.exp(b.sub(x, lse));
  Value first = b.mul(dlogp, b.sub(isTarget, p));
  Value second =
      b.mul(b.mul(dentropy, p), b.add(b.sub(boundedBelow(b, x), lse), entropy));
  return b.div(b.sub(first, second), temperature);
}

AdamW::AdamW(Emitter &b, ArrayRef<Value> hyper)
    : b_(b), rate_(hyper[0]), beta1_(hyper[1]), beta2_(hyper[2]),
      epsilon_(hyper[3]), decay_(hyper[4]), clip_(hyper[5]), bias1_(hyper[6]),
      bias2_(hyper[7]) {
  Value one = b.like(rate_, 1);
  rest1_ = b.sub(one, beta1_);
  rest2_ = b.sub(one, beta2_);
}

AdamW::State AdamW::step(const State &old, Value gradient) const {
  Value g = b_.mul(gradient, clip_);
  Value m = b_.add(b_.mul(beta1_, old.moment1), b_.mul(rest1_, g));
  Value v = b_.add(b_.mul(beta2_, old.moment2), b_.mul(b_.mul(rest2_, g), g));
  Value step =
      b_.div(b_.div(m, bias1_), b_.add(b_.sqrt(b_.div(v, bias2_)), epsilon_));
  Value master = b_.sub(
      old.master, b_.mul(rate_, b_.add(step, b_.mul(decay_, old.master))));
  return {master, m, v};
}

} // namespace nibble::kernels
