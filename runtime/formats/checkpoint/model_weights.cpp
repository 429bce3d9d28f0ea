// Lists the tensors that a configuration requires and compares a checkpoint
// with the list.
#include "runtime/formats/checkpoint/model_weights.h"

#include "runtime/formats/io.h"

#include <cstring>
#include <fmt/format.h>
#include <set>

namespace nibble {

namespace {

// Collects tensors in the order of their listing.
class TensorList {
public:
  void vector(const std::string &name, int64_t size) {
    tensors.push_back({name, {size}, false});
  }
  // Adds the weight of a norm. An empty name means no norm.
  void norm(const std::string &module, int64_t size) {
    if (!module.empty())
      vector(module + ".weight", size);
  }
  void linear(const std::string &module, int64_t out, int64_t in,
              bool hasBias) {
    tensors.push_back({module + ".weight", {out, in}, true});
    if (hasBias)
      vector(module + ".bias", out);
  }

  std::vector<ExpectedTensor> tensors;
};

} // namespace

std::string layerPrefix(int64_t layer) {
  return fmt::format("model.layers.{}.", layer);
}

std::vector<ExpectedTensor> layerTensors(const ModelConfig &config,
                                         const DecoderLayer &layer) {
  int64_t hidden = config.hiddenSize;
  int64_t inner = config.intermediateSize;
  int64_t queries = config.heads * config.headDim;
  int64_t keys = config.kvHeads * config.headDim;
  TensorList list;
  list.norm(layer.attentionNorm, hidden);
  list.linear("self_attn.q_proj", queries, hidden, layer.qkvBias);
  list.linear("self_attn.k_proj", keys, hidden, layer.qkvBias);
  list.linear("self_attn.v_proj", keys, hidden, layer.qkvBias);
  list.linear("self_attn.o_proj", hidden, queries, layer.outputBias);
  if (layer.qkNorm) {
    list.norm("self_attn.q_norm", config.headDim);
    list.norm("self_attn.k_norm", config.headDim);
  }
  list.norm(layer.attentionOutputNorm, hidden);
  list.norm(layer.mlpNorm, hidden);
  list.linear("mlp.gate_proj", inner, hidden, layer.mlpBias);
  list.linear("mlp.up_proj", inner, hidden, layer.mlpBias);
  list.linear("mlp.down_proj", hidden, inner, layer.mlpBias);
  list.norm(layer.mlpOutputNorm, hidden);
  return std::move(list.tensors);
}

std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config) {
  TensorList list;
  list.tensors.push_back({"model.embed_tokens.weight",
                          {config.vocabSize, config.hiddenSize},
                          false});
  for (int64_t i = 0; i < config.layerCount(); ++i)
    for (ExpectedTensor &tensor :
         layerTensors(config, config.layers[static_cast<size_t>(i)])) {
      tensor.name.insert(0, layerPrefix(i));
      list.tensors.push_back(std::move(tensor));
    }
  list.norm("model.norm", config.hiddenSize);
  if (!config.tieWordEmbeddings)
    list.linear("lm_head", config.vocabSize, config.hiddenSize, false);
  return std::move(list.tensors);
}

// Tables in old checkpoints that follow from config.json.
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

// Explains a missing tensor by what the checkpoint has instead. Frequent
// reasons have their own message.
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
