// Finds weights of a packed checkpoint that a run's grid rounds again.
#pragma once

#include "lib/Names/selection.h"
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include <string>

namespace nibble {

// The user's settings for a part of a grid, as fmt texts: "--group-size {}",
// "quantize.group_size = {}".
struct GridSpelling {
  std::string scheme, groupSize, convention;
};

// The grid to which a program or the writer of a checkpoint rounds weights.
struct GridChoice {
  numerics::Scheme scheme;
  names::Selection selection; // the weights that it applies to
  GridSpelling spelling;
  // Whether the program uses stored codes with the same groups unchanged
  // (ParameterStore::initialize).
  bool keepsStored = false;
  // Whether they are written into a checkpoint (QuantizedCheckpoint::pack),
  // which may compute in another type than bf16.
  bool isWritten = false;
};

struct RoundingReport {
  // Packed tensors that the grid applies to.
  int64_t tensors = 0, changedTensors = 0;
  int64_t values = 0, changedValues = 0; // values of these tensors
};

// Rounds the value of each packed tensor to bf16 (N1) and then to the grid, as
// qat.fake_quant does (or QuantizedCheckpoint::pack for written tensors).
// Counts the values that differ from the checkpoint's. A tensor whose K the
// groups do not divide is skipped, because no program accepts it. Errors are
// those of QuantizedCheckpoint::read. Reads one tensor at a time.
Result<RoundingReport> roundAgain(const QuantizedCheckpoint &checkpoint,
                                  const GridChoice &choice);

// One line for the user that says what changes and how to avoid it. Empty when
// nothing changes. Errors are those of roundAgain.
Result<std::string> roundingWarning(const QuantizedCheckpoint &checkpoint,
                                    const GridChoice &choice);

} // namespace nibble
