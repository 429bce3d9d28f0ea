// The sources of a called function's arguments: files by argument name, then a
// checkpoint or random weights.
#pragma once

#include "runtime/core/program/program.h"
#include "runtime/formats/checkpoint/safetensors.h"
#include "runtime/formats/json.h"
#include "runtime/train/parameters.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace nibble {

// Files of tensors by name; later files override earlier ones. They are
// safetensors, or JSON when the name ends with .json. A JSON file is an object.
// A value is a number, a list, a list of lists of one length, ..., or {"zeros":
// [shape]}.
class InputFiles {
public:
  static Result<InputFiles> open(const std::vector<std::string> &paths);
  // Null when no file has the argument. Bad input naming file and argument when
  // it cannot be read as the argument's dtype.
  Result<std::optional<Tensor>> read(const nibble_value_info &argument) const;

private:
  struct JsonFile {
    std::string path;
    Json object;
  };
  std::vector<std::variant<JsonFile, SafetensorsFile>> files_;
};

// A tensor of standard normal numbers (by counter) for an input that no file
// has. Its elements are floats and its extents known. Null for other inputs,
// since nobody knows which integers are meaningful.
Result<std::optional<Tensor>> randomInput(uint64_t seed,
                                          const nibble_value_info &argument);

// Normal weights by counter: equal for equal seed, name and shape, whatever
// program asks. Matrices [N, K] have deviation 1 / sqrt(K). Vectors have mean 1
// and deviation 0.1.
class RandomWeights final : public WeightSource {
public:
  RandomWeights(uint64_t seed, const ParameterStore &store)
      : seed_(seed), store_(store) {}
  Result<Tensor> read(const std::string &name) override;

private:
  uint64_t seed_;
  const ParameterStore &store_; // provides the shapes
};

} // namespace nibble
