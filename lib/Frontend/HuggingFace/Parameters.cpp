#include "lib/Frontend/HuggingFace/Parameters.h"

#include <map>

using namespace nibble;
using namespace nibble::huggingface;

std::vector<TensorSpec> nibble::huggingface::layerParameters(const ModelConfig &config) {
  int64_t hidden = config.hiddenSize, inner = config.intermediateSize;
  int64_t queries = config.heads * config.headDim, keys = config.kvHeads * config.headDim;
  // qwen2 has biases on q, k and v always and on o never; elsewhere the switch is for all four.
  bool qwen2 = config.modelType == "qwen2";
  bool inputBias = qwen2 || config.attentionBias, outputBias = !qwen2 && config.attentionBias;

  std::vector<TensorSpec> specs;
  auto linear = [&](const std::string &module, int64_t out, int64_t in, bool bias) {
    specs.push_back({module + ".weight", {out, in}});
    if (bias)
      specs.push_back({module + ".bias", {out}});
  };
  specs.push_back({"input_layernorm.weight", {hidden}});
  linear("self_attn.q_proj", queries, hidden, inputBias);
  linear("self_attn.k_proj", keys, hidden, inputBias);
  linear("self_attn.v_proj", keys, hidden, inputBias);
  if (config.modelType == "qwen3") {
    specs.push_back({"self_attn.q_norm.weight", {config.headDim}});
    specs.push_back({"self_attn.k_norm.weight", {config.headDim}});
  }
  linear("self_attn.o_proj", hidden, queries, outputBias);
  specs.push_back({"post_attention_layernorm.weight", {hidden}});
  linear("mlp.gate_proj", inner, hidden, config.mlpBias);
  linear("mlp.up_proj", inner, hidden, config.mlpBias);
  linear("mlp.down_proj", hidden, inner, config.mlpBias);
  return specs;
}

std::string nibble::huggingface::layerPrefix(int64_t layer) { return "model.layers." + std::to_string(layer) + "."; }

std::vector<TensorSpec> nibble::huggingface::modelParameters(const ModelConfig &config) {
  std::vector<TensorSpec> specs = {{"model.embed_tokens.weight", {config.vocabSize, config.hiddenSize}}};
  std::vector<TensorSpec> ofLayer = layerParameters(config);
  for (int64_t layer = 0; layer < config.layers; ++layer)
    for (const TensorSpec &spec : ofLayer)
      specs.push_back({layerPrefix(layer) + spec.name, spec.shape});
  specs.push_back({"model.norm.weight", {config.hiddenSize}});
  if (!config.tieWordEmbeddings)
    specs.push_back({"lm_head.weight", {config.vocabSize, config.hiddenSize}});
  return specs;
}

namespace {

// The tensors found, each to be claimed once.
class Inventory {
public:
  static Result<Inventory> of(std::span<const FoundTensor> found) {
    Inventory inventory;
    for (const FoundTensor &tensor : found)
      if (!inventory.tensors_.emplace(tensor.name, &tensor).second)
        return Status::badInput("checkpoint tensor '" + tensor.name + "': it is there twice; write the checkpoint again");
    return inventory;
  }

  const FoundTensor *claim(const std::string &name) {
    auto it = tensors_.find(name);
    if (it == tensors_.end())
      return nullptr;
    const FoundTensor *tensor = it->second;
    tensors_.erase(it);
    return tensor;
  }

  const std::map<std::string, const FoundTensor *> &unclaimed() const { return tensors_; }

private:
  std::map<std::string, const FoundTensor *> tensors_;
};

} // namespace

