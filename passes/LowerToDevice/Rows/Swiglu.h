// y = E(E(silu(gate)) * up): one function for the kernel of nn.swiglu and for
// linears that end in it.
#pragma once

#include "passes/LowerToDevice/Emit/Emitter.h"

namespace nibble::hopper {

// `gate` and `up` are float32, vectors or scalars; the result is float32 and
// not yet rounded to `element`.
inline mlir::Value swiglu(Emitter &b, mlir::Value gate, mlir::Value up,
                          mlir::Type element) {
  mlir::Value silu = b.div(gate, b.add(b.like(gate, 1), b.exp(b.neg(gate))));
  return b.mul(b.roundTo(silu, element), up);
}

} // namespace nibble::hopper
