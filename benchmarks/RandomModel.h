// Models of random weights, which are never written to a disk.
#pragma once

#include "lib/Driver/ModelCompiler.h"

namespace nibble::benchmarks {

// The shape of Qwen3-0.6B, with as many layers as asked for.
Result<ModelConfig> qwenShape(int64_t layers);
// The model of examples/addition.
Result<ModelConfig> demoShape();

// INT4 in groups of 32, the head included.
Recipe everythingInt4();

// Takes memory for all parameters of the program and fills it: codes and scales
// of packed weights, bf16 of the others, each as large as a trained model's.
Status fillParameters(const Program &program, ParameterStore &store);

// Random weights for ParameterStore::initialize.
class RandomWeights final : public WeightSource {
public:
  explicit RandomWeights(const ModelConfig &config) : config_(config) {}
  Result<Tensor> read(const std::string &name) override;

private:
  const ModelConfig &config_;
};

// Weights that multiply each token, in and outside the head.
struct WeightCount {
  double layers = 0, head = 0;
};
WeightCount countWeights(const ModelConfig &config);

} // namespace nibble::benchmarks
