// A checkpoint folder as the source of weights.
#pragma once

#include "runtime/formats/checkpoint/quantized_checkpoint.h"
#include "runtime/formats/model/model_config.h"
#include "runtime/train/parameters.h"

#include <memory>
#include <string>

namespace nibble {

// An opened and checked checkpoint. Every tensor in it is used, and it has
// every tensor that its configuration requires.
class Model final : public WeightSource {
public:
  static Result<std::unique_ptr<Model>> open(const std::string &folder);

  const std::string &folder() const { return checkpoint_.folder(); }
  const ModelConfig &config() const { return config_; }
  const QuantizedCheckpoint &checkpoint() const { return checkpoint_; }
  // Reads BF16 or F32, and packed tensors by value; see WeightSource.
  Result<Tensor> read(const std::string &name) override;
  // The stored codes of a tensor that is packed with the same groups, however
  // its scales were chosen. The scales are rounded to bf16.
  Result<std::optional<Tensor>>
  readPacked(const std::string &name,
             const numerics::PackedLayout &layout) override;

private:
  Model(ModelConfig config, QuantizedCheckpoint checkpoint)
      : config_(std::move(config)), checkpoint_(std::move(checkpoint)) {}
  ModelConfig config_;
  QuantizedCheckpoint checkpoint_;
};

} // namespace nibble
