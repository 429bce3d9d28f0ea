#include "runtime/train/model.h"

#include "runtime/formats/model_weights.h"

namespace nibble {

Result<std::unique_ptr<Model>> Model::open(const std::string &folder) {
  NIBBLE_ASSIGN(ModelConfig config, ModelConfig::read(folder));
  NIBBLE_ASSIGN(QuantizedCheckpoint checkpoint, QuantizedCheckpoint::open(folder));
  NIBBLE_ASSIGN(WeightReport report, checkWeights(config, checkpoint));
  for (const std::string &warning : report.warnings)
    config.warnings.push_back(warning);
  return std::unique_ptr<Model>(new Model(std::move(config), std::move(checkpoint)));
}

Result<Tensor> Model::read(const std::string &name) {
  NIBBLE_ASSIGN(Tensor tensor, checkpoint_.read(name));
  if (tensor.dtype() == DType::kF32 || tensor.dtype() == DType::kBF16)
    return tensor;
  return convert(tensor, DType::kF32);
}

} // namespace nibble
