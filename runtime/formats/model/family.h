// Model families: the configurations that select them, the fields that they
// read, and their layers.
//
// A family is one file of families/, which describes its layers in plain C++.
// Everything else follows from that description: the tensors that a checkpoint
// must have
// (runtime/formats/checkpoint/model_weights.h), the compiled module
// (lib/Frontend/HuggingFace), and the lists in messages.
#pragma once

#include "runtime/formats/model/config_reader.h"
#include "runtime/formats/model/model_config.h"

#include <span>

namespace nibble {

struct ModelFamily {
  const char *modelType; // model_type of config.json
  // max_position_embeddings when the file does not have it, as in the family's
  // configuration class in transformers.
  int64_t maxPositions;
  // Describes the layers. `model.layers` already has an entry for each, with
  // the defaults of DecoderLayer, and the sizes that all families share are
  // set. Reading a field through `fields` declares it. An unknown field is a
  // warning, or an error when its name speaks of mathematics (config_keys.h).
  // What the family does not have is bad input through
  // ConfigReader::unsupported.
  Status (*describeLayers)(ConfigReader &fields, ModelConfig &model);
};

// All families in alphabetical order.
std::span<const ModelFamily> modelFamilies();

// Null when no family has this name.
const ModelFamily *familyNamed(std::string_view modelType);

// Their names in the form "llama, qwen2 and qwen3". `last` joins the last two.
std::string familyNames(const char *last);

} // namespace nibble
