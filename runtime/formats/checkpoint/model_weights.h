// The tensors that a configuration requires, and the check that a checkpoint
// has exactly these.
#pragma once

#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "runtime/formats/model/model_config.h"

namespace nibble {

struct ExpectedTensor {
  std::string name; // for example "model.layers.0.self_attn.q_proj.weight"
  Shape shape;      // [out, in] for a matrix, [n] for a norm or bias
  // Whether tokens are multiplied with it; false for an embedding, norm or
  // bias.
  bool isLinear;
};

// The tensors of one layer. Their names leave out "model.layers.<i>.".
std::vector<ExpectedTensor> layerTensors(const ModelConfig &config,
                                         const DecoderLayer &layer);

// The prefix of the tensor names of layer i: "model.layers.<i>.".
std::string layerPrefix(int64_t layer);

// The tensors of one decoder in order: embedding, layers, final norm, head
// (absent when tied).
std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config);

// Checks that every expected tensor exists with its shape and a floating-point
// dtype. Otherwise bad input naming the tensor, its state and the expected one.
// An additional tensor is bad input that names it, except rope tables of old
// checkpoints. A head beside a tied embedding must equal it.
struct WeightReport {
  std::vector<std::string> unused, warnings;
};
Result<WeightReport> checkWeights(const ModelConfig &config,
                                  const QuantizedCheckpoint &checkpoint);

} // namespace nibble