static bool endsWith(const std::string &text, const std::string &tail) {
  return text.size() >= tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

static Status checkTensor(const FoundTensor &tensor, const Shape &shape, std::span<const DType> dtypes) {
  if (tensor.shape != shape)
    return Status::badInput("checkpoint tensor '" + tensor.name + "': its shape is " + toString(tensor.shape) + ", config.json makes it " +
                            toString(shape) + "; check that both files belong to the same model");
  std::string allowed;
  for (DType dtype : dtypes) {
    if (tensor.dtype == dtype)
      return Status::ok();
    allowed += (allowed.empty() ? "" : ", ") + std::string(nameOf(dtype));
  }
  return Status::badInput("checkpoint tensor '" + tensor.name + "': its dtype is " + nameOf(tensor.dtype) + ", a tensor of this kind is " +
                          allowed + "; convert the checkpoint");
}

static constexpr DType kFloats[] = {DType::kBF16, DType::kF16, DType::kF32};
static constexpr DType kScales[] = {DType::kBF16, DType::kF16, DType::kF32};
static constexpr DType kWords[] = {DType::kI32};
static constexpr DType kExtents[] = {DType::kI64, DType::kI32};

// compressed-tensors pack-quantized (N9): int32 words of eight codes, a scale for each group, the shape before packing.
static Status claimPacked(Inventory &inventory, const TensorSpec &parameter, const FoundTensor &words) {
  int64_t n = parameter.shape[0], k = parameter.shape[1];
  NIBBLE_TRY(checkTensor(words, {n, (k + 7) / 8}, kWords));
  const FoundTensor *scales = inventory.claim(parameter.name + "_scale");
  const FoundTensor *extents = inventory.claim(parameter.name + "_shape");
  for (auto [tensor, suffix] : {std::pair(scales, "_scale"), std::pair(extents, "_shape")})
    if (!tensor)
      return Status::badInput("checkpoint tensor '" + parameter.name + suffix + "': it is missing beside '" + words.name +
                              "'; a packed weight is _packed, _scale and _shape");
  NIBBLE_TRY(checkTensor(*extents, {2}, kExtents));
  // The group size is the file's to say: whole groups, one scale each.
  if (scales->shape.size() != 2 || scales->shape[0] != n || scales->shape[1] <= 0 || k % scales->shape[1] != 0)
    return Status::badInput("checkpoint tensor '" + scales->name + "': its shape is " + toString(scales->shape) + ", not [" +
                            std::to_string(n) + ", groups] with whole groups of K = " + std::to_string(k) + "; quantize again");
  return checkTensor(*scales, scales->shape, kScales);
}

Result<CheckpointPlan> nibble::huggingface::planCheckpoint(const ModelConfig &config, std::span<const FoundTensor> found) {
  NIBBLE_ASSIGN(Inventory inventory, Inventory::of(found));
  CheckpointPlan plan;
  for (TensorSpec &parameter : modelParameters(config)) {
    if (const FoundTensor *tensor = inventory.claim(parameter.name)) {
      NIBBLE_TRY(checkTensor(*tensor, parameter.shape, kFloats));
      plan.sources.push_back({std::move(parameter), false});
    } else if (const FoundTensor *words = parameter.shape.size() == 2 ? inventory.claim(parameter.name + "_packed") : nullptr) {
      NIBBLE_TRY(claimPacked(inventory, parameter, *words));
      plan.sources.push_back({std::move(parameter), true});
    } else {
      return Status::badInput("checkpoint tensor '" + parameter.name + "': it is missing; config.json (" + config.modelType + ", " +
                              std::to_string(config.layers) + " layers) asks for it with shape " + toString(parameter.shape));
    }
  }
  if (config.tieWordEmbeddings)
    if (const FoundTensor *head = inventory.claim("lm_head.weight")) {
      NIBBLE_TRY(checkTensor(*head, {config.vocabSize, config.hiddenSize}, kFloats));
      plan.redundantHead = true;
    }
  for (const auto &[name, tensor] : inventory.unclaimed())
    if (!endsWith(name, "rotary_emb.inv_freq"))
      return Status::badInput("checkpoint tensor '" + name + "': model type " + config.modelType +
                              " of config.json does not use it; remove it or correct config.json");
  return plan;
}
