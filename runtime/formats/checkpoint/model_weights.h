// Which tensors a configuration means, and whether a checkpoint has exactly
// those.
#pragma once

#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "runtime/formats/model/model_config.h"

namespace nibble {

struct ExpectedTensor {
  std::string name; // "model.layers.0.self_attn.q_proj.weight"
  Shape shape;      // [out, in] of a matrix, [n] of a norm or bias
  bool isLinear; // a matrix that a token is multiplied with (not an embedding,
                 // norm or bias)
};

// The tensors of one layer, their names without "model.layers.<i>.".
std::vector<ExpectedTensor> layerTensors(const ModelConfig &config,
                                         const DecoderLayer &layer);

// Before the names of the tensors of layer i: "model.layers.<i>.".
std::string layerPrefix(int64_t layer);

// The tensors of one decoder in the order of its layers: embedding, layers,
// final norm, head (absent when tied).
std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config);

// Every expected tensor is there with its shape and a floating-point dtype,
// else bad input naming tensor, what it is and what it should be. What is there
// beside them is bad input that names it (but for rope tables of old
// checkpoints); a head beside a tied embedding must be equal to it.
struct WeightReport {
  std::vector<std::string> unused, warnings;
};
Result<WeightReport> checkWeights(const ModelConfig &config,
                                  const QuantizedCheckpoint &checkpoint);

} // namespace nibble
