// The common part of the kernels of nn.sample: the state of a row, and the
// search for the pivot of a row with filters.
#pragma once

#include "passes/LowerToDevice/Emit/Kernels.h"
#include "passes/LowerToDevice/Sample/SampleMath.h"

namespace nibble::device {

struct SampleRows {
  int64_t vocabulary, width, parts; // width: logits of an access
};

// Whether a float32 is NaN or +infinity, as an i1.
mlir::Value isBad(Emitter &b, mlir::Value x);
mlir::Value isEqual(Emitter &b, mlir::Value x, mlir::Value y);

// The facts of a row that follow from the largest logits of its parts; the same
// in every lane. All lanes of a warp must construct it.
struct RowState {
  mlir::Value largest, temperature; // f32; largest is undefined when `bad`
  mlir::Value bad,
      drawn; // i1: a logit is NaN or +infinity; a token is drawn by its mass

  // maxima: [rows, parts] f32. row: i32.
  RowState(Emitter &b, const SampleRows &shape, mlir::Value maxima,
           mlir::Value temperatures, mlir::Value row);
  mlir::Value mass(Emitter &b, mlir::Value logit) const {
    return tokenMass(b, logit, largest, temperature);
  }
  // The mass, or 0 for a token behind the pivot or below the least mass.
  mlir::Value keptMass(Emitter &b, mlir::Value logit, mlir::Value token,
                       mlir::Value pivot, mlir::Value least) const;
};

// For each row with filters: the rank of the last token that top_k and top_p
// keep (all ones: every token), and the least mass of min_p. `maxima` and
// `masses` are [rows, parts]; `pivots` and `leasts` are i64 [rows].
void launchPivots(Kernel &k, nn::SampleOp::Adaptor op, const SampleRows &shape,
                  mlir::Value maxima, mlir::Value masses, mlir::Value pivots,
                  mlir::Value leasts);

} // namespace nibble::device
