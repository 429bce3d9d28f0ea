#include "runtime/formats/checkpoint/model_weights.h"

#include "runtime/formats/io.h"

#include <cstring>
#include <fmt/format.h>
#include <set>

namespace nibble {

std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config) {
  std::vector<ExpectedTensor> tensors;
  int64_t hidden = config.hiddenSize;
  int64_t inner = config.intermediateSize;
  int64_t queries = config.heads * config.headDim;
  int64_t keys = config.kvHeads * config.headDim;
  auto vector = [&](const std::string &name, int64_t size) {
    tensors.push_back({name, {size}, false});
  };
  auto linear = [&](const std::string &module, int64_t out, int64_t in,
                    bool hasBias) {
    tensors.push_back({module + ".weight", {out, in}, true});
    if (hasBias)
      vector(module + ".bias", out);
  };
  tensors.push_back(
      {"model.embed_tokens.weight", {config.vocabSize, hidden}, false});
  for (int64_t i = 0; i < config.layers; ++i) {
    std::string layer = fmt::format("model.layers.{}.", i);
    std::string attention = layer + "self_attn.";
    std::string mlp = layer + "mlp.";
    vector(layer + "input_layernorm.weight", hidden);
    linear(attention + "q_proj", queries, hidden, config.qkvBias);
    linear(attention + "k_proj", keys, hidden, config.qkvBias);
    linear(attention + "v_proj", keys, hidden, config.qkvBias);
    linear(attention + "o_proj", hidden, queries, config.outputBias);
    if (config.qkNorm) {
      vector(attention + "q_norm.weight", config.headDim);
      vector(attention + "k_norm.weight", config.headDim);
    }
    vector(layer + "post_attention_layernorm.weight", hidden);
    linear(mlp + "gate_proj", inner, hidden, config.mlpBias);
    linear(mlp + "up_proj", inner, hidden, config.mlpBias);
    linear(mlp + "down_proj", hidden, inner, config.mlpBias);
  }
  vector("model.norm.weight", hidden);
  if (!config.tieWordEmbeddings)
    linear("lm_head", config.vocabSize, hidden, false);
  return tensors;
}

// Tables that old checkpoints carry; they follow from config.json.
static bool isRopeTable(const std::string &name) {
  return name.ends_with("rotary_emb.inv_freq") ||
         name.ends_with("rotary_emb.original_inv_freq") ||
         name.ends_with("rotary_emb.cos_cached") ||
         name.ends_with("rotary_emb.sin_cached");
}

static Status checkTiedHead(const QuantizedCheckpoint &checkpoint,
                            WeightReport &report) {
  const char *head = "lm_head.weight", *embedding = "model.embed_tokens.weight";
  NIBBLE_ASSIGN(Tensor headTensor, checkpoint.read(head));
  NIBBLE_ASSIGN(Tensor embeddingTensor, checkpoint.read(embedding));
  bool isEqual = headTensor.dtype() == embeddingTensor.dtype() &&
                 headTensor.shape() == embeddingTensor.shape() &&
                 std::memcmp(headTensor.data(), embeddingTensor.data(),
                             static_cast<size_t>(headTensor.bytes())) == 0;
  if (!isEqual)
    return Status::badInput(
        fmt::format("checkpoint {}: tie_word_embeddings is true, but {} "
                    "differs from {}; set it to false or remove the tensor",
                    checkpoint.folder(), head, embedding));
  report.warnings.push_back(
      fmt::format("checkpoint {}: {} repeats {} and is not used",
                  checkpoint.folder(), head, embedding));
  return Status::ok();
}

// What is there instead: the usual reasons have their own line.
static Status missing(const QuantizedCheckpoint &checkpoint,
                      const std::string &name) {
  std::string why = "is config.json of another model?";
  if (name == "model.embed_tokens.weight" && !checkpoint.names().empty())
    why = fmt::format("names there are like \"{}\"; save the model with "
                      "transformers' save_pretrained",
                      printable(checkpoint.names().front()));
  else if (name == "lm_head.weight")
    why = "it was saved without its head, as AutoModel does; save it as "
          "AutoModelForCausalLM, or set "
          "tie_word_embeddings to true if the head is the embedding";
  return Status::badInput(
      fmt::format("checkpoint {}: tensor \"{}\" is missing: {}",
                  checkpoint.folder(), name, why));
}

Result<WeightReport> checkWeights(const ModelConfig &config,
                                  const QuantizedCheckpoint &checkpoint) {
  WeightReport report;
  std::set<std::string> expected;
  for (const ExpectedTensor &tensor : expectedTensors(config)) {
    auto wrong = [&](const std::string &why) {
      return Status::badInput(fmt::format(
          "checkpoint {}: tensor \"{}\" {}; is config.json of another model?",
          checkpoint.folder(), tensor.name, why));
    };
    auto info = checkpoint.info(tensor.name);
    if (!info)
      return missing(checkpoint, tensor.name);
    if (info->shape != tensor.shape)
      return wrong(fmt::format("is {}, not {}", toString(info->shape),
                               toString(tensor.shape)));
    if (info->dtype != DType::kBF16 && info->dtype != DType::kF32 &&
        info->dtype != DType::kF16)
      return wrong(
          fmt::format("is {}, not BF16, F32 or F16", nameOf(info->dtype)));
    expected.insert(tensor.name);
  }
  for (const std::string &name : checkpoint.names()) {
    if (expected.contains(name))
      continue;
    report.unused.push_back(name);
    if (config.tieWordEmbeddings && name == "lm_head.weight")
      NIBBLE_TRY(checkTiedHead(checkpoint, report));
    else if (!isRopeTable(name))
      return Status::badInput(
          fmt::format("checkpoint {}: tensor \"{}\" is not used by a model of "
                      "type {}; remove it or correct config.json",
                      checkpoint.folder(), printable(name), config.modelType));
  }
  return report;
}

} // namespace nibble
