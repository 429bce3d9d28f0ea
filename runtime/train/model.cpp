// Opens a checkpoint folder and reads its tensors by name.
#include "runtime/train/model.h"

#include "runtime/formats/checkpoint/model_weights.h"

#include <span>
#include <utility>

namespace nibble {

Result<std::unique_ptr<Model>> Model::open(const std::string &folder) {
  NIBBLE_ASSIGN(ModelConfig config, ModelConfig::read(folder));
  NIBBLE_ASSIGN(QuantizedCheckpoint checkpoint,
                QuantizedCheckpoint::open(folder));
  NIBBLE_ASSIGN(WeightReport report, checkWeights(config, checkpoint));
  for (std::span<const std::string> warnings :
       {std::span(checkpoint.files().warnings()),
        std::span(checkpoint.warnings()),
        std::span(std::as_const(report.warnings))})
    config.warnings.insert(config.warnings.end(), warnings.begin(),
                           warnings.end());
  return std::unique_ptr<Model>(
      new Model(std::move(config), std::move(checkpoint)));
}

Result<Tensor> Model::read(const std::string &name) {
  NIBBLE_ASSIGN(Tensor tensor, checkpoint_.read(name));
  if (tensor.dtype() == DType::kF32 || tensor.dtype() == DType::kBF16)
    return tensor;
  return convert(tensor, DType::kF32);
}

Result<std::optional<Tensor>>
Model::readPacked(const std::string &name,
                  const numerics::PackedLayout &layout) {
  const numerics::PackedLayout *stored = checkpoint_.packed(name);
  if (!stored || stored->n != layout.n || stored->k != layout.k ||
      stored->scheme.kind != layout.scheme.kind ||
      stored->scheme.groupSize != layout.scheme.groupSize)
    return std::optional<Tensor>();
  NIBBLE_ASSIGN(Tensor slab, checkpoint_.readSlab(name, layout.layout));
  return std::optional<Tensor>(std::move(slab));
}

} // namespace nibble
