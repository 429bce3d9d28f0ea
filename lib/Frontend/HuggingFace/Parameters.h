// Which tensors a checkpoint of a configuration must hold, and the check that it holds exactly those.
#pragma once

#include "lib/Frontend/HuggingFace/Config.h"
#include "runtime/core/status.h"
#include "runtime/core/tensor.h"

#include <span>
#include <string>
#include <vector>

namespace nibble::huggingface {

// A tensor by its name, without its bytes.
struct TensorSpec {
  std::string name;
  Shape shape; // a matrix is [out, in]

  bool operator==(const TensorSpec &) const = default;
};

// What a checkpoint says it holds.
struct FoundTensor {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

// Parameters of one decoder layer, names relative to "model.layers.<i>.", in the order in which the layer function takes them.
std::vector<TensorSpec> layerParameters(const ModelConfig &config);

// "model.layers.<layer>."
std::string layerPrefix(int64_t layer);

// All parameters by the checkpoint's names, in the order in which the model's functions take them. A tied head is not among them.
std::vector<TensorSpec> modelParameters(const ModelConfig &config);

// Where a parameter lies in the checkpoint.
struct ParameterSource {
  TensorSpec parameter;
  // <module>.weight_packed, _scale and _shape (compressed-tensors) instead of <module>.weight.
  bool packed = false;
};

struct CheckpointPlan {
  std::vector<ParameterSource> sources; // one for each of modelParameters()
  // The head is tied to the embedding but stored as well: the loader compares the two and refuses the checkpoint if they differ.
  bool redundantHead = false;
};

// Every tensor is used or this fails naming it. BadInput for a tensor that is missing, that nobody asks for, of a shape other than
// the configuration's, or of an element type that is no floating-point weight (BF16, F16, F32). Buffers that the configuration determines
// (rotary_emb.inv_freq) are skipped.
Result<CheckpointPlan> planCheckpoint(const ModelConfig &config, std::span<const FoundTensor> found);

} // namespace nibble::huggingface
