// Models of random weights that are never written to disk.
#pragma once

#include "lib/Driver/ModelCompiler.h"

namespace nibble::benchmarks {

// The shape of Qwen3-0.6B with `layers` layers.
Result<ModelConfig> qwenShape(int64_t layers);
// The model of examples/addition.
Result<ModelConfig> demoShape();

// INT4 in groups of 32, the head included.
Recipe everythingInt4();

// Allocates and fills all parameters of the program: codes and scales of packed
// weights, bf16 for the others. Their magnitudes are those of a trained model.
Status fillParameters(const Program &program, ParameterStore &store);

// Random weights for ParameterStore::initialize.
class RandomWeights final : public WeightSource {
public:
  explicit RandomWeights(const ModelConfig &config) : config_(config) {}
  Result<Tensor> read(const std::string &name) override;

private:
  const ModelConfig &config_;
};

// Weights that each token is multiplied with, inside and outside the head.
struct WeightCount {
  double layers = 0, head = 0;
};
WeightCount countWeights(const ModelConfig &config);

} // namespace nibble::benchmarks
