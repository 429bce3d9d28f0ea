// Model configurations and random weights for the benchmarks.
#include "benchmarks/RandomModel.h"

#include "lib/Numerics/pack.h"
#include "runtime/formats/checkpoint/model_weights.h"

#include <cstring>
#include <random>

namespace nibble::benchmarks {

namespace {

// Fills bf16 weights: 1 for norms, and magnitudes of 2^-6 .. 2^-5 with random
// sign for matrices.
void fillWeights(const TensorView &tensor, std::minstd_rand &random) {
  auto *values = tensor.as<uint16_t>();
  bool isNorm = tensor.shape.size() == 1;
  for (int64_t i = 0, count = tensor.elements(); i < count; ++i) {
    uint32_t bits = random() >> 8;
    values[i] =
        isNorm
            ? uint16_t{0x3F80}
            : static_cast<uint16_t>(0x3C80u + bits % 0x80u + (bits & 0x8000u));
  }
}

void fillPacked(const numerics::PackedLayout &layout, std::minstd_rand &random,
                uint8_t *slab) {
  for (int64_t i = 0, count = layout.codeBytes(); i < count; ++i) {
    uint32_t bits = random() >> 8;
    // Two codes from 1 to 15. The code of -8 is never produced (N4).
    slab[i] = static_cast<uint8_t>(1 + bits % 15 + 16 * (1 + (bits >> 8) % 15));
  }
  for (int64_t i = 0, count = layout.scaleCount(); i < count; ++i) {
    // Any scale from 2^-8 to 2^-7.
    auto scale = static_cast<uint16_t>(0x3B80u + (random() >> 8) % 0x80u);
    numerics::storeScale(layout, slab, i, scale);
  }
}

} // namespace

Result<ModelConfig> qwenShape(int64_t layers) {
  return ModelConfig::parse({{"architectures", {"Qwen3ForCausalLM"}},
                             {"model_type", "qwen3"},
                             {"hidden_size", 1024},
                             {"intermediate_size", 3072},
                             {"num_hidden_layers", layers},
                             {"num_attention_heads", 16},
                             {"num_key_value_heads", 8},
                             {"head_dim", 128},
                             {"vocab_size", 151936},
                             {"max_position_embeddings", 40960},
                             {"rms_norm_eps", 1e-6},
                             {"rope_theta", 1e6},
                             {"tie_word_embeddings", true},
                             {"attention_bias", false},
                             {"hidden_act", "silu"},
                             {"torch_dtype", "bfloat16"}},
                            "benchmark");
}

Result<ModelConfig> demoShape() {
  return ModelConfig::read(NIBBLE_EXAMPLES "/addition/model");
}

Recipe everythingInt4() {
  Recipe recipe;
  recipe.defaultExclude = false;
  return recipe;
}

Status fillParameters(const Program &program, ParameterStore &store) {
  NIBBLE_TRY(store.declare(program));
  std::minstd_rand random(7);
  for (const nibble_function &function : program.functions())
    for (const nibble_value_info &info :
         std::span(function.arguments, function.argument_count)) {
      if (info.role != NIBBLE_ROLE_PARAMETER)
        continue;
      NIBBLE_ASSIGN(TensorView tensor, store.lookup(info));
      if (info.packed) {
        auto layout = numerics::parsePacked(info.packed);
        if (!layout || layout->bytes() != tensor.elements() ||
            layout->scheme.kind != numerics::Kind::kInt4)
          return Status::failed(
              std::string("benchmark: no random weights for ") + info.packed);
        fillPacked(*layout, random, tensor.as<uint8_t>());
        continue;
      }
      if (tensor.dtype != DType::kBF16)
        return Status::failed(std::string("benchmark: no random weights for ") +
                              info.name);
      fillWeights(tensor, random);
    }
  return Status::ok();
}

Result<Tensor> RandomWeights::read(const std::string &name) {
  for (const ExpectedTensor &expected : expectedTensors(config_)) {
    if (expected.name != name)
      continue;
    NIBBLE_ASSIGN(Tensor tensor, Tensor::create(DType::kBF16, expected.shape));
    std::minstd_rand random(
        static_cast<uint32_t>(std::hash<std::string>()(name)));
    fillWeights(tensor.view(), random);
    return tensor;
  }
  return Status::failed("benchmark: no tensor " + name);
}

WeightCount countWeights(const ModelConfig &config) {
  WeightCount count;
  for (const ExpectedTensor &tensor : expectedTensors(config))
    if (tensor.isLinear && tensor.name.find("layers.") != std::string::npos)
      count.layers +=
          static_cast<double>(elementCount(tensor.shape).value_or(0));
  count.head = static_cast<double>(config.vocabSize * config.hiddenSize);
  return count;
}

} // namespace nibble::benchmarks
