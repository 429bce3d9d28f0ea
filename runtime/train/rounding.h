// Weights of a packed checkpoint that a run's grid rounds again.
#pragma once

#include "lib/Names/selection.h"
#include "runtime/formats/checkpoint/quantized_checkpoint.h"

#include <string>

namespace nibble {

// Texts of fmt that set a part of a grid where the user chose it: "--group-size
// {}", "quantize.group_size = {}".
struct GridSpelling {
  std::string scheme, groupSize, convention;
};

// A grid that a program, or whoever writes a checkpoint, rounds weights to.
struct GridChoice {
  numerics::Scheme scheme;
  names::Selection selection; // the weights that it is for
  GridSpelling spelling;
  // The program takes what is packed in the same groups as it is stored
  // (ParameterStore::initialize).
  bool keepsStored = false;
  // They are written into a checkpoint (QuantizedCheckpoint::pack), which may
  // compute in another type than bf16.
  bool isWritten = false;
};

struct RoundingReport {
  int64_t tensors = 0, changedTensors = 0; // packed ones that the grid is for
  int64_t values = 0, changedValues = 0;   // of them
};

// Puts the value of each packed tensor, rounded to bf16 (N1), on the grid as
// qat.fake_quant does (or as QuantizedCheckpoint::pack does, where they are
// written), and counts the values that are then other than the checkpoint's. A
// tensor whose K the groups do not divide is left out: no program takes it.
// Errors as of QuantizedCheckpoint::read. Reads the tensors, one at a time.
Result<RoundingReport> roundAgain(const QuantizedCheckpoint &checkpoint,
                                  const GridChoice &choice);

// One line that says what changes and how to keep it, for whoever begins with
// this checkpoint; empty when nothing changes. Errors as of roundAgain.
Result<std::string> roundingWarning(const QuantizedCheckpoint &checkpoint,
                                    const GridChoice &choice);

} // namespace nibble
