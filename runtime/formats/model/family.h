// Model families: which configurations they are selected by, which fields they
// read, what their layers are.
//
// A family is one file of families/, which describes its layers in plain C++.
// Everything else follows from that description: the tensors that a checkpoint
// must have (runtime/formats/checkpoint/model_weights.h), the module that is
// compiled (lib/Frontend/HuggingFace), the lists in messages.
#pragma once

#include "runtime/formats/model/config_reader.h"
#include "runtime/formats/model/model_config.h"

#include <span>

namespace nibble {

struct ModelFamily {
  const char *modelType; // model_type of config.json
  // Where the file does not say it, as in the family's configuration class of
  // transformers: max_position_embeddings.
  int64_t maxPositions;
  // Describes the layers: `model.layers` has an entry for each, filled with the
  // defaults of DecoderLayer, and the sizes that all families share are there.
  // What it reads through `fields` is known from then on; a field that nobody
  // knows is a warning, or refused where its name speaks of mathematics
  // (config_keys.h). Bad input, with ConfigReader::unsupported, for what the
  // family does not have.
  Status (*describeLayers)(ConfigReader &fields, ModelConfig &model);
};

// In alphabetical order.
std::span<const ModelFamily> modelFamilies();

// Null when there is none of this name.
const ModelFamily *familyNamed(std::string_view modelType);

// "llama, qwen2 and qwen3": their names, the last two joined by `last`.
std::string familyNames(const char *last);

} // namespace nibble
