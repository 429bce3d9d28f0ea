// What the import needs to know of a checkpoint's config.json, both spellings of it resolved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nibble::huggingface {

enum class RopeType { kDefault, kLinear, kLlama3, kYarn };

// rope_scaling (transformers 4) or rope_parameters (transformers 5).
struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000.0;
  double factor = 1.0;
  // llama3
  double lowFreqFactor = 1.0;
  double highFreqFactor = 4.0;
  // llama3 and yarn: positions the model was first trained for
  int64_t originalMaxPositions = 0;
  // yarn
  double betaFast = 32.0;
  double betaSlow = 1.0;
  bool truncate = true;
  std::optional<double> attentionFactor = {};
  std::optional<double> mscale = {};
  std::optional<double> mscaleAllDim = {};
};

struct ModelConfig {
  std::string modelType; // "llama", "qwen2", "qwen3"
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  int64_t intermediateSize = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kvHeads = 0;
  int64_t headDim = 0;
  double rmsNormEps = 1e-6;
  bool tieWordEmbeddings = false;
  bool attentionBias = false; // q, k, v and o; qwen2 has q, k and v biases whatever this says
  bool mlpBias = false;       // llama
  RopeConfig rope;
  // Per layer: 0 when a token sees everything before it, else the number of positions it sees, itself among them.
  std::vector<int64_t> windows;
};

} // namespace nibble::huggingface
